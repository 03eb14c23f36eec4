"""Explanation of open tag conditions: the identities that may set the tag.

A tag condition guards nothing if the subject itself, or an identity on its path, may
set the tag.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from answerable.model.documents.core import (
    AlternativeItem,
    CanItem,
    ConditionItem,
    PathItem,
    ReachItem,
)
from answerable.model.ids import IdentityId
from answerable.reach.answer_documents import conditions
from answerable.reach.aws.compiled.principal_element import owner_in
from answerable.reach.aws.condition_keys.classification import (
    AssertedBy,
    Kind,
    key_class,
)
from answerable.reach.aws.condition_keys.tag_setters import (
    Setters,
    Step,
    find_setters,
    on_principal,
    on_resource,
    wish,
)
from answerable.reach.aws.evaluation.context_keys import NOTHING
from answerable.reach.aws.paths.identity_graph import Graph
from answerable.reach.queries import Reply

MOST_NAMED = 10
_MOST_IN_TEXT = 5
Item = TypeVar("Item", CanItem, ReachItem)


class Told(NamedTuple):
    """Identities that can satisfy one condition, as text and ids."""

    who: str
    set_by: tuple[IdentityId, ...] = ()
    itself: bool = False


class _About(NamedTuple):
    """Principal and resources that the conditions of a hop are about.

    Attributes:
        principal: Caller of the request.
        resource: Resource of the request.
        inside: Further resource of the same hop: code that runs as the identity; empty
            for none. IAM keys are about the identity alone.
        whole: Whether no other resource takes part. A launch under a role is several
            requests, of which only IAM keys are about the role.
    """

    principal: str
    resource: str
    inside: str = ""
    whole: bool = True

    def named(self, key: str) -> str:
        """Return the single resource that a tag key is about, else an empty text."""
        if key.lower().startswith("iam:"):
            return self.resource
        if self.inside:
            return self.inside if self.whole else ""
        return self.resource if self.whole else ""


def _hop_about(hop: PathItem) -> _About:
    """Return the principal and resources of a hop."""
    calls, _, inside = hop["via"].partition(" on ")
    listed = calls.split(" + ")
    of_identity = [call.startswith(("iam:", "sts:AssumeRole")) for call in listed]
    whole = not any(of_identity) if inside else all(of_identity)
    return _About(hop["from"], hop["to"], inside, whole)


_Question = tuple[str, str, tuple[str, ...], bool]


@dataclass(eq=False, slots=True)
class Tagging:
    """Explainer of tag conditions for one graph, with a cache.

    Attributes:
        most: Most tags to evaluate; later ones keep their general text. Each evaluates
            every identity.
    """

    graph: Graph
    most: int = 16
    _found: dict[tuple[Step, ...], Setters] = field(default_factory=dict)

    def explained(self, reply: Reply, item: Item) -> Item:
        """Add the identities that may set the tag to each open tag condition of an item.

        Args:
            reply: The answer of the item.
            item: An item of `can`, `reach` or `who-can`.
        """
        if not item["conditions"]:
            return item
        told = self.told(reply, item)
        item["conditions"] = _alternatives(item["conditions"], told)
        because = unguarded(item["conditions"], told)
        item["unguarded"] = bool(because)
        if because:
            item["unguarded_because"] = because
        return item

    def told(self, reply: Reply, item: ReachItem | CanItem) -> dict[_Question, Told]:
        """Find the setters of each tag, hop by hop; hops of the item are updated.

        A condition is about the resource of its own hop, and must be satisfied by an
        identity before that hop. A condition of several hops is as guarded as the best
        guarded of them.
        """
        found: dict[_Question, list[Told | None]] = defaultdict(list)
        acting: list[str] = [reply.subject]
        hops = []
        for hop in item["path"]:
            acting.append(hop["from"])
            mine = self._about(hop["conditions"], _hop_about(hop), acting)
            for question, told in mine.items():
                found[question].append(told)
            known = {q: told for q, told in mine.items() if told}
            hops.append(_hop(hop, known))
        item["path"] = hops
        acting.append(reply.actor)
        own = conditions(reply.own) if reply.own is not None else item["conditions"]
        last = self._about(own, _About(reply.actor, item["resource"]), acting)
        for question, told in last.items():
            if reply.own is not None or question not in found:
                found[question].append(told)
        return {
            question: min(listed, key=lambda told: told.itself)
            for question, each in found.items()
            if len(listed := [told for told in each if told]) == len(each)
        }

    def is_settled(self, reply: Reply, item: ReachItem) -> bool:
        """Tell whether subject or identities on its path may set all needed tags."""
        told = self.told(reply, item)
        for alternative in item["conditions"]:
            tags = [c for c in alternative["all_of"] if _is_tag(c["key"])]
            settled = [told.get(_question(c)) for c in tags]
            if tags and all(one and one.itself for one in settled):
                return True
        return False

    def _about(
        self,
        conditions: Sequence[AlternativeItem],
        about: _About,
        acting: Sequence[str],
    ) -> dict[_Question, Told | None]:
        return {
            _question(condition): self._who(condition, about, acting)
            for alternative in conditions
            for condition in alternative["all_of"]
        }

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
        elif kind is Kind.RESOURCE_TAG and _is_one(about.named(condition["key"])):
            known = actor.known if actor else NOTHING
            wanted = wish(condition, known)
            steps = on_resource(condition["key"], about.named(condition["key"]), wanted)
        else:
            return None
        if not steps or (steps not in self._found and len(self._found) >= self.most):
            return None
        return _told(self.setters(steps), acting)

    def setters(self, steps: tuple[Step, ...]) -> Setters:
        """Find who may take any one of some steps, by itself."""
        found = self._found.get(steps)
        if found is None:
            found = self._found[steps] = find_setters(self.graph.estate, steps)
        return found


def _is_one(resource: str) -> bool:
    """Tell whether a text is a single resource, not a pattern or empty."""
    return bool(resource) and not set("*?") & set(resource)


def _is_tag(key: str) -> bool:
    return key_class(key).kind in (Kind.PRINCIPAL_TAG, Kind.RESOURCE_TAG)


def _told(found: Setters, acting: Sequence[str]) -> Told:
    """Describe the setters; the subject and identities on its path come first."""
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
        return "only a root user in the snapshot may tag it"
    return "no identity in the snapshot may tag it"


def _counted(found: Sequence[IdentityId], more: str = "") -> str:
    noun_ = "identity" if len(found) == 1 else "identities"
    return f"{len(found)} {more}{noun_}"


def _named(found: Sequence[IdentityId]) -> str:
    """List short names; ambiguous ones carry their account."""
    shared = Counter(map(_short, found))
    names = ", ".join(
        _short(i) if shared[_short(i)] == 1 else f"{_short(i)} ({owner_in(i)})"
        for i in found[:_MOST_IN_TEXT]
    )
    rest = len(found) - _MOST_IN_TEXT
    return f"{names} and {rest} more" if rest > 0 else names


def _short(identity: IdentityId) -> str:
    return identity.rpartition("/")[2]


def unguarded(
    conditions: Sequence[AlternativeItem], told: dict[_Question, Told] | None = None
) -> str:
    """Explain why open conditions guard nothing; empty where they do.

    They do not if every condition of some alternative is the caller's claim, or can be
    satisfied by the subject or an identity on its path.
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
