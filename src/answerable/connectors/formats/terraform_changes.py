"""Complete the states of a Terraform plan from its `resource_changes`.

Source: https://developer.hashicorp.com/terraform/internals/json-format. `planned_values`
and `prior_state` repeat the values of `resource_changes`. A plan that was cut or edited
may lack a resource in one of them; without this, the resource would not be compared.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

JsonObject = Mapping[str, object]
_DELETE = "delete"
_NO_CHANGE = frozenset({"no-op", "read"})


@dataclass(frozen=True, slots=True)
class ResourceState:
    """Known values of a resource in one state.

    Attributes:
        type: `aws_iam_role`.
    """

    type: str
    values: JsonObject


@dataclass(frozen=True, slots=True)
class ResourceChange:
    """Entry of `resource_changes` about a managed resource.

    Attributes:
        actions: `create`, `update`, `delete`, `no-op`, `forget`; both for a replacement.
        before: Values before; None if they are not stated.
        after: Known values afterwards; None if they are not stated.
        deferred: Whether the plan leaves the change to a later plan.
    """

    address: str
    type: str
    actions: frozenset[str]
    before: JsonObject | None
    after: JsonObject | None
    deferred: bool = False

    @property
    def is_change(self) -> bool:
        """Return whether something changes, or may change later."""
        return self.deferred or self.actions.isdisjoint(_NO_CHANGE)

    @property
    def ends(self) -> bool:
        """Return whether the resource is in no state afterwards."""
        return self.actions in ({_DELETE}, {"forget"})

    @property
    def starts(self) -> bool:
        """Return whether the resource is in no state before."""
        return self.actions == {"create"}


def list_resource_changes(plan: JsonObject) -> list[ResourceChange]:
    """List the changes of managed resources, and those that the plan defers."""
    deferred = (
        get_nested_object(each, "resource_change")
        for each in iterate_objects(plan, "deferred_changes")
    )
    return [
        *(_read_change(each) for each in _iterate_managed(plan)),
        *(_read_change(each, deferred=True) for each in deferred),
    ]


def _iterate_managed(plan: JsonObject) -> Iterator[JsonObject]:
    """Yield the entries of managed resources, without objects that were replaced."""
    for each in iterate_objects(plan, "resource_changes"):
        if each.get("mode", "managed") == "managed" and not each.get("deposed"):
            yield each


def _read_change(entry: JsonObject, *, deferred: bool = False) -> ResourceChange:
    """Read an entry."""
    change = get_nested_object(entry, "change")
    actions = change.get("actions")
    before, after = change.get("before"), change.get("after")
    return ResourceChange(
        str(entry.get("address", "")),
        str(entry.get("type", "")),
        frozenset(map(str, actions if isinstance(actions, list) else ())),
        before if isinstance(before, dict) else None,
        after if isinstance(after, dict) else None,
        deferred,
    )


def complete_states(
    before: Mapping[str, ResourceState],
    after: Mapping[str, ResourceState],
    changes: Sequence[ResourceChange],
) -> tuple[
    Mapping[str, ResourceState], Mapping[str, ResourceState], list[ResourceChange]
]:
    """Add the resources that only `resource_changes` states to both states.

    Returns:
        Both states by address, and the resources about which the parts of the plan
        contradict each other, or whose values no part states.
    """
    completed = dict(before), dict(after)
    missing = [each for each in changes if each.deferred]
    listed = {each.address: each for each in changes if not each.deferred}
    for address, each in listed.items():
        stated = (each.before, each.after)
        absent = (each.starts, each.ends)
        for state, values, gone in zip(completed, stated, absent, strict=True):
            known = state.get(address)
            if gone:
                contradicts = known is not None
            elif known is None and values is not None:
                state[address] = ResourceState(each.type, values)
                contradicts = False
            else:
                contradicts = known is None or _differ(known.values, values)
            if contradicts:
                missing.append(each)
    for address in sorted({*before, *after} - {*listed}):
        was, will = before.get(address), after.get(address)
        kept = will if will is not None else was
        if was != will and kept is not None:
            # A plan with `-target` has no entry of other resources; they stay as they are.
            completed[1][address] = kept
            missing.append(ResourceChange(address, kept.type, frozenset(), None, None))
    return (*completed, missing)


def _differ(values: JsonObject, stated: JsonObject | None) -> bool:
    """Return whether two statements of the same values differ; null is not stated."""
    if stated is None:
        return False
    names = {*values, *stated}
    return any(values.get(name) != stated.get(name) for name in names)


def get_nested_object(holder: object, *names: str) -> JsonObject:
    """Return a nested object; an empty one if there is none."""
    for name in names:
        holder = holder.get(name) if isinstance(holder, dict) else None
    return cast("JsonObject", holder) if isinstance(holder, dict) else {}


def iterate_objects(holder: JsonObject, name: str) -> Iterator[JsonObject]:
    """Yield the objects of a list."""
    value = holder.get(name)
    for each in value if isinstance(value, list) else ():
        if isinstance(each, dict):
            yield each
