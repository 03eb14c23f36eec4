"""List the permission rows of many principals for one action on a resource pattern.

The rows are those of `list_principal_rows`. Statements on other actions are dropped
first, and resource policies are evaluated once per class of principals with equal
results.
"""

from collections.abc import Iterator, Mapping
from itertools import count
from typing import NamedTuple

from answerable.model.policy import PolicyEffect, PolicyLayer
from answerable.reach.aws.compiled.accounts import CompiledAccounts
from answerable.reach.aws.compiled.principals import CompiledPrincipal
from answerable.reach.aws.compiled.statements import CompiledStatement
from answerable.reach.aws.evaluation.resource_policies import (
    DenyingPolicies,
    ResourcePolicy,
)
from answerable.reach.aws.patterns.arn_matching import overlaps_arn
from answerable.reach.aws.patterns.pattern_set_algebra import (
    RESOURCES,
    are_patterns_disjoint,
)
from answerable.reach.aws.permission_rows.principal_rows import (
    build_row_coverage_test,
    list_rows_of_own_policies,
    list_rows_of_unread_policies,
)
from answerable.reach.aws.permission_rows.principal_spans import (
    PrincipalSpans,
    apply_limits_and_denies_to_row,
    collect_principal_spans,
)
from answerable.reach.aws.permission_rows.resource_denials import (
    ResourceDenials,
    add_resource_policy_condition,
)
from answerable.reach.aws.permission_rows.resource_grants import (
    RowCaller,
    build_statement_matcher_for_principal,
    list_requested_arn_patterns,
    list_rows_of_resource_policy,
    list_ways_policy_names_principal,
)
from answerable.reach.aws.permission_rows.resource_policy_cache import (
    CachedPolicy,
    ResourcePolicyCache,
)
from answerable.reach.aws.permission_rows.row_types import (
    PermissionRow,
    RowFilter,
    TermPairTest,
)
from answerable.reach.condition_formula import TRUE

_Deniers = Mapping[str, tuple[DenyingPolicies, ...]]


class _GrantedRow(NamedTuple):
    """Row that a resource policy grants, before the principal's own limits.

    Attributes:
        number: Identifies it.
        near: Whether the resource is of the principal's account.
        escaping: Whether the policy names the user or session itself.
    """

    number: int
    near: bool
    escaping: bool
    row: PermissionRow


class ActionRowLister:
    """Lister of permission rows for one action on a resource pattern."""

    def __init__(self, accounts: CompiledAccounts, row_filter: RowFilter) -> None:
        """Select the resource policies on the call.

        Args:
            accounts: The compiled accounts.
            row_filter: One action, and a resource pattern.
        """
        self._accounts, self._wanted = accounts, row_filter
        self._action = row_filter.actions.pattern
        self._service = self._action.partition(":")[0]
        self._numbers = count()
        self._grants = ResourcePolicyCache(
            self._list_granting_resource_policies(), self._list_rows_of_resource_policy
        )
        self._deniers: dict[str, _Deniers] = {}
        self._opened: dict[tuple[object, ...], bool] = {}
        self._meets: dict[tuple[int, CompiledStatement], bool] = {}

    def may_resource_policies_alone_grant(self, principal: CompiledPrincipal) -> bool:
        """Return whether resource policies alone may grant part of the pattern.

        Across accounts an identity policy must allow too.
        """
        return any(
            granted.near for granted in self._grants.evaluate_for_principal(principal)
        )

    def list_rows_of_principal(
        self, principal: CompiledPrincipal
    ) -> Iterator[PermissionRow]:
        """List the rows of a principal, without those through other identities."""
        accounts, wanted = self._accounts, self._wanted
        known = accounts.given.merge_over(principal.known)
        spans = collect_principal_spans(accounts, principal, known, self._action)
        found = list(list_rows_of_own_policies(accounts, spans, wanted))
        if found:
            account = principal.identity.account
            resource_denials = ResourceDenials(
                accounts,
                principal,
                known,
                self._select_denying_resource_policies(account),
            )
            found = [
                self._add_condition_if_possibly_denied(resource_denials, row)
                for row in found
            ]
        found += list_rows_of_unread_policies(principal, wanted)
        listed = dict.fromkeys(found)
        yield from listed
        is_covered = build_row_coverage_test(
            [row for row in found if row.formula == TRUE]
        )
        for row in self._list_rows_granted_by_resource_policies(
            principal, spans, is_covered
        ):
            if row not in listed and not is_covered(row.actions, row.resources):
                listed[row] = None
                yield row

    def _list_rows_granted_by_resource_policies(
        self,
        principal: CompiledPrincipal,
        spans: PrincipalSpans,
        is_covered: TermPairTest,
    ) -> Iterator[PermissionRow]:
        """Yield rows from resource policies, less limits and denies."""
        if is_covered(self._wanted.actions, self._wanted.resources):
            return
        unread = principal.list_unread_policies_of_layer(PolicyLayer.IDENTITY)
        for granted in self._grants.evaluate_for_principal(principal):
            if not (
                granted.near
                or unread
                or self._may_caller_policies_allow_row(granted, spans)
            ):
                continue
            row = granted.row
            limits = spans.list_limits_on_resource_grant(
                same_account=granted.near, bypasses_boundary=granted.escaping
            )
            if is_covered(row.actions, row.resources):
                continue
            gaps = spans.gaps + row.gaps
            yield from apply_limits_and_denies_to_row(
                self._accounts, row, limits, spans.denies, gaps
            )

    def _may_caller_policies_allow_row(
        self, granted_row: _GrantedRow, spans: PrincipalSpans
    ) -> bool:
        """Return whether the principal's statements may allow part of a row."""
        for span in spans.allows:
            clause = span.grant.clause
            key = granted_row.number, clause
            meets = self._meets.get(key) if clause.parts else None
            if meets is None:
                on = [span.resources]
                if clause.parts:
                    on = [s.resources for s in spans.allows if s.grant.clause is clause]
                meets = any(
                    not are_patterns_disjoint(RESOURCES, one, granted_row.row.resources)
                    for one in on
                )
                if clause.parts:
                    self._meets[key] = meets
            if meets:
                return True
        return False

    def _add_condition_if_possibly_denied(
        self, resource_denials: ResourceDenials, row: PermissionRow
    ) -> PermissionRow:
        """Mark a row undecided if resource policies may deny part of it."""
        principal = resource_denials.principal
        key = (
            principal.identity.account,
            principal.linked,
            resource_denials.list_applicable_denies(self._service),
            row.resources,
        )
        is_open = self._opened.get(key)
        if is_open is None:
            left = resource_denials.split_row_by_denies(row._replace(formula=TRUE))
            is_open = self._opened[key] = any(one.formula != TRUE for one in left)
        return add_resource_policy_condition(row) if is_open else row

    def _select_denying_resource_policies(self, account: str) -> _Deniers:
        """Select an account's resource policies that may deny part of the pattern."""
        found = self._deniers.get(account)
        if found is None:
            kept = []
            for grant, owners in self._accounts.denying_policies.get(self._service, ()):
                if grant and not grant.clause.matches_action(self._action):
                    continue
                some = tuple(
                    own
                    for own in owners
                    if self._does_policy_overlap_pattern(own, account)
                )
                kept += [(grant, some)] if some else []
            found = {self._service: tuple(kept)} if kept else {}
            self._deniers[account] = found
        return found

    def _does_policy_overlap_pattern(
        self, policy: ResourcePolicy, account: str
    ) -> bool:
        """Return whether a policy of the account overlaps the pattern."""
        pattern = self._wanted.resources.pattern
        return policy.account in ("", account) and any(
            overlaps_arn(parts, pattern) for parts in policy.spoken_of
        )

    def _list_granting_resource_policies(self) -> Iterator[CachedPolicy]:
        """List the resource policies that may grant part of the pattern."""
        accounts, wanted = self._accounts, self._wanted
        for own in accounts.holders.values():
            if own.service != self._service or not any(
                list_requested_arn_patterns(own, wanted)
            ):
                continue
            clauses = tuple(
                grant.clause for grant in own.select_statements(self._action)
            )
            if own.gaps or any(c.effect is PolicyEffect.ALLOW for c in clauses):
                fence = accounts.rcps.get(own.account)
                over = fence.select_denies(self._action) if fence else ()
                yield CachedPolicy(own, clauses, tuple(grant.clause for grant in over))

    def _list_rows_of_resource_policy(
        self, policy: ResourcePolicy, principal: CompiledPrincipal
    ) -> Iterator[_GrantedRow]:
        """List rows that one policy grants by name, or to everyone."""
        accounts, wanted = self._accounts, self._wanted
        near = policy.account in ("", principal.identity.account)
        ways = list_ways_policy_names_principal(
            policy, principal, accounts.given.merge_over(principal.known)
        )
        for on in list_requested_arn_patterns(policy, wanted) if ways else ():
            for way in ways:
                known = principal.collect_known_condition_keys(on.pattern)
                namer = build_statement_matcher_for_principal(
                    principal, way, accounts.given
                )
                caller = RowCaller(namer, known, near, principal.linked)
                for row in list_rows_of_resource_policy(
                    accounts, policy, on, wanted, caller
                ):
                    number = next(self._numbers)
                    yield _GrantedRow(number, near, way == "escaping", row)
