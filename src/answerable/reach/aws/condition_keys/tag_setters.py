"""Search for the identities that may set or remove a tag by a call of their own.

Source of the calls: `tagging_actions.py`. Each is evaluated like any other request,
with the tag it would carry.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import merge
from itertools import groupby
from typing import NamedTuple

from answerable.model.documents.core import ConditionItem
from answerable.model.ids import IdentityId
from answerable.model.policy import ConditionClause, Effect
from answerable.reach.aws.candidate_callers import able
from answerable.reach.aws.compiled.accounts import Estate
from answerable.reach.aws.compiled.principals import Principal, is_role, is_root
from answerable.reach.aws.condition_keys.tagging_actions import (
    noun,
    tagging_calls,
    untagging_call,
)
from answerable.reach.aws.evaluation.conditions import clause_holds
from answerable.reach.aws.evaluation.context_keys import (
    Known,
    flat,
    has_variable,
    resolve,
)
from answerable.reach.aws.evaluation.evaluate_principal import (
    judged_plainly,
    own_policy,
)
from answerable.reach.aws.evaluation.request import Request
from answerable.reach.aws.evaluation.resource_policies import is_required
from answerable.reach.aws.evaluation.single_request import abroad
from answerable.reach.aws.patterns.globs import ANY, STAR, outward
from answerable.reach.formula import FALSE, Formula, Verdict, both, either, verdict

_MOST_VALUES = 4
_ANY_OTHER = "any other value"


class Wish(NamedTuple):
    """Tag values that satisfy a condition.

    Attributes:
        tag: Key of the tag, as written.
        values: Values that satisfy it; None for one that cannot be derived.
        absent: Whether an absent tag satisfies it.
    """

    tag: str
    values: tuple[str | None, ...]
    absent: bool


class Step(NamedTuple):
    """Calls that together set a tag on one resource."""

    calls: tuple[str, ...]
    resource: str
    wish: Wish


@dataclass(frozen=True, slots=True)
class Setters:
    """Identities that may set a tag.

    Attributes:
        sure: Identities that may, unconditionally.
        maybe: Identities that may under conditions.
        calls: By identity, the call it may make.
        what: Noun for the tagged resource.
        root: Whether a root user may; root users are not listed.
    """

    sure: tuple[IdentityId, ...]
    maybe: tuple[IdentityId, ...]
    calls: dict[IdentityId, str]
    what: str
    root: bool = False


def on_resource(key: str, resource: str, wanted: Wish) -> tuple[Step, ...]:
    """List the ways to set the tag that a key names on a resource."""
    holder, calls = tagging_calls(key, resource)
    return _steps(calls, holder, wanted)


def on_principal(principal: Principal, wanted: Wish) -> tuple[Step, ...]:
    """List the ways to tag an identity; of a role also its session."""
    steps = on_resource("aws:ResourceTag/", principal.id, wanted)
    if is_role(principal.identity):
        plain = Wish(wanted.tag, wanted.values, absent=False)
        steps += (Step(("sts:AssumeRole", "sts:TagSession"), principal.id, plain),)
    return steps


def _steps(calls: Iterable[str], resource: str, wanted: Wish) -> tuple[Step, ...]:
    steps = []
    for call in calls:
        if wanted.values:
            steps.append(Step((call,), resource, wanted))
        if wanted.absent:
            taking = Wish(wanted.tag, (), absent=True)
            steps.append(Step((untagging_call(call),), resource, taking))
    return tuple(steps)


def wish(condition: ConditionItem, known: Known) -> Wish:
    """Derive the tag values that satisfy a condition."""
    values = tuple(condition["values"])
    clause = ConditionClause(condition["operator"], condition["key"], values)
    wanted = not condition["negated"]

    def holds(*got: str) -> bool | None:
        found = clause_holds(clause, Known({clause.key.lower(): got}).over(known))
        return None if found is None else found is wanted

    tag = clause.key.partition("/")[2]
    absent = holds() is True
    other = holds(_ANY_OTHER)
    if other or (other is None and _varies(clause)):
        return Wish(tag, (None,), absent)
    some = values[:_MOST_VALUES]
    tried = dict.fromkeys(_value(v, known, wild=w) for v in some for w in (False, True))
    return Wish(tag, tuple(value for value in tried if holds(value)), absent)


def _varies(clause: ConditionClause) -> bool:
    """Tell whether the wanted value depends on another key."""
    variable = any(has_variable(value) for value in clause.values)
    return variable or clause.operator == "PolicyVariable"


def _value(written: str, known: Known, *, wild: bool) -> str:
    """Choose a value that a written pattern may match."""
    pattern = flat(resolve(written, known, wild=wild).pattern)
    return outward(pattern.replace(STAR, "").replace(ANY, "a"))


def find_setters(estate: Estate, steps: tuple[Step, ...]) -> Setters:
    """Find the identities that may take any one of some steps by themselves."""
    sure: list[IdentityId] = []
    maybe: list[IdentityId] = []
    calls: dict[IdentityId, str] = {}
    root = False
    prepared = [(" and ".join(step.calls), _ways(estate, step)) for step in steps]
    for principal in _asked(estate, prepared):
        found, call = _best(estate, principal, prepared)
        if found is Verdict.NEVER:
            continue
        if is_root(principal.identity):
            root = True
            continue
        calls[principal.id] = call
        (sure if found is Verdict.ALWAYS else maybe).append(principal.id)
    return Setters(tuple(sure), tuple(maybe), calls, noun(steps[0].resource), root)


class Prepared(NamedTuple):
    """Request, and whether the resource policy alone might allow it."""

    request: Request
    granted: bool


_Ways = list[list[Prepared]]  # alternatives; each needs all of its calls


def _asked(
    estate: Estate, prepared: Iterable[tuple[str, _Ways]]
) -> Iterator[Principal]:
    """List the principals that could make the first call of some alternative."""
    able_each = (
        able(estate, way[0].request) for _, ways in prepared for way in ways if way
    )
    for pair, _ in groupby(merge(*able_each)):
        yield estate.principals[pair[1]]


def _ways(estate: Estate, step: Step) -> _Ways:
    """Build the requests of a step, one alternative for each wanted value."""
    if not all(estate.possible(call, step.resource) for call in step.calls):
        return []
    tag, values = step.wish.tag, step.wish.values
    carried = [_carried(tag, value) for value in values] or [_takes_away(tag)]
    return [
        [prepare(estate, call, step.resource, known) for call in step.calls]
        for known in carried
    ]


def prepare(estate: Estate, call: str, resource: str, carried: Known) -> Prepared:
    """Prepare a request for evaluation with every principal."""
    request = estate.hop(call, resource, carried)
    own = own_policy(estate, request)
    if own is None:
        return Prepared(request, is_required(request))
    allows = (g.clause.effect is Effect.ALLOW for g in own.speaking(request.action))
    return Prepared(request, bool(own.gaps) or any(allows))


def _best(
    estate: Estate, principal: Principal, prepared: Sequence[tuple[str, _Ways]]
) -> tuple[Verdict, str]:
    best, by = Verdict.NEVER, ""
    for call, ways in prepared:
        each = (both(*(judge(estate, principal, c) for c in way)) for way in ways)
        found = verdict(either(*each))
        if found is Verdict.ALWAYS:
            return found, call
        if found is Verdict.ONLY_IF and best is Verdict.NEVER:
            best, by = found, call
    return best, by


def judge(estate: Estate, principal: Principal, call: Prepared) -> Formula:
    """Evaluate a request; most principals have no matching statement."""
    action, resource = call.request.action, call.request.resource
    silent = not (principal.gaps or principal.matching(action).allows)
    if (silent and not call.granted) or abroad(
        estate, principal.identity.account, action, resource
    ):
        return FALSE
    return judged_plainly(estate, principal, call.request)


def _carried(tag: str, value: str | None) -> Known:
    """Build the keys of a tagging call; the caller may add other tags."""
    folded = tag.lower()
    values = {"aws:tagkeys": (tag,), "s3:requestobjecttagkeys": (tag,)}
    if value is not None:
        values[f"aws:requesttag/{folded}"] = (value,)
        values[f"s3:requestobjecttag/{folded}"] = (value,)
    return Known(values)


def _takes_away(tag: str) -> Known:
    return Known({"aws:tagkeys": (tag,)}, ("aws:requesttag/", "s3:requestobjecttag"))
