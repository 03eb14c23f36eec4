"""Build delegations: roots for workloads, and children that narrow their parent.

A child never exceeds its parent: audiences, scopes, lifetimes and expiry are
intersected. `act` and every bound of a token come from these records only.
"""

from dataclasses import dataclass

from answerable.federation.denials import DenialReason, ExchangeDenied
from answerable.model.delegation import Delegation, DelegationTicket
from answerable.model.ids import AgentId, PersonId
from answerable.model.token_claims import Confirmation
from answerable.model.trust_rule import MAX_DELEGATION_DEPTH, TrustRule

# An attestation is not renewed by an issuer, so it expires.
ATTESTED_LIFETIME = 3600  # seconds
TICKET_LIFETIME = 120  # seconds until a ticket has to be used

DelegationChain = tuple[Delegation, ...]  # a delegation and its parents, up to the root


@dataclass(frozen=True, slots=True)
class DelegationRequest:
    """A part of a delegation that its holder asks to delegate.

    Attributes:
        agent: The agent that receives it.
        jkt: Thumbprint of that agent's key; empty binds to the key it proves.
        audiences: None for all of the parent's.
        scopes: Pairs (audience, scope); None for all at these audiences.
        ttl: Longest lifetime, seconds.
    """

    agent: AgentId
    jkt: str
    audiences: tuple[str, ...] | None
    scopes: tuple[tuple[str, str], ...] | None
    ttl: int


def open_root_delegation(
    rule: TrustRule,
    id: str,
    *,
    sub: str,
    owner: PersonId,
    run: str,
    cnf: Confirmation,
    now: int,
    expires: int,
) -> Delegation:
    """Build the root delegation of a chain: everything that a rule grants.

    Args:
        sub: The agent, or the person it acts for.
        run: Run id of the attested start.
        now: NumericDate.
        expires: NumericDate at which the underlying token or attestation ends.
    """
    bounds = rule.bounds
    return Delegation(
        id=id,
        parent="",
        root=id,
        depth=1,
        sub=sub,
        agent=rule.agent,
        actors=() if sub == rule.agent else (rule.agent,),
        owner=owner,
        rule=rule.id,
        rule_digest=rule.digest,
        run=run,
        audiences=bounds.audiences,
        scopes=bounds.scopes,
        cnf=cnf,
        issued=now,
        expires=expires,
        bindings=bounds.bindings,
        ttls=bounds.ttls,
    )


def open_delegation_for_person(
    parent: Delegation, id: str, person: PersonId, now: int, until: int
) -> Delegation:
    """Build the child delegation in which an agent acts for a person.

    Args:
        parent: The agent's own delegation.
        id: Id of the child.
        now: NumericDate.
        until: NumericDate at which the person's token ends.

    Raises:
        Refused: The agent acts for a person already, or the chain is too long.
    """
    if parent.actors:
        raise ExchangeDenied(DenialReason.ACTOR, "the agent already acts for a person")
    _check_chain_depth(parent)
    return Delegation(
        id=id,
        parent=parent.id,
        root=parent.root,
        depth=parent.depth + 1,
        sub=person,
        agent=parent.agent,
        actors=(parent.agent,),
        owner=parent.owner,
        rule=parent.rule,
        rule_digest=parent.rule_digest,
        run=parent.run,
        audiences=parent.audiences,
        scopes=parent.scopes,
        cnf=parent.cnf,
        issued=now,
        expires=min(parent.expires, until),
        bindings=parent.bindings,
        ttls=parent.ttls,
    )


def check_delegation_allowed(
    parent: Delegation, agent: AgentId, rule: TrustRule
) -> None:
    """Check rule, cycles and depth before a delegation to another agent.

    Raises:
        Refused: A check failed.
    """
    _check_chain_depth(parent)
    if agent in (parent.sub, parent.agent, *parent.actors):
        raise ExchangeDenied(DenialReason.CYCLE, agent)
    if agent not in rule.delegate_to:
        raise ExchangeDenied(DenialReason.PAIR, agent)


def open_child_delegation(
    parent: Delegation,
    request: DelegationRequest,
    id: str,
    *,
    owner: PersonId,
    run: str,
    cnf: Confirmation,
    now: int,
) -> Delegation:
    """Build a child delegation: the request intersected with the parent.

    Raises:
        Refused: It exceeds the parent, or nothing remains.
    """
    audiences, scopes = _intersect_with_parent(parent, request)
    if parent.cnf.is_bound_to_key and not cnf.is_bound_to_key:
        raise ExchangeDenied(DenialReason.BINDING)
    expires = min(parent.expires, now + request.ttl)
    if expires <= now:
        raise ExchangeDenied(DenialReason.EXPIRED, "no permissions remain")
    return Delegation(
        id=id,
        parent=parent.id,
        root=parent.root,
        depth=parent.depth + 1,
        sub=parent.sub,
        agent=request.agent,
        actors=(request.agent, *parent.actors),
        owner=owner,
        rule=parent.rule,
        rule_digest=parent.rule_digest,
        run=run,
        audiences=audiences,
        scopes=scopes,
        cnf=cnf,
        issued=now,
        expires=expires,
        bindings=tuple(pair for pair in parent.bindings if pair[0] in audiences),
        ttls=tuple(
            (audience, min(ttl, request.ttl))
            for audience, ttl in parent.ttls
            if audience in audiences
        ),
    )


def issue_ticket(
    parent: Delegation,
    request: DelegationRequest,
    sha256: str,
    rule: TrustRule,
    now: int,
) -> DelegationTicket:
    """Build a single-use ticket with which a sub-agent opens a child delegation.

    Args:
        parent: The requester's live delegation; its key was proven.
        request: The rights to delegate; it names the sub-agent's key.
        sha256: Digest of the ticket's secret, hex.
        rule: The current rule of the parent.
        now: NumericDate.

    Raises:
        Refused: The rule does not allow it, or it exceeds the parent.
    """
    check_delegation_allowed(parent, request.agent, rule)
    if not request.jkt:
        raise ExchangeDenied(DenialReason.BINDING, "jkt")
    if request.ttl <= 0:
        raise ExchangeDenied(DenialReason.TTL)
    if parent.expires <= now:
        raise ExchangeDenied(DenialReason.EXPIRED)
    audiences, scopes = _intersect_with_parent(parent, request)
    return DelegationTicket(
        sha256=sha256,
        parent=parent.id,
        agent=request.agent,
        jkt=request.jkt,
        audiences=audiences,
        scopes=scopes,
        ttl=min(request.ttl, parent.expires - now),
        expires=min(now + TICKET_LIFETIME, parent.expires),
    )


def delegation_request_of_ticket(ticket: DelegationTicket) -> DelegationRequest:
    """Return what a delegation ticket asks for."""
    return DelegationRequest(
        ticket.agent, ticket.jkt, ticket.audiences, ticket.scopes, ticket.ttl
    )


def check_delegation_chain(chain: DelegationChain, now: int) -> None:
    """Check that delegations form one chain to a root and none has expired.

    Raises:
        Refused: A check failed.
    """
    if not 1 <= len(chain) <= MAX_DELEGATION_DEPTH:
        raise ExchangeDenied(DenialReason.DEPTH)
    for depth, (link, above) in enumerate(
        zip(chain, (*chain[1:], None), strict=True), start=0
    ):
        parent = "" if above is None else above.id
        whole = link.parent == parent and link.root == chain[-1].id
        if not whole or link.depth != len(chain) - depth:
            raise ExchangeDenied(DenialReason.NOT_THE_RECORD, "chain")
        if now >= link.expires:
            raise ExchangeDenied(DenialReason.EXPIRED, "delegation")


def _check_chain_depth(parent: Delegation) -> None:
    """Deny a child delegation below the maximum depth of a chain."""
    if parent.depth >= MAX_DELEGATION_DEPTH:
        raise ExchangeDenied(DenialReason.DEPTH)


def _intersect_with_parent(
    parent: Delegation, request: DelegationRequest
) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    """Return the requested audiences and scopes; deny those the parent lacks."""
    audiences = parent.audiences if request.audiences is None else request.audiences
    if not audiences or not set(audiences) <= set(parent.audiences):
        raise ExchangeDenied(DenialReason.AUDIENCE)
    usual = tuple(pair for pair in parent.scopes if pair[0] in audiences)
    scopes = usual if request.scopes is None else request.scopes
    if not set(scopes) <= set(usual):
        raise ExchangeDenied(DenialReason.SCOPE_BEYOND)
    return tuple(dict.fromkeys(audiences)), tuple(dict.fromkeys(scopes))


def scopes_for_audience(delegation: Delegation, audience: str) -> tuple[str, ...]:
    """Return the scopes that a delegation grants at one audience."""
    return tuple(scope for at, scope in delegation.scopes if at == audience)


def max_ttl_for_audience(delegation: Delegation, audience: str) -> int:
    """Return the longest token lifetime at one audience, 0 if it is not granted."""
    lives = (life for at, life in delegation.ttls if at == audience)
    return min(lives, default=0)  # several only where an audience has several kinds
