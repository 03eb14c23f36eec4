"""Law 3: whatever is handed on, the child reaches no more than the parent.

A chain grows by tickets and by tokens, from a random rule, each step asking for a random
part, at times for more than there is. After each step the reach engine compares: a
scope at an audience is a statement that allows an action on a resource.
"""

import random
from collections import Counter
from dataclasses import replace
from typing import Any

from answerable.federation.delegation_source import TicketGrant, VerifiedRequest
from answerable.federation.delegations import (
    DelegationChain,
    DelegationRequest,
    issue_ticket,
)
from answerable.federation.denials import ExchangeDenied
from answerable.federation.exchange_inputs import TrustState
from answerable.federation.token_exchange_decision import (
    FreshIds,
    TokenGrantDecision,
    decide_exchange,
)
from answerable.model.delegation import Delegation
from answerable.model.token_claims import Confirmation
from answerable.reach.aws.patterns.arn_matching import split_glob_arn
from answerable.reach.aws.patterns.pattern_set_algebra import (
    ACTIONS,
    RESOURCES,
    PatternTerm,
    covers,
)
from tests.federation.random_requests import Pick, some_rule, subset
from tests.federation.sample_rules import (
    AGENTS,
    AUDIENCES,
    KEY,
    NOW,
    SCOPES,
    asked,
    fitting,
    ours,
    request,
    standing,
)

BEYOND = "https://beyond.example"
Reached = set[tuple[str, str]]


def is_within(child: Reached, parent: Reached) -> bool:
    """Ask the reach engine whether every statement of one is covered by the other."""
    return all(any(_covers(outer, inner) for outer in parent) for inner in child)


def _covers(outer: tuple[str, str], inner: tuple[str, str]) -> bool:
    actions = covers(ACTIONS, PatternTerm(outer[1]), PatternTerm(inner[1]))
    resources = (PatternTerm(split_glob_arn(_arn(each[0]))) for each in (outer, inner))
    return actions and covers(RESOURCES, *resources)


def _arn(audience: str) -> str:
    return f"arn:aws:mcp:::{audience.removeprefix('https://')}"


def reached(link: Delegation) -> Reached:
    """What can be had under a delegation; an audience without a scope is one, too."""
    return {*link.scopes, *((audience, "token") for audience in link.audiences)}


def walk(seed: int) -> Counter[str]:
    """Grow one chain until nothing is given any more; say what happened."""
    generator = random.Random(seed)  # noqa: S311 - cases, not keys
    pick = generator.choice
    rule = replace(some_rule(pick, 0), delegate_to=AGENTS)
    grants = tuple(replace(g, scopes=pick(((), SCOPES))) for g in rule.grants)
    rule = replace(rule, grants=grants)
    world = standing(rule)
    shown = Confirmation(KEY.jkt, "c" * 43)
    first = grants[0]
    bare = asked(fitting(rule), shown=shown, audience=first.audience)
    found = decide_exchange(bare, world, FreshIds("1" * 32, "t"), NOW)
    if not isinstance(found, TokenGrantDecision):
        return Counter({f"root {found.reason}": 1})
    seen = Counter({"root": 1})
    chain: DelegationChain = (found.delegation,)
    for number in range(2, 8):
        step = _step(pick, world, chain, number, shown)
        if isinstance(step, str):
            seen[step] += 1
            continue
        _check(step, chain[0])
        seen[f"depth {step.delegation.depth}"] += 1
        chain = (step.delegation, *chain)
        _check_renewal(pick, world, chain, shown)
    return seen


def _step(
    pick: Pick[Any],
    world: TrustState,
    chain: DelegationChain,
    number: int,
    shown: Confirmation,
) -> TokenGrantDecision | str:
    parent = chain[0]
    audiences = (
        subset(pick, (*parent.audiences, BEYOND))
        if pick("nnny") == "y"
        else (subset(pick, parent.audiences) or parent.audiences)
    )
    scopes = tuple(
        pair for pair in parent.scopes if pair[0] in audiences and pick("ny") == "y"
    )
    if pick("nnnnny") == "y":
        scopes += ((AUDIENCES[0], "more"),)
    agent = pick(AGENTS)
    portion = DelegationRequest(
        agent, KEY.jkt, audiences, scopes, pick((1, 60, 600, 9999))
    )
    rule = next(iter(world.rules))
    try:
        ticket = issue_ticket(parent, portion, f"{number}" * 64, rule, NOW)
    except ExchangeDenied as refused:
        return refused.refusal.reason
    wanted = VerifiedRequest(
        request(audience=pick(ticket.audiences)),
        TicketGrant(ticket, chain),
        None,
        shown,
    )
    found = decide_exchange(wanted, world, FreshIds(f"{number}" * 32, "t"), NOW)
    return found if isinstance(found, TokenGrantDecision) else found.reason


def _check(step: TokenGrantDecision, parent: Delegation) -> None:
    child = step.delegation
    assert is_within(reached(child), reached(parent))
    assert {(step.audience, scope) for scope in step.scopes} <= reached(parent)
    assert set(child.audiences) <= set(parent.audiences)
    assert child.expires <= parent.expires
    assert step.expires <= child.expires
    assert dict(child.ttls).keys() <= dict(parent.ttls).keys()
    for audience, ttl in child.ttls:
        assert ttl <= max(most for at, most in parent.ttls if at == audience)
    assert set(child.bindings) <= set(parent.bindings)
    assert child.cnf.is_bound_to_key or not parent.cnf.is_bound_to_key
    assert (child.depth, child.root) == (parent.depth + 1, parent.root)
    assert child.depth <= 4
    assert len(set(child.actors)) == len(child.actors)
    assert (child.sub, child.rule) == (parent.sub, parent.rule)


def _check_renewal(
    pick: Pick[Any],
    world: TrustState,
    chain: DelegationChain,
    shown: Confirmation,
) -> None:
    """Another token under the same delegation gives no more than the record."""
    link = chain[0]
    wanted = asked(ours(chain), shown=shown, audience=pick((*AUDIENCES, BEYOND)))
    found = decide_exchange(wanted, world, FreshIds("x" * 32, "t"), NOW)
    if isinstance(found, TokenGrantDecision):
        assert not found.opens
        assert found.delegation == link
        assert {(found.audience, scope) for scope in found.scopes} <= reached(link)
        assert found.expires <= link.expires
