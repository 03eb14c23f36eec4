"""Trust rules: which verified workload may act as which agent, and what it then gets.

A rule is a person's word, written in the configuration; nothing that a workload says of
its reasons has a place in it. `federate` holds rules against claims and attestations.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from answerable.model.claims import ClaimPath, Scalar
from answerable.model.ids import AgentId

DELEGATION_DEPTH = 4  # actors of a chain at most
USUAL_TTL = 600  # seconds that a token lives where a grant does not say


class Bind(StrEnum):
    """What a token that is granted has to be bound to."""

    DPOP = "dpop"
    MTLS = "mtls"
    BEARER = "bearer"  # to nothing: whoever holds it presents it


class Granted(StrEnum):
    """What a grant gives."""

    ACCESS_TOKEN = "access-token"  # noqa: S105 - a kind
    ID_JAG = "id-jag"  # for the token service at the audience to make one of


@dataclass(frozen=True, slots=True)
class TokenGrant:
    """One audience that a rule opens.

    Attributes:
        audience: The one `aud` of the token.
        scopes: Scope tokens that may be asked for (RFC 6749 3.3); all of them are
            given where the request asks for none.
        ttl: Longest life, seconds.
        bind: What it has to be bound to.
        gives: The kind of token.
        gateway: It is given to our gateway alone, for the calls that it passes: who
            holds the delegation never has the token.
    """

    audience: str
    scopes: tuple[str, ...]
    ttl: int = USUAL_TTL
    bind: Bind = Bind.DPOP
    gives: Granted = Granted.ACCESS_TOKEN
    gateway: bool = False


@dataclass(frozen=True, slots=True)
class IssuedSubject:
    """Whoever shows a token of a pinned issuer whose claims are these.

    Attributes:
        issuer: Its name in the configuration.
        match: Claims that have to be equal, type and all. A claim that is missing does
            not match; a list matches where it is the same list.
        match_glob: Claims that have to fit a pattern: anchored, `*` is any text without
            a slash, and nothing else means anything but itself.
    """

    issuer: str
    match: tuple[tuple[ClaimPath, Scalar | tuple[Scalar, ...]], ...]
    match_glob: tuple[tuple[ClaimPath, str], ...] = ()


@dataclass(frozen=True, slots=True)
class PeerSubject:
    """The process at the other end of the token service's unix socket.

    Attributes:
        uid: Its user; 0 only where the rule says so.
        gid: Its group, None for any.
        unit: Its systemd unit, empty for any.
        container: Its container id, empty for any.
    """

    uid: int
    gid: int | None = None
    unit: str = ""
    container: str = ""


@dataclass(frozen=True, slots=True)
class LaunchedSubject:
    """A process that `answerable run` started, and what it starts in turn.

    Attributes:
        started_by: User id of the person at the terminal.
        person: Who that is, `person:...`; empty where nobody says.
        runs_as: User id that the process runs as; the same as `started_by` makes the
            attestation advice, since that user's processes can pass for each other.
        program: Absolute path of what may be started so, a script's for a script; empty
            for any.
    """

    started_by: int
    person: str = ""
    runs_as: int | None = None
    program: str = ""


RuleSubject = IssuedSubject | PeerSubject | LaunchedSubject


@dataclass(frozen=True, slots=True)
class Bounds:
    """What some grants come to together.

    Attributes:
        audiences: As in `Delegation`, and so are the rest.
        scopes: Pairs (audience, scope).
        bindings: Pairs (audience, kind).
        ttls: Pairs (audience, seconds).
    """

    audiences: tuple[str, ...]
    scopes: tuple[tuple[str, str], ...]
    bindings: tuple[tuple[str, str], ...]
    ttls: tuple[tuple[str, int], ...]

    @classmethod
    def of(cls, grants: tuple[TokenGrant, ...]) -> "Bounds":
        """Sum up grants; what two of them say stands once."""
        scopes = ((each.audience, scope) for each in grants for scope in each.scopes)
        return cls(
            audiences=tuple(dict.fromkeys(each.audience for each in grants)),
            scopes=tuple(dict.fromkeys(scopes)),
            bindings=tuple((each.audience, each.bind.value) for each in grants),
            ttls=tuple((each.audience, each.ttl) for each in grants),
        )


class Reuse(StrEnum):
    """How often a token of an issuer can be exchanged under a rule."""

    ONCE = "once"
    UNTIL_EXPIRY = "until-expiry"


@dataclass(frozen=True, slots=True)
class TrustRule:
    """One rule.

    Attributes:
        id: The operator's name for it.
        subject: Who it speaks of.
        agent: As which agent a workload that fits acts.
        grants: What it gets, by audience; one grant for each audience and kind.
        delegate_to: Agents that it may hand a part of this to.
        on_behalf_of: Names of issuers whose people may have it act for them.
        reuse: How often one token of an issuer can be exchanged under it.
        digest: SHA-256 of the rule in its canonical form, hex; evidence names it.
        bounds: What its grants come to: made once, and in every delegation.
    """

    id: str
    subject: RuleSubject
    agent: AgentId
    grants: tuple[TokenGrant, ...]
    delegate_to: tuple[AgentId, ...] = ()
    on_behalf_of: tuple[str, ...] = ()
    reuse: Reuse = Reuse.ONCE
    digest: str = ""
    bounds: "Bounds" = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "bounds", Bounds.of(self.grants))
