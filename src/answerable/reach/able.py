"""Who could make a call by itself: of very many identities, the few to be asked.

A call of one action on one resource is allowed by a statement that its maker holds, or
by the resource's own policy. Whoever neither speaks of cannot make it, and need not be
asked; of all others only asking tells.
"""

from collections.abc import Iterator, Set
from heapq import merge
from itertools import groupby

from answerable.model.ids import IdentityId
from answerable.model.policy import Effect
from answerable.reach.estate.clauses import Clause, takes_resource
from answerable.reach.estate.estate import Estate
from answerable.reach.estate.holding import Holding, Numbers, in_order
from answerable.reach.estate.services import NO_PERMISSION
from answerable.reach.verdict.conditions import evaluate
from answerable.reach.verdict.formula import FALSE
from answerable.reach.verdict.judge import own_policy
from answerable.reach.verdict.request import Request
from answerable.reach.verdict.sides import Own, is_required


def candidates(
    estate: Estate, action: str, resource: str, start: int = 0
) -> Iterator[tuple[int, IdentityId]]:
    """List who could make a call by itself, in order of id, each with its place.

    Args:
        estate: The estate.
        action: The action.
        resource: An ARN, a pattern, or `*`.
        start: The place to begin at.
    """
    call = estate.asked(action, resource)
    if call is not None:
        yield from able(estate, call, start)


def able(
    estate: Estate, call: Request, start: int = 0
) -> Iterator[tuple[int, IdentityId]]:
    """List the same for a request that exists."""
    holding = estate.holding
    if call.action in NO_PERMISSION:
        places: Iterator[int] = in_order([holding.everyone], start)
    else:
        homes = _homes(estate, call)
        own = in_order(_holding(holding, call), start)
        places = merge(
            (place for place in own if homes is None or holding.homes[place] in homes),
            in_order(_named(estate, call), start),
        )
    for place, _ in groupby(places):
        yield place, holding.ids[place]


def _holding(holding: Holding, call: Request) -> Iterator[Numbers]:
    """List the holders of every statement that may allow a call."""
    yield holding.unread
    met: set[Clause] = set()
    for clause in holding.allowing(call.action, call.resource):
        if clause not in met and _may_apply(clause, call):
            met.add(clause)
            yield holding.holders(clause)


def _may_apply(clause: Clause, call: Request) -> bool:
    """Tell whether a statement that takes the action applies for some maker of it."""
    if takes_resource(clause, call.parts, call.known) == FALSE:
        return False
    return evaluate(clause.conditions, call.known) != FALSE


def _homes(estate: Estate, call: Request) -> Set[str] | None:
    """Say whose statements count: of which accounts the callers are, None for any.

    From another account nobody comes whom the resource's own policy does not name, and
    with keys and roles its own account is one like others.
    """
    own = own_policy(estate, call)
    if call.wild or not call.owner or own is None or own.gaps:
        return None
    found = set() if is_required(call) else {call.owner}
    for clause in _allowing(own, call):
        naming = clause.naming
        if naming.everyone or naming.canonical or clause.not_principals:
            return None
        found |= naming.accounts
    return found


def _allowing(own: Own, call: Request) -> Iterator[Clause]:
    """List the statements of a resource's own policy that may allow a call."""
    for grant in own.speaking(call.action):
        if grant.clause.effect is Effect.ALLOW and _may_apply(grant.clause, call):
            yield grant.clause


def _named(estate: Estate, call: Request) -> Iterator[Numbers]:
    """List those whom the resource's own policy may allow a call by itself.

    Of another account nobody can without a statement of its own.
    """
    if call.wild:
        return  # no policy of one resource allows all of a pattern
    holding = estate.holding
    near = holding.of_account(call.owner) if call.owner else holding.everyone
    own = own_policy(estate, call)
    if own is None:
        if is_required(call):
            yield near
        return
    if own.gaps:
        yield near
    for clause in _allowing(own, call):
        everyone = clause.naming.everyone or clause.not_principals
        yield near if everyone else holding.named(clause.naming)
