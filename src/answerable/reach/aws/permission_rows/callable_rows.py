"""List the permission rows of one principal, with a row for each role that it may assume."""

from collections.abc import Iterable, Iterator

from answerable.model.ids import IdentityId
from answerable.reach.aws.compiled.accounts import CompiledAccounts
from answerable.reach.aws.compiled.principals import CompiledPrincipal
from answerable.reach.aws.evaluation.single_request import (
    evaluate_action,
    is_owner_only_call,
)
from answerable.reach.aws.evaluation.trust_policies import ASSUME_ROLE
from answerable.reach.aws.paths.identity_edges import IdentityFilter
from answerable.reach.aws.paths.identity_graph import IdentityGraph
from answerable.reach.aws.patterns.arn_matching import split_arn
from answerable.reach.aws.patterns.glob_matching import decode_glob, has_no_wildcard
from answerable.reach.aws.patterns.pattern_set_algebra import (
    ACTIONS,
    RESOURCES,
    PatternTerm,
    are_patterns_disjoint,
    format_arn_parts,
)
from answerable.reach.aws.permission_rows.principal_rows import list_principal_rows
from answerable.reach.aws.permission_rows.row_types import PermissionRow, RowFilter
from answerable.reach.condition_formula import FALSE


def list_callable_rows(
    graph: IdentityGraph,
    principal: CompiledPrincipal,
    row_filter: RowFilter,
    roles: IdentityFilter = None,
) -> Iterator[PermissionRow]:
    """List a principal's own permission rows, with one row per assumable role.

    Rows of a wider pattern (`sts:*`, `*`) cover the principal's side alone.

    Args:
        graph: Identity graph of the principal.
        principal: Principal whose rows are listed.
        row_filter: Filter of the rows.
        roles: Only rows of these assumable roles; None for every assumable role.
    """
    rows = list_principal_rows(graph.accounts, principal, row_filter)
    return replace_assume_role_rows(graph, principal, row_filter, rows, roles)


def replace_assume_role_rows(
    graph: IdentityGraph,
    principal: CompiledPrincipal,
    row_filter: RowFilter,
    rows: Iterable[PermissionRow],
    roles: IdentityFilter = None,
) -> Iterator[PermissionRow]:
    """Replace rows of `sts:AssumeRole` by one for each assumable role."""
    accounts, account = graph.accounts, principal.identity.account
    for row in rows:
        pattern = row.actions.pattern
        on = decode_glob(format_arn_parts(row.resources.pattern))
        listed = pattern != ASSUME_ROLE or _may_name_uncollected_role(accounts, row)
        if listed and not is_owner_only_call(accounts, account, pattern, on):
            yield row
    yield from _list_rows_per_assumable_role(graph, principal, row_filter, roles)


def _may_name_uncollected_role(accounts: CompiledAccounts, row: PermissionRow) -> bool:
    """Return whether a row may name a role that was not collected."""
    pattern = row.resources.pattern
    if len(pattern) == 6 and has_no_wildcard(pattern[4]):
        named = IdentityId(format_arn_parts(pattern))
        collected = accounts.is_account_collected(pattern[4])
        return not collected and named not in accounts.trusts
    return False


def _list_rows_per_assumable_role(
    graph: IdentityGraph,
    principal: CompiledPrincipal,
    row_filter: RowFilter,
    roles: IdentityFilter,
) -> Iterator[PermissionRow]:
    """Yield a row of `sts:AssumeRole` for each role that a principal may assume."""
    actions = PatternTerm(ASSUME_ROLE)
    if are_patterns_disjoint(ACTIONS, actions, row_filter.actions):
        return
    for role in graph.list_assumable_roles(principal, roles):
        resources = PatternTerm(split_arn(role))
        if are_patterns_disjoint(
            RESOURCES, resources, row_filter.resources
        ) or not row_filter.may_match_resource_pattern(resources.pattern):
            continue
        answer = evaluate_action(graph.accounts, principal, ASSUME_ROLE, role)
        if answer.formula != FALSE:
            yield PermissionRow(
                actions, resources, "", answer.formula, answer.determining, answer.gaps
            )
