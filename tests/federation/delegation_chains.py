"""Law 3: whatever is handed on, the child reaches no more than the parent.

A chain grows by tickets and by tokens, from a random rule, each step asking for a random
part, at times for more than there is. After each step the reach engine compares: a
scope at an audience is a statement that allows an action on a resource.
"""

import random
from collections import Counter
from dataclasses import replace
from typing import Any

from answerable.federation.delegation_source import Asked, Handed
from answerable.federation.delegations import Chain, Portion, ticket_of
from answerable.federation.denials import Refused
from answerable.federation.token_exchange import Ids, Minting, decide
from answerable.federation.trust_state import Standing
from answerable.model.claims import Confirmation
from answerable.model.delegation import Delegation
from answerable.reach.aws.patterns.arns import pattern_parts
from answerable.reach.aws.patterns.terms import ACTIONS, RESOURCES, Term, covers
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
    actions = covers(ACTIONS, Term(outer[1]), Term(inner[1]))
    resources = (Term(pattern_parts(_arn(each[0]))) for each in (outer, inner))
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
    found = decide(bare, world, Ids("1" * 32, "t"), NOW)
    if not isinstance(found, Minting):
        return Counter({f"root {found.reason}": 1})
    seen = Counter({"root": 1})
    chain: Chain = (found.delegation,)
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
    world: Standing,
    chain: Chain,
    number: int,
    shown: Confirmation,
) -> Minting | str:
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
    portion = Portion(agent, KEY.jkt, audiences, scopes, pick((1, 60, 600, 9999)))
    rule = next(iter(world.rules))
    try:
        ticket = ticket_of(parent, portion, f"{number}" * 64, rule, NOW)
    except Refused as refused:
        return refused.refusal.reason
    wanted = Asked(
        request(audience=pick(ticket.audiences)), Handed(ticket, chain), None, shown
    )
    found = decide(wanted, world, Ids(f"{number}" * 32, "t"), NOW)
    return found if isinstance(found, Minting) else found.reason


def _check(step: Minting, parent: Delegation) -> None:
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
    assert child.cnf.bound or not parent.cnf.bound
    assert (child.depth, child.root) == (parent.depth + 1, parent.root)
    assert child.depth <= 4
    assert len(set(child.actors)) == len(child.actors)
    assert (child.sub, child.rule) == (parent.sub, parent.rule)


def _check_renewal(
    pick: Pick[Any],
    world: Standing,
    chain: Chain,
    shown: Confirmation,
) -> None:
    """Another token under the same delegation gives no more than the record."""
    link = chain[0]
    wanted = asked(ours(chain), shown=shown, audience=pick((*AUDIENCES, BEYOND)))
    found = decide(wanted, world, Ids("x" * 32, "t"), NOW)
    if isinstance(found, Minting):
        assert not found.opens
        assert found.delegation == link
        assert {(found.audience, scope) for scope in found.scopes} <= reached(link)
        assert found.expires <= link.expires
