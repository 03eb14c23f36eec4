"""Who in the snapshot can set the tag that a condition asks for.

A condition on a tag is somebody's to satisfy. Where that somebody is the subject
itself, or someone on its path, the condition guards nothing.
"""

from collections.abc import Sequence
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
from answerable.reach.keys.keys import AssertedBy, Kind, key_class
from answerable.reach.keys.taggers import (
    Setters,
    Step,
    find_setters,
    on_principal,
    on_resource,
    wish,
)
from answerable.reach.paths.graph import Graph
from answerable.reach.questions import Reply
from answerable.reach.verdict.context import NOTHING

MOST_NAMED = 10
_MOST_IN_TEXT = 5
Item = TypeVar("Item", CanItem, ReachItem)


class Told(NamedTuple):
    """Who can satisfy one condition, in words and ids."""

    who: str
    set_by: tuple[IdentityId, ...] = ()
    itself: bool = False


class _About(NamedTuple):
    """What conditions speak of.

    Attributes:
        principal: Who makes the request.
        resource: What it acts on.
        whole: Whether that is all they speak of. Launching code under a role is
            several requests, of which only IAM's own keys speak of the role.
    """

    principal: str
    resource: str
    whole: bool


_Question = tuple[str, str, tuple[str, ...], bool]


@dataclass(eq=False, slots=True)
class Tagging:
    """Answers for one graph; what was worked out once is kept.

    Attributes:
        graph: The graph.
        most: Tags to work out; later ones keep their general words. Each asks every
            identity of the estate.
    """

    graph: Graph
    most: int = 16
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
            whole = hop["via"].startswith("sts:AssumeRole")
            about = _About(hop["from"], hop["to"], whole)
            self._tell(told, hop["conditions"], about, acting)
        acting.append(reply.actor)
        about = _About(reply.actor, item["resource"], whole=True)
        self._tell(told, item["conditions"], about, acting)
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
        about: _About,
        acting: Sequence[str],
    ) -> None:
        for alternative in conditions:
            for condition in alternative["all_of"]:
                question = _question(condition)
                if question not in told:
                    found = self._who(condition, about, acting)
                    if found:
                        told[question] = found

    def _who(
        self,
        condition: ConditionItem,
        about: _About,
        acting: Sequence[str],
    ) -> Told | None:
        kind = key_class(condition["key"]).kind
        actor = self.graph.estate.principals.get(IdentityId(about.principal))
        if kind is Kind.PRINCIPAL_TAG and actor:
            steps = on_principal(actor, wish(condition, actor.known))
        elif kind is Kind.RESOURCE_TAG and self._is_about(condition["key"], about):
            known = actor.known if actor else NOTHING
            wanted = wish(condition, known)
            steps = on_resource(condition["key"], about.resource, wanted)
        else:
            return None
        if not steps or (steps not in self._found and len(self._found) >= self.most):
            return None
        return _told(self.setters(steps), acting)

    def _is_about(self, key: str, about: _About) -> bool:
        """Tell whether a tag's key speaks of the one resource that is known."""
        if set("*?") & set(about.resource):
            return False
        identity = IdentityId(about.resource) in self.graph.estate.principals
        return about.whole or (identity and key.lower().startswith("iam:"))

    def setters(self, steps: tuple[Step, ...]) -> Setters:
        """Find who may take any one of some steps, by itself."""
        found = self._found.get(steps)
        if found is None:
            found = self._found[steps] = find_setters(self.graph.estate, steps)
        return found


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
