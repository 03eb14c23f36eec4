"""Which identities may set a tag, or take it away, by a call of their own.

Source: `tagging_actions.py` says which calls; each is judged like any other request,
with the tag it would carry.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import merge
from itertools import groupby
from typing import NamedTuple

from answerable.model.document import ConditionItem
from answerable.model.ids import IdentityId
from answerable.model.policy import ConditionClause, Effect
from answerable.reach.able import able
from answerable.reach.estate.estate import Estate
from answerable.reach.estate.principals import Principal, is_role, is_root
from answerable.reach.keys.tagging_actions import noun, tagging_calls, untagging_call
from answerable.reach.patterns.globs import ANY, STAR, outward
from answerable.reach.verdict.conditions import clause_holds
from answerable.reach.verdict.context import Known, flat, has_variable, resolve
from answerable.reach.verdict.formula import (
    FALSE,
    Formula,
    Verdict,
    both,
    either,
    verdict,
)
from answerable.reach.verdict.judge import judged_plainly, own_policy
from answerable.reach.verdict.request import Request
from answerable.reach.verdict.sides import is_required
from answerable.reach.verdict.single import abroad

_MOST_VALUES = 4
_ANY_OTHER = "any other value"


class Wish(NamedTuple):
    """What a condition wants of a tag.

    Attributes:
        tag: The tag's key, as written.
        values: Values that satisfy it; None stands for one that is not worked out.
        absent: Whether no tag satisfies it too.
    """

    tag: str
    values: tuple[str | None, ...]
    absent: bool


class Step(NamedTuple):
    """Calls of one way to set a tag, all of them needed, on one resource."""

    calls: tuple[str, ...]
    resource: str
    wish: Wish


@dataclass(frozen=True, slots=True)
class Setters:
    """Who may set a tag.

    Attributes:
        sure: Identities that may, unconditionally.
        maybe: Identities that may under conditions of their own.
        calls: By identity, the call it may make.
        what: What the call acts on, in a word.
        root: Whether a root user may; they are not listed.
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
    """Tag the identity itself; of a role also its session, which hides the role's."""
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
    """Work out what a condition wants of the tag its key names."""
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
    """Tell whether the value that is wanted hangs on another key."""
    variable = any(has_variable(value) for value in clause.values)
    return variable or clause.operator == "PolicyVariable"


def _value(written: str, known: Known, *, wild: bool) -> str:
    """Pick a value that a written one may match."""
    pattern = flat(resolve(written, known, wild=wild).pattern)
    return outward(pattern.replace(STAR, "").replace(ANY, "a"))


def find_setters(estate: Estate, steps: tuple[Step, ...]) -> Setters:
    """Find who may take any one of some steps, by itself."""
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
    """A request, and whether the resource's own policy might allow it by itself."""

    request: Request
    granted: bool


_Ways = list[list[Prepared]]  # any one of them is enough; all calls of one are needed


def _asked(
    estate: Estate, prepared: Iterable[tuple[str, _Ways]]
) -> Iterator[Principal]:
    """List who could make the first call of some way; nobody else may take a step."""
    able_each = (
        able(estate, way[0].request) for _, ways in prepared for way in ways if way
    )
    for pair, _ in groupby(merge(*able_each)):
        yield estate.principals[pair[1]]


def _ways(estate: Estate, step: Step) -> _Ways:
    """Make the requests of a step, once for every value that will do."""
    if not all(estate.possible(call, step.resource) for call in step.calls):
        return []
    tag, values = step.wish.tag, step.wish.values
    carried = [_carried(tag, value) for value in values] or [_takes_away(tag)]
    return [
        [prepare(estate, call, step.resource, known) for call in step.calls]
        for known in carried
    ]


def prepare(estate: Estate, call: str, resource: str, carried: Known) -> Prepared:
    """Make a request ready to be asked of every principal."""
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
    """Judge a request; most principals have no statement that speaks of it."""
    action, resource = call.request.action, call.request.resource
    silent = not (principal.gaps or principal.matching(action).allows)
    if (silent and not call.granted) or abroad(
        estate, principal.identity.account, action, resource
    ):
        return FALSE
    return judged_plainly(estate, principal, call.request)


def _carried(tag: str, value: str | None) -> Known:
    """Say what a tagging call carries; the caller may add other tags to it."""
    folded = tag.lower()
    values = {"aws:tagkeys": (tag,), "s3:requestobjecttagkeys": (tag,)}
    if value is not None:
        values[f"aws:requesttag/{folded}"] = (value,)
        values[f"s3:requestobjecttag/{folded}"] = (value,)
    return Known(values)


def _takes_away(tag: str) -> Known:
    return Known({"aws:tagkeys": (tag,)}, ("aws:requesttag/", "s3:requestobjecttag"))
