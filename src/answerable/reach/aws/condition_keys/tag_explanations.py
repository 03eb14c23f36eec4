"""Explain open tag conditions: name the identities that may set the tag.

A tag condition guards nothing if the subject itself, or an identity on its path, may
set the tag.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from answerable.model.documents.shared_shapes import (
    ConditionItem,
    ConditionSetItem,
    PathItem,
    PermissionCheckItem,
    ReachItem,
)
from answerable.model.ids import IdentityId
from answerable.reach.aws.answer_items import build_conditions
from answerable.reach.aws.compiled.principal_element import get_arn_account
from answerable.reach.aws.condition_keys.key_classification import (
    AssertedBy,
    KeyKind,
    classify_condition_key,
)
from answerable.reach.aws.condition_keys.tag_setters import (
    TaggingStep,
    TagSetters,
    derive_satisfying_tag_values,
    find_tag_setters,
    list_principal_tagging_steps,
    list_resource_tagging_steps,
)
from answerable.reach.aws.evaluation.context_keys import NO_KEYS
from answerable.reach.aws.paths.identity_graph import IdentityGraph
from answerable.reach.aws.subject_queries import ReachAnswer

MAX_LISTED_SETTERS = 10
_MAX_IN_TEXT = 5
Item = TypeVar("Item", PermissionCheckItem, ReachItem)


class ConditionSetters(NamedTuple):
    """Identities that can satisfy one condition, as text and ids."""

    who: str
    set_by: tuple[IdentityId, ...] = ()
    itself: bool = False


class _ConditionSubject(NamedTuple):
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

    def find_tagged_resource(self, key: str) -> str:
        """Return the single resource that a tag key is about, else an empty text."""
        if key.lower().startswith("iam:"):
            return self.resource
        if self.inside:
            return self.inside if self.whole else ""
        return self.resource if self.whole else ""


def _get_condition_subject(hop: PathItem) -> _ConditionSubject:
    """Return the principal and resources that a hop's conditions are about."""
    calls, _, inside = hop["via"].partition(" on ")
    listed = calls.split(" + ")
    of_identity = [call.startswith(("iam:", "sts:AssumeRole")) for call in listed]
    whole = not any(of_identity) if inside else all(of_identity)
    return _ConditionSubject(hop["from"], hop["to"], inside, whole)


_ConditionKey = tuple[str, str, tuple[str, ...], bool]


@dataclass(eq=False, slots=True)
class TagExplainer:
    """Explainer of tag conditions for one graph, with a cache.

    Attributes:
        most: Most tags to evaluate; later ones keep their general text. Each evaluates
            every identity.
    """

    graph: IdentityGraph
    most: int = 16
    _found: dict[tuple[TaggingStep, ...], TagSetters] = field(default_factory=dict)

    def add_tag_setters_to_answer(self, answer: ReachAnswer, item: Item) -> Item:
        """Add to each open tag condition the identities that may set the tag.

        Args:
            answer: The answer of the item.
            item: An item of `can`, `reach` or `who-can`.
        """
        if not item["conditions"]:
            return item
        told = self.find_tag_setters_by_condition(answer, item)
        item["conditions"] = _add_tag_setters_to_alternatives(item["conditions"], told)
        because = explain_self_satisfiable_conditions(item["conditions"], told)
        item["unguarded"] = bool(because)
        if because:
            item["unguarded_because"] = because
        return item

    def find_tag_setters_by_condition(
        self, answer: ReachAnswer, item: ReachItem | PermissionCheckItem
    ) -> dict[_ConditionKey, ConditionSetters]:
        """Find the setters of each tag, hop by hop; hops of the item are updated.

        A condition is about the resource of its own hop, and must be satisfied by an
        identity before that hop. A condition of several hops is as guarded as the best
        guarded of them.
        """
        found: dict[_ConditionKey, list[ConditionSetters | None]] = defaultdict(list)
        acting: list[str] = [answer.subject]
        hops = []
        for hop in item["path"]:
            acting.append(hop["from"])
            mine = self._find_tag_setters_of_hop(
                hop["conditions"], _get_condition_subject(hop), acting
            )
            for question, told in mine.items():
                found[question].append(told)
            known = {q: told for q, told in mine.items() if told}
            hops.append(_add_tag_setters_to_hop(hop, known))
        item["path"] = hops
        acting.append(answer.actor)
        own = (
            build_conditions(answer.own)
            if answer.own is not None
            else item["conditions"]
        )
        last = self._find_tag_setters_of_hop(
            own, _ConditionSubject(answer.actor, item["resource"]), acting
        )
        for question, told in last.items():
            if answer.own is not None or question not in found:
                found[question].append(told)
        return {
            question: min(listed, key=lambda told: told.itself)
            for question, each in found.items()
            if len(listed := [told for told in each if told]) == len(each)
        }

    def can_subject_set_needed_tags(self, answer: ReachAnswer, item: ReachItem) -> bool:
        """Return whether subject or identities on its path may set all needed tags."""
        told = self.find_tag_setters_by_condition(answer, item)
        for alternative in item["conditions"]:
            tags = [c for c in alternative["all_of"] if _is_tag_condition_key(c["key"])]
            settled = [told.get(_get_condition_lookup_key(c)) for c in tags]
            if tags and all(one and one.itself for one in settled):
                return True
        return False

    def _find_tag_setters_of_hop(
        self,
        conditions: Sequence[ConditionSetItem],
        subject: _ConditionSubject,
        path_identities: Sequence[str],
    ) -> dict[_ConditionKey, ConditionSetters | None]:
        """Find who can set the tags that the conditions of a path step test."""
        return {
            _get_condition_lookup_key(condition): self._find_tag_setters_of_condition(
                condition, subject, path_identities
            )
            for alternative in conditions
            for condition in alternative["all_of"]
        }

    def _find_tag_setters_of_condition(
        self,
        condition: ConditionItem,
        subject: _ConditionSubject,
        path_identities: Sequence[str],
    ) -> ConditionSetters | None:
        """Find who can set the tag of a condition; None if it tests no tag."""
        kind = classify_condition_key(condition["key"]).kind
        actor = self.graph.accounts.principals.get(IdentityId(subject.principal))
        if kind is KeyKind.PRINCIPAL_TAG and actor:
            steps = list_principal_tagging_steps(
                actor, derive_satisfying_tag_values(condition, actor.known)
            )
        elif kind is KeyKind.RESOURCE_TAG and _is_single_resource(
            subject.find_tagged_resource(condition["key"])
        ):
            known = actor.known if actor else NO_KEYS
            wanted = derive_satisfying_tag_values(condition, known)
            steps = list_resource_tagging_steps(
                condition["key"], subject.find_tagged_resource(condition["key"]), wanted
            )
        else:
            return None
        if not steps or (steps not in self._found and len(self._found) >= self.most):
            return None
        return _describe_tag_setters(self.get_tag_setters(steps), path_identities)

    def get_tag_setters(self, steps: tuple[TaggingStep, ...]) -> TagSetters:
        """Return the identities that may take any of some tagging steps; cached."""
        found = self._found.get(steps)
        if found is None:
            found = self._found[steps] = find_tag_setters(self.graph.accounts, steps)
        return found


def _is_single_resource(resource: str) -> bool:
    """Return whether a text is a single resource, not a pattern or empty."""
    return bool(resource) and not set("*?") & set(resource)


def _is_tag_condition_key(key: str) -> bool:
    """Return whether a condition key holds a tag of a principal or a resource."""
    return classify_condition_key(key).kind in (
        KeyKind.PRINCIPAL_TAG,
        KeyKind.RESOURCE_TAG,
    )


def _describe_tag_setters(
    setters: TagSetters, path_identities: Sequence[str]
) -> ConditionSetters:
    """Describe the setters; the subject and identities on its path come first."""
    mine = [i for i in dict.fromkeys(path_identities) if i in setters.sure]
    listed = (*mine, *(i for i in (*setters.sure, *setters.maybe) if i not in mine))
    set_by = tuple(IdentityId(i) for i in listed[:MAX_LISTED_SETTERS])
    if mine:
        first = IdentityId(mine[0])
        who = (
            "itself"
            if first == path_identities[0]
            else f"{_get_identity_short_name(first)} on its path"
        )
        text = f"{who}: it may call {setters.calls[first]} on the {setters.what}"
        return ConditionSetters(text, set_by, itself=True)
    return ConditionSetters(_describe_tag_setters_off_path(setters), set_by)


def _describe_tag_setters_off_path(setters: TagSetters) -> str:
    """Describe setters off the path: their number, and some names."""
    parts = []
    if setters.sure:
        parts.append(
            f"{_format_identity_count(setters.sure)} may tag it: {_list_short_identity_names(setters.sure)}"
        )
    if setters.maybe:
        more = "more " if setters.sure else ""
        parts.append(
            f"{_format_identity_count(setters.maybe, more)} may tag it under conditions: "
            f"{_list_short_identity_names(setters.maybe)}"
        )
    if parts:
        return "; ".join(parts)
    if setters.root:
        return "only a root user in the snapshot may tag it"
    return "no identity in the snapshot may tag it"


def _format_identity_count(
    identities: Sequence[IdentityId], qualifier: str = ""
) -> str:
    """Format a number of identities as text."""
    noun_ = "identity" if len(identities) == 1 else "identities"
    return f"{len(identities)} {qualifier}{noun_}"


def _list_short_identity_names(identities: Sequence[IdentityId]) -> str:
    """List short names; ambiguous ones carry their account."""
    shared = Counter(map(_get_identity_short_name, identities))
    names = ", ".join(
        _get_identity_short_name(i)
        if shared[_get_identity_short_name(i)] == 1
        else f"{_get_identity_short_name(i)} ({get_arn_account(i)})"
        for i in identities[:_MAX_IN_TEXT]
    )
    rest = len(identities) - _MAX_IN_TEXT
    return f"{names} and {rest} more" if rest > 0 else names


def _get_identity_short_name(identity: IdentityId) -> str:
    """Return the last part of an identity's ARN."""
    return identity.rpartition("/")[2]


def explain_self_satisfiable_conditions(
    conditions: Sequence[ConditionSetItem],
    setters: dict[_ConditionKey, ConditionSetters] | None = None,
) -> str:
    """Explain why the caller can satisfy all conditions itself; empty if not.

    They do not if every condition of some alternative is the caller's claim, or can be
    satisfied by the subject or an identity on its path.
    """
    known = setters or {}
    for alternative in conditions:
        reasons = [
            _explain_open_condition(c, known.get(_get_condition_lookup_key(c)))
            for c in alternative["all_of"]
        ]
        if reasons and all(reasons):
            return "; ".join(dict.fromkeys(reasons))
    return ""


def _explain_open_condition(
    condition: ConditionItem, setters: ConditionSetters | None
) -> str:
    """Explain how the caller satisfies a condition; empty if it cannot."""
    if setters and setters.itself:
        return f"{condition['key']}: {setters.who}"
    if condition["asserted_by"] == AssertedBy.CALLER.value:
        return f"{condition['key']}: {condition.get('who', '')}"
    return ""


def _get_condition_lookup_key(condition: ConditionItem) -> _ConditionKey:
    """Return key, operator and values of a condition, to look it up by."""
    values = tuple(condition["values"])
    return condition["key"], condition["operator"], values, condition["negated"]


def _add_tag_setters_to_hop(
    hop: PathItem, setters: dict[_ConditionKey, ConditionSetters]
) -> PathItem:
    """Add to each condition of a path step the identities that can set its tag."""
    hop["conditions"] = _add_tag_setters_to_alternatives(hop["conditions"], setters)
    return hop


def _add_tag_setters_to_alternatives(
    conditions: Sequence[ConditionSetItem],
    setters: dict[_ConditionKey, ConditionSetters],
) -> list[ConditionSetItem]:
    """Add, to conditions of alternatives, the identities that can set their tags."""
    return [
        {
            "all_of": [
                _add_tag_setters_to_condition(
                    c, setters.get(_get_condition_lookup_key(c))
                )
                for c in one["all_of"]
            ]
        }
        for one in conditions
    ]


def _add_tag_setters_to_condition(
    condition: ConditionItem, setters: ConditionSetters | None
) -> ConditionItem:
    """Add to a tag condition the identities that can set its tag."""
    if setters is None:
        return condition
    return {**condition, "who": setters.who, "set_by": list(setters.set_by)}
