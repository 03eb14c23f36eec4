"""Find the identities and resources whose statements an edit changed."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from operator import is_, is_not
from typing import TypeVar

from answerable.model.ids import IdentityId
from answerable.model.policy import ConditionClause, PolicyLayer
from answerable.reach.aws.compiled.accounts import CompiledAccounts
from answerable.reach.aws.compiled.limiting_policies import RcpDenies
from answerable.reach.aws.compiled.principals import CompiledPrincipal
from answerable.reach.aws.compiled.statements import PolicyStatement
from answerable.reach.aws.evaluation.resource_policies import ResourcePolicy
from answerable.reach.aws.evaluation.trust_policies import RoleTrust
from answerable.reach.aws.patterns.arn_matching import ANY_ARN, ArnParts, split_arn
from answerable.reach.aws.patterns.pattern_set_algebra import (
    ACTIONS,
    RESOURCES,
    PatternTerm,
    are_patterns_disjoint,
    covers,
)
from answerable.reach.aws.permission_rows.row_types import RowFilter, parse_row_filter

_Key = TypeVar("_Key")
# A trust policy decides on calls of the token service, and on no other.
_TOKEN_SERVICE_ACTIONS = parse_row_filter("sts:*", "*").actions


@dataclass(frozen=True, slots=True)
class EditScope:
    """Identities and resources whose own answers may differ after an edit.

    Attributes:
        identities: Identities whose policies, boundaries or SCPs differ.
        resources: Patterns of resources whose policies or RCPs differ.
        groups: Groups whose policies differ.
        roles: Roles whose trust policies differ.
        assumable: Roles of which alone `sts:AssumeRole` may differ; None if not known.
    """

    identities: frozenset[IdentityId]
    resources: tuple[ArnParts, ...] = ()
    groups: frozenset[str] = frozenset()
    roles: frozenset[IdentityId] = frozenset()
    assumable: frozenset[IdentityId] | None = None


def find_scope_of_edit(before: CompiledAccounts, after: CompiledAccounts) -> EditScope:
    """Compare compiled accounts of the same identities.

    Args:
        before: As collected.
        after: As edited.
    """
    old, new = before.principals, after.principals
    identities = {
        name
        for name in _list_keys_of_replaced_values(old, new)
        if not _has_same_effective_policies(old.get(name), new.get(name))
    }
    groups = (
        name
        for name in _list_keys_of_replaced_values(before.groups, after.groups)
        if not _are_statements_equal(
            before.groups.get(name, ()), after.groups.get(name, ())
        )
    )
    roles = (
        role
        for role in _list_keys_of_replaced_values(before.trusts, after.trusts)
        if not _have_policies_equal_statements(
            before.trusts.get(role), after.trusts.get(role)
        )
    )
    replaced = _list_keys_of_replaced_values(before.holders, after.holders)
    resources = dict.fromkeys(_list_changed_resources(before, after, replaced))
    return EditScope(
        frozenset(identities), tuple(resources), frozenset(groups), frozenset(roles)
    )


def find_scope_of_removal(
    before: CompiledAccounts,
    after: CompiledAccounts,
    identities: Iterable[IdentityId],
    targets: Mapping[str, Collection[str]],
    *,
    has_role_assumptions: bool,
) -> EditScope:
    """Compare compiled accounts at the targets of edited policies.

    Args:
        before: As collected.
        after: As edited.
        identities: Identities that are compared.
        targets: Targets of the edited policies, by layer.
        has_role_assumptions: Whether a removed statement may concern `sts:AssumeRole`.
    """
    changed = {
        name
        for name in identities
        if not _has_same_effective_policies(
            before.principals.get(name), after.principals.get(name)
        )
    }
    roles = frozenset(map(IdentityId, targets.get(PolicyLayer.TRUST, ())))
    resources = targets.get(PolicyLayer.RESOURCE, ())
    return EditScope(
        frozenset(changed),
        tuple(dict.fromkeys(_list_changed_resources(before, after, resources))),
        roles=roles,
        assumable=None if has_role_assumptions else roles,
    )


def list_calls_on_changed_resources(
    scope: EditScope, row_filter: RowFilter
) -> Iterator[RowFilter]:
    """Yield the calls of a filter that changed resource and trust policies decide on."""
    asked = row_filter.actions
    calls = [(asked, parts) for parts in scope.resources]
    if not are_patterns_disjoint(ACTIONS, _TOKEN_SERVICE_ACTIONS, asked):
        wider = covers(ACTIONS, asked, _TOKEN_SERVICE_ACTIONS)
        actions = _TOKEN_SERVICE_ACTIONS if wider else asked
        calls += [(actions, split_arn(role)) for role in sorted(scope.roles)]
    for actions, parts in calls:
        resources = PatternTerm(parts)
        if not are_patterns_disjoint(RESOURCES, resources, row_filter.resources):
            yield RowFilter(actions, resources)


def _list_keys_of_replaced_values(
    old: Mapping[_Key, object], new: Mapping[_Key, object]
) -> Iterable[_Key]:
    """List the keys whose value is not the same object in two mappings.

    An incremental edit copies a mapping and replaces a few values. A full run builds
    other objects for all keys.
    """
    if old is new:
        return ()
    if len(old) == len(new) and all(map(is_, old, new)):
        return compress(new, map(is_not, old.values(), new.values()))
    return old.keys() | new.keys()


def _has_same_effective_policies(
    old: CompiledPrincipal | None, new: CompiledPrincipal | None
) -> bool:
    """Return whether a principal's statements, limits and keys are equal."""
    if old is new:
        return True
    if old is None or new is None:
        return False
    return (
        _are_statements_equal(old.grants, new.grants)
        and (old.boundary is None) == (new.boundary is None)
        and _are_statements_equal(old.boundary or (), new.boundary or ())
        and old.gaps == new.gaps
        and old.policies == new.policies
        and old.collected == new.collected
        and old.known == new.known  # session tags depend on the trust of the role
        and _have_equal_scp_levels(old, new)
    )


def _have_equal_scp_levels(old: CompiledPrincipal, new: CompiledPrincipal) -> bool:
    """Return whether the statements of all SCP levels are equal."""
    if old.levels is new.levels:
        return True
    return len(old.levels) == len(new.levels) and all(
        one.target == other.target
        and one.gaps == other.gaps
        and _are_statements_equal(one.grants, other.grants)
        for one, other in zip(old.levels, new.levels, strict=True)
    )


def _are_statements_equal(
    old: Sequence[PolicyStatement], new: Sequence[PolicyStatement]
) -> bool:
    """Return whether statements are equal; a full run compiles new objects."""
    return old is new or (
        len(old) == len(new)
        and all(
            one is other
            or _get_statement_comparison_key(one)
            == _get_statement_comparison_key(other)
            for one, other in zip(old, new, strict=True)
        )
    )


def _get_statement_comparison_key(grant: PolicyStatement) -> tuple[object, ...]:
    """Return the fields of a statement that two policies are compared by."""
    clause = grant.clause
    if clause.number < 0:
        return grant.policy, clause.number
    return (
        grant.policy,
        grant.sid,
        clause.effect,
        clause.actions,
        clause.not_actions,
        clause.resources,
        clause.not_resources,
        _lower_case_condition_names(clause.conditions),
        clause.principals,
        clause.not_principals,
    )


def _lower_case_condition_names(
    conditions: Sequence[ConditionClause],
) -> list[tuple[str, str, tuple[str, ...]]]:
    """Return conditions with keys and operators in lower case.

    Source: IAM User Guide, "IAM JSON policy elements: Condition" (key names are not
    case-sensitive).
    """
    return [(one.operator.lower(), one.key.lower(), one.values) for one in conditions]


def _list_changed_resources(
    before: CompiledAccounts, after: CompiledAccounts, targets: Iterable[str]
) -> Iterator[ArnParts]:
    """List the resources whose RCPs differ, and those of the targets whose policies do."""
    for account in before.rcps.keys() | after.rcps.keys():
        if not _have_policies_equal_statements(
            before.rcps.get(account), after.rcps.get(account)
        ):
            yield ANY_ARN
            # Rows of wide patterns leave the policy of a single resource open.
            for own in after.holders.values():
                if own.account == account:
                    yield from own.spoken_of
    for target in targets:
        old, new = before.holders.get(target), after.holders.get(target)
        if not _have_policies_equal_statements(old, new):
            for each in (old, new):
                yield from each.spoken_of if each else ()


def _have_policies_equal_statements(
    old: RcpDenies | RoleTrust | ResourcePolicy | None,
    new: RcpDenies | RoleTrust | ResourcePolicy | None,
) -> bool:
    """Return whether a resource's old and new policies have equal statements."""
    if old is new:
        return True
    if old is None or new is None or old.gaps != new.gaps:
        return False
    pair = (
        one.denies if isinstance(one, RcpDenies) else one.grants for one in (old, new)
    )
    return _are_statements_equal(*pair)
