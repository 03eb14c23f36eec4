"""Group AWS statements without a change of meaning, and write them as JSON.

Two groupings are lossless: actions with equal resources, and resources with equal
actions. The second is written if it is much shorter. Wildcards are never introduced.
"""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from answerable.model.policy import ConditionClause, PolicyEffect, Statement

_VERSION = "2012-10-17"
_MIN_GAIN = 0.7  # share of the size from which resources are grouped by actions
_Scope = tuple[tuple[ConditionClause, ...], bool]  # conditions, and whether NotResource
_NO_SCOPE: _Scope = ((), False)


@dataclass(frozen=True, slots=True, order=True)
class _Grant:
    """Grant of one action on one resource pattern, or on all but some."""

    action: str
    resources: tuple[str, ...]


def build_allow_statement(
    actions: Iterable[str],
    resources: Iterable[str],
    conditions: tuple[ConditionClause, ...] = (),
    not_resources: Iterable[str] = (),
) -> Statement:
    """Build a statement that allows actions on resources."""
    return Statement(
        sid="",
        effect=PolicyEffect.ALLOW,
        actions=tuple(actions),
        not_actions=(),
        resources=tuple(resources),
        not_resources=tuple(not_resources),
        principals=(),
        not_principals=(),
        conditions=conditions,
    )


def group_statements(statements: Iterable[Statement]) -> list[Statement]:
    """Group statements to the fewest characters, in a fixed order.

    Statements that deny come last and keep their content, except repeated ones.
    """
    grants: dict[_Scope, set[_Grant]] = defaultdict(set)
    denies: dict[str, Statement] = {}
    for each in statements:
        if each.effect is PolicyEffect.DENY:
            plain = replace(each, sid="")
            denies[encode_statements([plain])] = plain
            continue
        kept = _sort_conditions(each.conditions)
        for action in each.actions:
            if each.not_resources:
                grant = _Grant(action, tuple(sorted(set(each.not_resources))))
                grants[kept, True].add(grant)
            for resource in each.resources:
                grants[kept, False].add(_Grant(action, (resource,)))
    found: list[Statement] = []
    for scope in sorted(grants, key=lambda each: (each != _NO_SCOPE, repr(each))):
        if scope[1]:
            found += _group_exclusions(grants[scope], scope[0])
        else:
            found += _group_grants(_drop_covered(grants[scope]), scope[0])
    return [*found, *(denies[text] for text in sorted(denies))]


def _sort_conditions(
    conditions: Sequence[ConditionClause],
) -> tuple[ConditionClause, ...]:
    """Sort conditions and their values, whose order has no meaning."""
    kept = (replace(c, values=tuple(sorted(set(c.values)))) for c in conditions)
    return tuple(sorted(kept, key=lambda c: (c.operator, c.key, c.values)))


def _drop_covered(grants: Collection[_Grant]) -> Iterator[_Grant]:
    """Drop grants that another one of the same action covers by a prefix."""
    by_action: dict[str, dict[str, _Grant]] = defaultdict(dict)
    for grant in sorted(grants):
        if len(grant.resources) == 1:
            by_action[grant.action.lower()][grant.resources[0]] = grant
        else:
            yield grant
    for found in by_action.values():
        prefixes = tuple(
            text[:-1] for text in found if text.endswith("*") and not _is_open(text)
        )
        for text, grant in found.items():
            if not any(text.startswith(one) and text != f"{one}*" for one in prefixes):
                yield grant


def _is_open(text: str) -> bool:
    """Return whether a pattern has wildcards or variables before its last character."""
    return any(mark in text[:-1] for mark in "*?$")


def _group_exclusions(
    grants: Iterable[_Grant], conditions: tuple[ConditionClause, ...]
) -> list[Statement]:
    """Group grants on all but some resources: only those with the same exclusions.

    Two exclusions allow what either allows; one statement with both would allow less.
    """
    actions: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for grant in grants:
        actions[grant.resources].add(grant.action)
    return [
        build_allow_statement(sorted(names), (), conditions, resources)
        for resources, names in sorted(actions.items())
    ]


def _group_grants(
    grants: Iterable[_Grant], conditions: tuple[ConditionClause, ...]
) -> list[Statement]:
    """Group grants with equal conditions by resources or by actions, whichever is shorter."""
    listed = list(grants)
    by_action = [
        build_allow_statement(actions, resources, conditions)
        for resources, actions in _join_equal_grants(listed, by_resource=False)
    ]
    by_resource = [
        build_allow_statement(actions, resources, conditions)
        for actions, resources in _join_equal_grants(listed, by_resource=True)
    ]
    # A linter wants all resources of an action in one statement.
    sizes = [len(encode_statements(each)) for each in (by_action, by_resource)]
    return by_resource if sizes[1] < _MIN_GAIN * sizes[0] else by_action


def _join_equal_grants(
    grants: Sequence[_Grant], *, by_resource: bool
) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Join grants with equal resources, or with equal actions.

    Returns:
        Sorted pairs: the equal part and the joined one.
    """
    parts: dict[str, set[str]] = defaultdict(set)
    spelled: dict[str, str] = {}
    for grant in grants:
        action = spelled.setdefault(grant.action.lower(), grant.action)
        for resource in grant.resources:
            if by_resource:
                parts[resource].add(action)
            else:
                parts[action].add(resource)
    joined: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for name, members in parts.items():
        joined[tuple(sorted(members))].add(name)
    return sorted((equal, tuple(sorted(names))) for equal, names in joined.items())


def encode_statements(statements: Iterable[Statement]) -> str:
    """Write statements as the JSON of a policy, without white space."""
    return json.dumps(
        _build_policy(statements), separators=(",", ":"), ensure_ascii=False
    )


def format_statements(statements: Iterable[Statement]) -> str:
    """Write statements as the JSON of a policy, indented, with a final line break."""
    return json.dumps(_build_policy(statements), indent=2, ensure_ascii=False) + "\n"


def _build_policy(statements: Iterable[Statement]) -> dict[str, object]:
    """Build a policy document."""
    return {"Version": _VERSION, "Statement": [_build_statement(s) for s in statements]}


def _build_statement(statement: Statement) -> dict[str, object]:
    """Build the JSON of a statement; one value is written without a list."""
    parts: Mapping[str, Sequence[str]] = {
        "Action": statement.actions,
        "NotAction": statement.not_actions,
        "Resource": statement.resources,
        "NotResource": statement.not_resources,
    }
    built: dict[str, object] = {"Effect": statement.effect.value.capitalize()}
    for name, values in parts.items():
        if values:
            built[name] = values[0] if len(values) == 1 else list(values)
    conditions: dict[str, dict[str, object]] = {}
    for each in statement.conditions:
        values = each.values
        written = values[0] if len(values) == 1 else list(values)
        conditions.setdefault(each.operator, {})[each.key] = written
    if conditions:
        built["Condition"] = conditions
    return built
