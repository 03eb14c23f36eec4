"""Who in the snapshot can set the tag that a condition asks for.

A condition on a tag is somebody's to satisfy. Where that somebody is the subject
itself, or someone on its path, the condition guards nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from answerable.model.document import (
    AlternativeItem,
    CanItem,
    ConditionItem,
    PathItem,
    ReachItem,
)
from answerable.model.ids import IdentityId
from answerable.model.policy import ConditionClause
from answerable.reach.conditions import clause_holds
from answerable.reach.context import Known, flat, resolve
from answerable.reach.estate import Estate
from answerable.reach.formula import FALSE, Formula, Verdict, both, either, verdict
from answerable.reach.globs import ANY, STAR, outward
from answerable.reach.graph import Graph
from answerable.reach.judge import judged_plainly
from answerable.reach.keys import AssertedBy, Kind, key_class
from answerable.reach.principals import Principal, is_role, is_root
from answerable.reach.questions import Reply, abroad
from answerable.reach.tagging_actions import noun, tagging_calls, untagging_call

MOST_NAMED = 10
_MOST_VALUES = 4
_ANY_OTHER = "any other value"
_MOST_IN_TEXT = 5
Item = TypeVar("Item", CanItem, ReachItem)


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


class Told(NamedTuple):
    """Who can satisfy one condition, in words and ids."""

    who: str
    set_by: tuple[IdentityId, ...] = ()
    itself: bool = False


_Question = tuple[str, str, tuple[str, ...], bool]


@dataclass(eq=False, slots=True)
class Tagging:
    """Answers for one graph; what was worked out once is kept."""

    graph: Graph
    _found: dict[tuple[Step, ...], Setters] = field(default_factory=dict)

    def explained(self, reply: Reply, item: Item) -> Item:
        """Say of each open condition on a tag who may set it.

        Args:
            reply: The reply the item was made of.
            item: An item of `can`, `reach` or `who-can`.
        """
        if not item["conditions"]:
            return item
        told: dict[_Question, Told] = {}
        acting = [reply.subject]
        for hop in item["path"]:
            acting.append(hop["from"])
            resource = hop["to"] if hop["via"].startswith("sts:AssumeRole") else ""
            self._tell(told, hop["conditions"], hop["from"], resource, acting)
        acting.append(reply.actor)
        self._tell(told, item["conditions"], reply.actor, item["resource"], acting)
        item["path"] = [_hop(hop, told) for hop in item["path"]]
        item["conditions"] = _alternatives(item["conditions"], told)
        because = unguarded(item["conditions"], told)
        item["unguarded"] = bool(because)
        if because:
            item["unguarded_because"] = because
        return item

    def _tell(
        self,
        told: dict[_Question, Told],
        conditions: Sequence[AlternativeItem],
        principal: str,
        resource: str,
        acting: Sequence[str],
    ) -> None:
        for alternative in conditions:
            for condition in alternative["all_of"]:
                question = _question(condition)
                if question not in told:
                    found = self._who(condition, principal, resource, acting)
                    if found:
                        told[question] = found

    def _who(
        self,
        condition: ConditionItem,
        principal: str,
        resource: str,
        acting: Sequence[str],
    ) -> Told | None:
        kind = key_class(condition["key"]).kind
        actor = self.graph.estate.principals.get(IdentityId(principal))
        if kind is Kind.PRINCIPAL_TAG and actor:
            steps = _on_principal(actor, wish(condition, actor.known))
        elif kind is Kind.RESOURCE_TAG and resource and not set("*?") & set(resource):
            known = actor.known if actor else Known({})
            steps = _on_resource(condition["key"], resource, wish(condition, known))
        else:
            return None
        return _told(self.setters(steps), acting) if steps else None

    def setters(self, steps: tuple[Step, ...]) -> Setters:
        """Find who may take any one of some steps, by itself."""
        found = self._found.get(steps)
        if found is None:
            found = self._found[steps] = _setters(self.graph.estate, steps)
        return found


def _on_resource(key: str, resource: str, wanted: Wish) -> tuple[Step, ...]:
    holder, calls = tagging_calls(key, resource)
    return _steps(calls, holder, wanted)


def _on_principal(principal: Principal, wanted: Wish) -> tuple[Step, ...]:
    """Tag the identity itself; of a role also its session, which hides the role's."""
    steps = _on_resource("aws:ResourceTag/", principal.id, wanted)
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
    if holds(_ANY_OTHER) is not False:
        return Wish(tag, (None,), absent)
    some = values[:_MOST_VALUES]
    tried = dict.fromkeys(_value(v, known, wild=w) for v in some for w in (False, True))
    return Wish(tag, tuple(value for value in tried if holds(value)), absent)


def _value(written: str, known: Known, *, wild: bool) -> str:
    """Pick a value that a written one may match."""
    pattern = flat(resolve(written, known, wild=wild).pattern)
    return outward(pattern.replace(STAR, "").replace(ANY, "a"))


def _setters(estate: Estate, steps: tuple[Step, ...]) -> Setters:
    sure: list[IdentityId] = []
    maybe: list[IdentityId] = []
    calls: dict[IdentityId, str] = {}
    root = False
    for principal in estate.principals.values():
        held, call = _best(estate, principal, steps)
        if held is Verdict.NEVER:
            continue
        if is_root(principal.identity):
            root = True
            continue
        calls[principal.id] = call
        (sure if held is Verdict.ALWAYS else maybe).append(principal.id)
    return Setters(tuple(sure), tuple(maybe), calls, noun(steps[0].resource), root)


def _best(
    estate: Estate, principal: Principal, steps: tuple[Step, ...]
) -> tuple[Verdict, str]:
    best, by = Verdict.NEVER, ""
    for step in steps:
        held = verdict(_may(estate, principal, step))
        if held is Verdict.ALWAYS:
            return held, " and ".join(step.calls)
        if held is Verdict.ONLY_IF and best is Verdict.NEVER:
            best, by = held, " and ".join(step.calls)
    return best, by


def _may(estate: Estate, principal: Principal, step: Step) -> Formula:
    """Say when a principal may make the calls of a step, for any value that will do."""
    carried = [_carried(step.wish.tag, value) for value in step.wish.values]
    if not carried:
        carried = [_carried(step.wish.tag, None)]
    return either(
        *(
            both(*(_asked(estate, principal, c, step.resource, k) for c in step.calls))
            for k in carried
        )
    )


def _asked(
    estate: Estate, principal: Principal, call: str, resource: str, carried: Known
) -> Formula:
    if not estate.possible(call, resource) or abroad(principal, call, resource):
        return FALSE
    return judged_plainly(estate, principal, estate.hop(call, resource, carried))


def _carried(tag: str, value: str | None) -> Known:
    """Say what a tagging call carries; the caller may add other tags to it."""
    folded = tag.lower()
    values = {"aws:tagkeys": (tag,), "s3:requestobjecttagkeys": (tag,)}
    if value is not None:
        values[f"aws:requesttag/{folded}"] = (value,)
        values[f"s3:requestobjecttag/{folded}"] = (value,)
    return Known(values)


def _told(found: Setters, acting: Sequence[str]) -> Told:
    """Put into words who may; the subject and those on its path come first."""
    mine = [i for i in dict.fromkeys(acting) if i in found.sure]
    listed = (*mine, *(i for i in (*found.sure, *found.maybe) if i not in mine))
    set_by = tuple(IdentityId(i) for i in listed[:MOST_NAMED])
    if mine:
        first = IdentityId(mine[0])
        who = "itself" if first == acting[0] else f"{_short(first)} on its path"
        text = f"{who}: it may call {found.calls[first]} on the {found.what}"
        return Told(text, set_by, itself=True)
    return Told(_others(found), set_by)


def _others(found: Setters) -> str:
    parts = []
    if found.sure:
        parts.append(f"{_counted(found.sure)} may tag it: {_named(found.sure)}")
    if found.maybe:
        more = "more " if found.sure else ""
        parts.append(
            f"{_counted(found.maybe, more)} may tag it under conditions: "
            f"{_named(found.maybe)}"
        )
    if parts:
        return "; ".join(parts)
    if found.root:
        return "nobody in the snapshot but a root user may tag it"
    return "nobody in the snapshot may tag it"


def _counted(found: Sequence[IdentityId], more: str = "") -> str:
    noun_ = "identity" if len(found) == 1 else "identities"
    return f"{len(found)} {more}{noun_}"


def _named(found: Sequence[IdentityId]) -> str:
    names = ", ".join(_short(i) for i in found[:_MOST_IN_TEXT])
    rest = len(found) - _MOST_IN_TEXT
    return f"{names} and {rest} more" if rest > 0 else names


def _short(identity: IdentityId) -> str:
    return identity.rpartition("/")[2]


def unguarded(
    conditions: Sequence[AlternativeItem], told: dict[_Question, Told] | None = None
) -> str:
    """Say why open conditions guard nothing; empty where they do.

    They do not when one alternative has nothing but what the caller says of itself and
    what the subject, or someone on its path, can bring about.
    """
    known = told or {}
    for alternative in conditions:
        reasons = [_open_to(c, known.get(_question(c))) for c in alternative["all_of"]]
        if reasons and all(reasons):
            return "; ".join(dict.fromkeys(reasons))
    return ""


def _open_to(condition: ConditionItem, found: Told | None) -> str:
    if found and found.itself:
        return f"{condition['key']}: {found.who}"
    if condition["asserted_by"] == AssertedBy.CALLER.value:
        return f"{condition['key']}: {condition.get('who', '')}"
    return ""


def _question(condition: ConditionItem) -> _Question:
    values = tuple(condition["values"])
    return condition["key"], condition["operator"], values, condition["negated"]


def _hop(hop: PathItem, told: dict[_Question, Told]) -> PathItem:
    hop["conditions"] = _alternatives(hop["conditions"], told)
    return hop


def _alternatives(
    conditions: Sequence[AlternativeItem], told: dict[_Question, Told]
) -> list[AlternativeItem]:
    return [
        {"all_of": [_condition(c, told.get(_question(c))) for c in one["all_of"]]}
        for one in conditions
    ]


def _condition(condition: ConditionItem, found: Told | None) -> ConditionItem:
    if found is None:
        return condition
    return {**condition, "who": found.who, "set_by": list(found.set_by)}
