"""Delegations: roots opened for workloads, and parts of them for other agents.

A part never exceeds its parent: audiences, scopes, lifetimes and expiry are
intersected. `act` and every bound of a token come from these records only.
"""

from dataclasses import dataclass

from answerable.federation.denials import Refused, Why
from answerable.model.claims import Confirmation
from answerable.model.delegation import Delegation, Ticket
from answerable.model.ids import AgentId, PersonId
from answerable.model.trust_rule import DELEGATION_DEPTH, TrustRule

# An attestation is not renewed by an issuer, so it expires.
ATTESTED_LIFE = 3600  # seconds
TICKET_LIFE = 120  # seconds until a ticket has to be used

Chain = tuple[Delegation, ...]  # a delegation, and what it is a part of, to the root


@dataclass(frozen=True, slots=True)
class Portion:
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


def root_of(
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
    """Build the first delegation of a chain: everything that a rule grants.

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


def for_person(
    parent: Delegation, id: str, person: PersonId, now: int, until: int
) -> Delegation:
    """Build the part of an agent's delegation in which it acts for a person.

    Args:
        parent: The agent's own delegation.
        id: Id of the part.
        now: NumericDate.
        until: NumericDate at which the person's token ends.

    Raises:
        Refused: The agent acts for a person already, or the chain is too long.
    """
    if parent.actors:
        raise Refused(Why.ACTOR, "acts for a person already")
    _check_depth(parent)
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


def check_pair(parent: Delegation, agent: AgentId, rule: TrustRule) -> None:
    """Check rule, cycles and depth before a delegation to an agent.

    Raises:
        Refused: A check failed.
    """
    _check_depth(parent)
    if agent in (parent.sub, parent.agent, *parent.actors):
        raise Refused(Why.CYCLE, agent)
    if agent not in rule.delegate_to:
        raise Refused(Why.PAIR, agent)


def part_of(
    parent: Delegation,
    portion: Portion,
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
    audiences, scopes = _within(parent, portion)
    if parent.cnf.bound and not cnf.bound:
        raise Refused(Why.BINDING)
    expires = min(parent.expires, now + portion.ttl)
    if expires <= now:
        raise Refused(Why.EXPIRED, "nothing is left")
    return Delegation(
        id=id,
        parent=parent.id,
        root=parent.root,
        depth=parent.depth + 1,
        sub=parent.sub,
        agent=portion.agent,
        actors=(portion.agent, *parent.actors),
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
            (audience, min(ttl, portion.ttl))
            for audience, ttl in parent.ttls
            if audience in audiences
        ),
    )


def ticket_of(
    parent: Delegation, portion: Portion, sha256: str, rule: TrustRule, now: int
) -> Ticket:
    """Build a single-use ticket for a sub-agent.

    Args:
        parent: The requester's live delegation; its key was proven.
        portion: The part; it names the sub-agent's key.
        sha256: Digest of the ticket's secret, hex.
        rule: The current rule of the parent.
        now: NumericDate.

    Raises:
        Refused: The rule does not allow it, or it exceeds the parent.
    """
    check_pair(parent, portion.agent, rule)
    if not portion.jkt:
        raise Refused(Why.BINDING, "jkt")
    if portion.ttl <= 0:
        raise Refused(Why.TTL)
    if parent.expires <= now:
        raise Refused(Why.EXPIRED)
    audiences, scopes = _within(parent, portion)
    return Ticket(
        sha256=sha256,
        parent=parent.id,
        agent=portion.agent,
        jkt=portion.jkt,
        audiences=audiences,
        scopes=scopes,
        ttl=min(portion.ttl, parent.expires - now),
        expires=min(now + TICKET_LIFE, parent.expires),
    )


def portion_of(ticket: Ticket) -> Portion:
    """Return the delegation request in a ticket."""
    return Portion(
        ticket.agent, ticket.jkt, ticket.audiences, ticket.scopes, ticket.ttl
    )


def check_chain(chain: Chain, now: int) -> None:
    """Check that links form one chain and that none has expired.

    Raises:
        Refused: A check failed.
    """
    if not 1 <= len(chain) <= DELEGATION_DEPTH:
        raise Refused(Why.DEPTH)
    for depth, (link, above) in enumerate(
        zip(chain, (*chain[1:], None), strict=True), start=0
    ):
        parent = "" if above is None else above.id
        whole = link.parent == parent and link.root == chain[-1].id
        if not whole or link.depth != len(chain) - depth:
            raise Refused(Why.NOT_THE_RECORD, "chain")
        if now >= link.expires:
            raise Refused(Why.EXPIRED, "delegation")


def _check_depth(parent: Delegation) -> None:
    if parent.depth >= DELEGATION_DEPTH:
        raise Refused(Why.DEPTH)


def _within(
    parent: Delegation, portion: Portion
) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    """Return the requested audiences and scopes, if the parent has them."""
    audiences = parent.audiences if portion.audiences is None else portion.audiences
    if not audiences or not set(audiences) <= set(parent.audiences):
        raise Refused(Why.AUDIENCE)
    usual = tuple(pair for pair in parent.scopes if pair[0] in audiences)
    scopes = usual if portion.scopes is None else portion.scopes
    if not set(scopes) <= set(usual):
        raise Refused(Why.SCOPE_BEYOND)
    return tuple(dict.fromkeys(audiences)), tuple(dict.fromkeys(scopes))


def scopes_at(delegation: Delegation, audience: str) -> tuple[str, ...]:
    """Return the scopes of a delegation at one audience."""
    return tuple(scope for at, scope in delegation.scopes if at == audience)


def ttl_at(delegation: Delegation, audience: str) -> int:
    """Return the longest token lifetime at one audience, 0 if it is not granted."""
    lives = (life for at, life in delegation.ttls if at == audience)
    return min(lives, default=0)  # several only where an audience has several kinds
