"""Types of trust rules: which workload may act as which agent and get which token.

A person writes a rule in the configuration; it has no input for a workload's stated
reasons. `federate` matches rules against claims and attestations.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from answerable.model.ids import AgentId
from answerable.model.token_claims import ClaimPath, ClaimScalar

MAX_DELEGATION_DEPTH = 4  # maximum actors of a chain
DEFAULT_TTL = 600  # default token lifetime, seconds


class RequiredBinding(StrEnum):
    """Required binding of a granted token."""

    DPOP = "dpop"
    MTLS = "mtls"
    BEARER = "bearer"  # not bound


class GrantedTokenKind(StrEnum):
    """Kind of token that a grant issues."""

    ACCESS_TOKEN = "access-token"  # noqa: S105 - a kind
    ID_JAG = "id-jag"  # to be exchanged at the audience's token service


@dataclass(frozen=True, slots=True)
class TokenGrant:
    """Grant of tokens for one audience.

    Attributes:
        audience: `aud` of the token.
        scopes: Requestable scope tokens (RFC 6749 3.3); a request without scopes gets
            all.
        ttl: Maximum lifetime, seconds.
        bind: Required binding.
        gives: The kind of token.
        gateway: Only our gateway gets the token, for the calls that it forwards; the
            holder of the delegation never has it.
    """

    audience: str
    scopes: tuple[str, ...]
    ttl: int = DEFAULT_TTL
    bind: RequiredBinding = RequiredBinding.DPOP
    gives: GrantedTokenKind = GrantedTokenKind.ACCESS_TOKEN
    gateway: bool = False


@dataclass(frozen=True, slots=True)
class IssuedSubject:
    """Rule subject: a token of a pinned issuer with matching claims.

    Attributes:
        issuer: Its name in the configuration.
        match: Claims that must be equal in type and value. A missing claim does not
            match; a list matches an equal list.
        match_glob: Claims that must match an anchored pattern: `*` is any text without
            a slash; all other characters are literal.
    """

    issuer: str
    match: tuple[tuple[ClaimPath, ClaimScalar | tuple[ClaimScalar, ...]], ...]
    match_glob: tuple[tuple[ClaimPath, str], ...] = ()


@dataclass(frozen=True, slots=True)
class PeerSubject:
    """Rule subject: the peer process of the token service's unix socket.

    Attributes:
        uid: Its user; 0 only where the rule states it.
        gid: Required group, None for any.
        unit: Required systemd unit, empty for any.
        container: Required container id, empty for any.
    """

    uid: int
    gid: int | None = None
    unit: str = ""
    container: str = ""


@dataclass(frozen=True, slots=True)
class LaunchedSubject:
    """Rule subject: a process started by `answerable run`, and its descendants.

    Attributes:
        started_by: User id of the person at the terminal.
        person: Id of that person, `person:...`; empty for none.
        runs_as: User id of the process; equal to `started_by` makes the attestation
            advisory, since that user's processes can impersonate each other.
        program: Absolute path of the permitted program or script; empty for any.
    """

    started_by: int
    person: str = ""
    runs_as: int | None = None
    program: str = ""


RuleSubject = IssuedSubject | PeerSubject | LaunchedSubject


@dataclass(frozen=True, slots=True)
class GrantBounds:
    """Combined bounds of several grants.

    Attributes:
        audiences: As in `Delegation`; so are the others.
        scopes: Pairs (audience, scope).
        bindings: Pairs (audience, kind).
        ttls: Pairs (audience, seconds).
    """

    audiences: tuple[str, ...]
    scopes: tuple[tuple[str, str], ...]
    bindings: tuple[tuple[str, str], ...]
    ttls: tuple[tuple[str, int], ...]

    @classmethod
    def combine_grants(cls, grants: tuple[TokenGrant, ...]) -> "GrantBounds":
        """Combine grants to all audiences, scopes, bindings and lifetimes."""
        scopes = ((each.audience, scope) for each in grants for scope in each.scopes)
        return cls(
            audiences=tuple(dict.fromkeys(each.audience for each in grants)),
            scopes=tuple(dict.fromkeys(scopes)),
            bindings=tuple((each.audience, each.bind.value) for each in grants),
            ttls=tuple((each.audience, each.ttl) for each in grants),
        )


class TokenReuse(StrEnum):
    """Permitted reuse of an issuer's token under a rule."""

    ONCE = "once"
    UNTIL_EXPIRY = "until-expiry"


@dataclass(frozen=True, slots=True)
class TrustRule:
    """Trust rule.

    Attributes:
        id: Name given by the operator.
        subject: Workloads that it matches.
        agent: Agent that a matching workload acts as.
        grants: Grants, one for each audience and kind.
        delegate_to: Agents that it may delegate to.
        on_behalf_of: Issuers whose persons it may act for.
        reuse: Permitted reuse of one token.
        digest: SHA-256 of the rule in its canonical form, hex; evidence names it.
        bounds: Combined bounds of its grants, computed once and copied to every
            delegation.
    """

    id: str
    subject: RuleSubject
    agent: AgentId
    grants: tuple[TokenGrant, ...]
    delegate_to: tuple[AgentId, ...] = ()
    on_behalf_of: tuple[str, ...] = ()
    reuse: TokenReuse = TokenReuse.ONCE
    digest: str = ""
    bounds: "GrantBounds" = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "bounds", GrantBounds.combine_grants(self.grants))
