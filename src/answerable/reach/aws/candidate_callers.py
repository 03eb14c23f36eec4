"""Candidate callers: the few identities that could make a call by themselves.

A call of one action on one resource is allowed by a statement that the caller holds, or
by the resource policy. An identity that neither matches need not be evaluated.
"""

from collections.abc import Iterator, Set
from heapq import merge
from itertools import groupby

from answerable.model.ids import IdentityId
from answerable.model.policy import Effect
from answerable.reach.aws.compiled.accounts import Estate
from answerable.reach.aws.compiled.holder_index import Holding, Numbers, in_order
from answerable.reach.aws.compiled.service_facts import NO_PERMISSION
from answerable.reach.aws.compiled.statements import Clause, takes_resource
from answerable.reach.aws.evaluation.conditions import evaluate
from answerable.reach.aws.evaluation.evaluate_principal import own_policy
from answerable.reach.aws.evaluation.request import Request
from answerable.reach.aws.evaluation.resource_policies import Own, is_required
from answerable.reach.formula import FALSE


def candidates(
    estate: Estate, action: str, resource: str, start: int = 0
) -> Iterator[tuple[int, IdentityId]]:
    """List the candidate callers in order of id, each with its position.

    Args:
        estate: The compiled accounts.
        action: The action.
        resource: An ARN, a pattern, or `*`.
        start: Position to begin at.
    """
    call = estate.asked(action, resource)
    if call is not None:
        yield from able(estate, call, start)


def able(
    estate: Estate, call: Request, start: int = 0
) -> Iterator[tuple[int, IdentityId]]:
    """List the candidate callers of a possible request."""
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
    """Tell whether a statement on the action may apply for some caller."""
    if takes_resource(clause, call.parts, call.known) == FALSE:
        return False
    return evaluate(clause.conditions, call.known) != FALSE


def _homes(estate: Estate, call: Request) -> Set[str] | None:
    """Return the accounts whose identities can be callers, None for any.

    A caller of another account must be named by the resource policy. For KMS keys and
    roles that holds for the own account too.
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
    """List the statements of a resource policy that may allow a call."""
    for grant in own.speaking(call.action):
        if grant.clause.effect is Effect.ALLOW and _may_apply(grant.clause, call):
            yield grant.clause


def _named(estate: Estate, call: Request) -> Iterator[Numbers]:
    """List the identities that the resource policy alone may allow.

    An identity of another account needs a statement of its own too.
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
