"""Reference search for the delegation that a request is based on."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from answerable.federation.delegation_source import (
    OwnToken,
    TicketGrant,
    VerifiedRequest,
)
from answerable.federation.exchange_inputs import TrustState
from answerable.model.delegation import Delegation
from answerable.model.ids import AgentId
from answerable.model.token_claims import Confirmation, SignedClaims, TokenType
from answerable.model.token_request import GrantType
from answerable.model.trust_rule import LaunchedSubject, RequiredBinding, TrustRule
from answerable.model.workload_attestation import Attestation
from tests.reference.federation.workload_match import Workload, fits


@dataclass(frozen=True, slots=True)
class TokenDelegation:
    """What a token would be of: the delegation on record, or the one to be opened."""

    id: str
    rule: TrustRule
    sub: str
    agent: str
    actors: tuple[str, ...]
    run: str
    depth: int
    key: Confirmation
    ends: int
    above: tuple[Delegation, ...]
    audiences: frozenset[str]
    scopes: frozenset[tuple[str, str]]
    life: Callable[[str], int]


def find_delegation(
    asked: VerifiedRequest, standing: TrustState, id: str, now: int
) -> TokenDelegation | None:
    """Find or make the delegation, None where a request rests on nothing."""
    if not _may_ask(asked, standing):
        return None
    match asked.subject, asked.actor:
        case SignedClaims() as token, None:
            return _of_token(asked, token, standing, id)
        case Attestation() as peer, None:
            rule = _rule(standing, peer)
            subject = rule.subject if rule else None
            person = subject.person if isinstance(subject, LaunchedSubject) else ""
            return _new(asked, rule, person, peer.run, id, now + 3600)
        case SignedClaims() as token, Attestation() as peer:
            rule = _rule(standing, peer)
            person = _person(asked, token, standing, rule)
            ends = min(now + 3600, token.exp)
            return _new(asked, rule, person, peer.run, id, ends) if person else None
        case SignedClaims() as token, OwnToken() as held:
            return _for_person(asked, token, held, standing, id, now)
        case OwnToken() as held, None:
            record = _record(held, standing, now)
            if record is None:
                return None
            id, ends, depth = record.id, record.expires, record.depth
            return _part(standing, record, held.chain, id, ends, depth=depth)
        case OwnToken() as held, (OwnToken() | Attestation()) as actor:
            return _handed_on(asked, held, actor, standing, id, now)
        case TicketGrant() as handed, None:
            return _of_ticket(asked, handed, standing, id, now)
        case _:
            return None


def _for_person(
    asked: VerifiedRequest,
    token: SignedClaims,
    held: OwnToken,
    standing: TrustState,
    id: str,
    now: int,
) -> TokenDelegation | None:
    """An agent's own delegation, for somebody who signed in."""
    record = _record(held, standing, now)
    person = _person(asked, token, standing, _old(standing, record))
    if record is None or record.actors or not person:
        return None
    if not proves_key(asked.shown, record.cnf):
        return None
    ends = min(record.expires, token.exp)
    actors = (record.agent,)
    return _part(standing, record, held.chain, id, ends, sub=person, actors=actors)


def _may_ask(asked: VerifiedRequest, standing: TrustState) -> bool:
    """Only our gateway shows the token of a call; no client assertion is ours."""
    subject = asked.subject
    by_client = asked.request.grant_type is GrantType.CLIENT_CREDENTIALS
    of_a_call = (
        isinstance(subject, OwnToken)
        and asked.actor is None
        and subject.claims.aud in standing.gateways
    )
    return (not asked.gateway or of_a_call) and (
        not by_client or isinstance(subject, SignedClaims)
    )


def _of_token(
    asked: VerifiedRequest, token: SignedClaims, standing: TrustState, id: str
) -> TokenDelegation | None:
    rule = _rule(standing, token)
    if token.token_type is TokenType.ID_TOKEN or not _counts(asked, token, standing):
        return None
    person = ""
    named = asked.request.client_id
    is_grant = token.token_type is TokenType.ID_JAG
    by_client = asked.request.grant_type is GrantType.CLIENT_CREDENTIALS
    agent = rule.agent if rule else ""
    if by_client and not is_grant and named not in ("", token.sub, agent):
        return None
    if is_grant:
        if named not in ("", token.client_id):
            return None
        if standing.issuers[token.issuer].person:
            person = _named(token, standing, rule)
            if not person:
                return None
    return _new(asked, rule, person, f"token:{token.token_sha256.hex()}", id, token.exp)


def _new(
    asked: VerifiedRequest,
    rule: TrustRule | None,
    person: str,
    run: str,
    id: str,
    ends: int,
) -> TokenDelegation | None:
    """A root: everything that the rule gives."""
    if rule is None:
        return None
    mtls = any(grant.bind is RequiredBinding.MTLS for grant in rule.grants)
    return TokenDelegation(
        id=id,
        rule=rule,
        sub=person or rule.agent,
        agent=rule.agent,
        actors=(rule.agent,) if person else (),
        run=run,
        depth=1,
        key=_kept(asked.shown, mtls=mtls),
        ends=ends,
        above=(),
        audiences=frozenset(grant.audience for grant in rule.grants),
        scopes=frozenset((g.audience, s) for g in rule.grants for s in g.scopes),
        life=lambda at: min(g.ttl for g in rule.grants if g.audience == at),
    )


def _part(
    standing: TrustState,
    parent: Delegation,
    above: tuple[Delegation, ...],
    id: str,
    ends: int,
    **changes: Any,
) -> TokenDelegation | None:
    """A part of a delegation, as much as it is unless something is said."""
    rule = _old(standing, parent)
    if rule is None:
        return None
    facts: dict[str, Any] = {
        "sub": parent.sub,
        "agent": parent.agent,
        "actors": parent.actors,
        "run": parent.run,
        "depth": parent.depth + 1,
        "key": parent.cnf,
        "audiences": frozenset(parent.audiences),
        "scopes": frozenset(parent.scopes),
        "life": lambda at: min(ttl for aud, ttl in parent.ttls if aud == at),
    }
    return TokenDelegation(
        id=id, rule=rule, above=above, ends=ends, **(facts | changes)
    )


def _handed_on(
    asked: VerifiedRequest,
    held: OwnToken,
    actor: OwnToken | Attestation,
    standing: TrustState,
    id: str,
    now: int,
) -> TokenDelegation | None:
    """A token that is bound to nothing, with the agent that has it."""
    parent = _record(held, standing, now)
    if isinstance(actor, OwnToken):
        own = _record(actor, standing, now)
        if own is None or own.actors or not proves_key(asked.shown, own.cnf):
            return None
        if not _stands(actor.chain, standing) or _old(standing, own) is None:
            return None
        agent, run = str(own.agent), own.run
    else:
        rule = _rule(standing, actor)
        agent, run = (str(rule.agent), actor.run) if rule else ("", "")
    if (
        parent is None
        or parent.cnf.is_bound_to_key
        or not _allowed(parent, agent, standing)
    ):
        return None
    mtls = any(bind == "mtls" for _, bind in parent.bindings)
    return _part(
        standing,
        parent,
        held.chain,
        id,
        parent.expires,
        agent=agent,
        actors=(agent, *parent.actors),
        run=run,
        key=_kept(asked.shown, mtls=mtls),
        life=lambda at: min(
            parent.expires - now, *(ttl for aud, ttl in parent.ttls if aud == at)
        ),
    )


def _of_ticket(
    asked: VerifiedRequest, handed: TicketGrant, standing: TrustState, id: str, now: int
) -> TokenDelegation | None:
    ticket, parent = handed.ticket, handed.chain[0]
    scopes = frozenset(ticket.scopes)
    holds = (
        _is_chain(handed.chain, now)
        and ticket.parent == parent.id
        and now < ticket.expires
        and ticket.ttl > 0
        and asked.shown.jkt == ticket.jkt != ""
        and _allowed(parent, ticket.agent, standing)
        and set() < set(ticket.audiences) <= set(parent.audiences)
        and scopes <= {p for p in parent.scopes if p[0] in ticket.audiences}
    )
    if not holds:
        return None
    mtls = any(bind == "mtls" for _, bind in parent.bindings)
    return _part(
        standing,
        parent,
        handed.chain,
        id,
        min(parent.expires, now + ticket.ttl),
        agent=ticket.agent,
        actors=(ticket.agent, *parent.actors),
        run=f"ticket:{ticket.sha256}",
        key=_kept(asked.shown, mtls=mtls),
        audiences=frozenset(ticket.audiences),
        scopes=scopes,
        life=lambda at: min(
            ticket.ttl, *(ttl for aud, ttl in parent.ttls if aud == at)
        ),
    )


def _rule(standing: TrustState, workload: Workload) -> TrustRule | None:
    """The one rule that fits; two are none."""
    found = [rule for rule in standing.rules if fits(rule, workload)]
    return found[0] if len(found) == 1 else None


def _old(standing: TrustState, record: Delegation | None) -> TrustRule | None:
    """The rule of a delegation, if it is still the same."""
    for rule in standing.rules:
        if record is not None and (rule.id, rule.digest) == (
            record.rule,
            record.rule_digest,
        ):
            return rule
    return None


def _record(held: OwnToken, standing: TrustState, now: int) -> Delegation | None:
    """The record that our own token speaks of, if it speaks true."""
    token, record = held.claims, held.chain[0] if held.chain else None
    issuer = standing.issuers.get(token.issuer)
    holds = (
        record is not None
        and _is_chain(held.chain, now)
        and token.iss == standing.url
        and (issuer is None or issuer.pin.ours)
        and token.token_type is TokenType.ACCESS_TOKEN
        and token.find_claim_at_path("answerable", "dlg") == record.id
        and token.find_claim_at_path("answerable", "agent") == record.agent
        and (token.sub, token.cnf) == (record.sub, record.cnf)
        and _old(standing, record) is not None
    )
    return record if holds else None


def _is_chain(chain: tuple[Delegation, ...], now: int) -> bool:
    ids = [link.id for link in chain]
    return (
        1 <= len(chain) <= 4
        and [link.parent for link in chain] == [*ids[1:], ""]
        and all(link.root == ids[-1] for link in chain)
        and [link.depth for link in chain] == list(range(len(chain), 0, -1))
        and all(now < link.expires for link in chain)
    )


def _stands(chain: tuple[Delegation, ...], standing: TrustState) -> bool:
    return all(
        standing.owners.get(link.agent) == link.owner
        and standing.kills.isdisjoint(
            {
                *(link.agent, link.sub, link.owner, link.run),
                *(f"rule:{link.rule}", f"run:{link.id}"),
                *link.actors,
            }
        )
        for link in chain
    )


def _allowed(parent: Delegation, agent: str, standing: TrustState) -> bool:
    rule = _old(standing, parent)
    chain = (parent.sub, parent.agent, *parent.actors)
    return rule is not None and agent in rule.delegate_to and agent not in chain


def _person(
    asked: VerifiedRequest,
    token: SignedClaims,
    standing: TrustState,
    rule: TrustRule | None,
) -> str:
    """The person that an id token names, empty where it counts for nobody."""
    if token.token_type is not TokenType.ID_TOKEN:
        return ""
    return _named(token, standing, rule) if _counts(asked, token, standing) else ""


def _named(token: SignedClaims, standing: TrustState, rule: TrustRule | None) -> str:
    claim = standing.issuers[token.issuer].person
    name = token.find_claim_at_path(claim)
    if rule is None or token.issuer not in rule.on_behalf_of:
        return ""
    verified = token.find_claim_at_path("email_verified")
    if claim == "email" and verified is not True:
        return ""
    if not isinstance(name, str) or not re.fullmatch("[!-~](?:[ -~]*[!-~])?", name):
        return ""
    return "person:" + name.lower().removeprefix("person:")


def _counts(asked: VerifiedRequest, token: SignedClaims, standing: TrustState) -> bool:
    issuer = standing.issuers.get(token.issuer)
    return (
        issuer is not None
        and not issuer.pin.ours
        and f"issuer:{token.issuer}" not in standing.kills
        and proves_key(asked.shown, token.cnf)
    )


def proves_key(shown: Confirmation, key: Confirmation) -> bool:
    """Return whether a requester showed a key."""
    return key.jkt in ("", shown.jkt) and key.x5t_s256 in ("", shown.x5t_s256)


def _kept(shown: Confirmation, *, mtls: bool) -> Confirmation:
    return shown if mtls or not shown.jkt else Confirmation(jkt=shown.jkt)


def get_acting_agent(link: TokenDelegation) -> AgentId:
    """Return the acting agent."""
    return AgentId(link.agent)
