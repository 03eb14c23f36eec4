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
from answerable.reach.aws.patterns.arns import overlaps_arn
from answerable.reach.aws.patterns.terms import RESOURCES, is_disjoint
from answerable.reach.aws.permission_rows.policy_cache import (
    CachedPolicy,
    ResourcePolicyCache,
)
from answerable.reach.aws.permission_rows.principal_rows import (
    build_coverage_test,
    list_own_rows,
    list_unread_rows,
)
from answerable.reach.aws.permission_rows.principal_spans import (
    PrincipalSpans,
    collect_spans,
    narrow_row,
)
from answerable.reach.aws.permission_rows.resource_denials import (
    ResourceDenials,
    leave_open,
)
from answerable.reach.aws.permission_rows.resource_grants import (
    RowCaller,
    build_namer,
    list_naming_ways,
    list_requested_scope,
    list_rows_on_resource,
)
from answerable.reach.aws.permission_rows.row_types import (
    PermissionRow,
    RowFilter,
    TermPairTest,
)
from answerable.reach.formula import TRUE

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

    def __init__(self, estate: CompiledAccounts, wanted: RowFilter) -> None:
        """Select the resource policies on the call.

        Args:
            estate: The compiled accounts.
            wanted: One action, and a resource pattern.
        """
        self._estate, self._wanted = estate, wanted
        self._action = wanted.actions.pattern
        self._service = self._action.partition(":")[0]
        self._numbers = count()
        self._grants = ResourcePolicyCache(
            self._list_granting_policies(), self._evaluate_policy
        )
        self._deniers: dict[str, _Deniers] = {}
        self._opened: dict[tuple[object, ...], bool] = {}
        self._meets: dict[tuple[int, CompiledStatement], bool] = {}

    def may_resources_grant(self, principal: CompiledPrincipal) -> bool:
        """Tell whether resource policies alone may grant part of the pattern.

        Across accounts an identity policy must allow too.
        """
        return any(granted.near for granted in self._grants.evaluate(principal))

    def list_rows(self, principal: CompiledPrincipal) -> Iterator[PermissionRow]:
        """List the rows of a principal, without those through other identities."""
        estate, wanted = self._estate, self._wanted
        known = estate.given.merge_over(principal.known)
        standing = collect_spans(estate, principal, known, self._action)
        found = list(list_own_rows(estate, standing, wanted))
        if found:
            account = principal.identity.account
            takings = ResourceDenials(
                estate, principal, known, self._select_deniers(account)
            )
            found = [self._open_if_denied(takings, row) for row in found]
        found += list_unread_rows(principal, wanted)
        listed = dict.fromkeys(found)
        yield from listed
        is_covered = build_coverage_test([row for row in found if row.formula == TRUE])
        for row in self._list_granted_rows(principal, standing, is_covered):
            if row not in listed and not is_covered(row.actions, row.resources):
                listed[row] = None
                yield row

    def _list_granted_rows(
        self,
        principal: CompiledPrincipal,
        standing: PrincipalSpans,
        is_covered: TermPairTest,
    ) -> Iterator[PermissionRow]:
        """Yield rows from resource policies, less limits and denies."""
        if is_covered(self._wanted.actions, self._wanted.resources):
            return
        unread = principal.list_gaps(PolicyLayer.IDENTITY)
        for granted in self._grants.evaluate(principal):
            if not (
                granted.near or unread or self._may_caller_allow(granted, standing)
            ):
                continue
            row = granted.row
            limits = standing.list_limits_on_grant(
                near=granted.near, escaping=granted.escaping
            )
            if is_covered(row.actions, row.resources):
                continue
            gaps = standing.gaps + row.gaps
            yield from narrow_row(self._estate, row, limits, standing.denies, gaps)

    def _may_caller_allow(self, granted: _GrantedRow, standing: PrincipalSpans) -> bool:
        """Tell whether the principal's statements may allow part of a row."""
        for span in standing.allows:
            clause = span.grant.clause
            key = granted.number, clause
            meets = self._meets.get(key) if clause.parts else None
            if meets is None:
                on = [span.resources]
                if clause.parts:
                    on = [
                        s.resources for s in standing.allows if s.grant.clause is clause
                    ]
                meets = any(
                    not is_disjoint(RESOURCES, one, granted.row.resources) for one in on
                )
                if clause.parts:
                    self._meets[key] = meets
            if meets:
                return True
        return False

    def _open_if_denied(
        self, takings: ResourceDenials, row: PermissionRow
    ) -> PermissionRow:
        """Add an open condition if resource policies may deny part of a row."""
        principal = takings.principal
        key = (
            principal.identity.account,
            principal.linked,
            takings.list_applicable_denies(self._service),
            row.resources,
        )
        is_open = self._opened.get(key)
        if is_open is None:
            left = takings.apply(row._replace(formula=TRUE))
            is_open = self._opened[key] = any(one.formula != TRUE for one in left)
        return leave_open(row) if is_open else row

    def _select_deniers(self, account: str) -> _Deniers:
        """Select an account's resource policies that may deny part of the pattern."""
        found = self._deniers.get(account)
        if found is None:
            kept = []
            for grant, owners in self._estate.deniers.get(self._service, ()):
                if grant and not grant.clause.matches_action(self._action):
                    continue
                some = tuple(
                    own for own in owners if self._is_relevant_policy(own, account)
                )
                kept += [(grant, some)] if some else []
            found = {self._service: tuple(kept)} if kept else {}
            self._deniers[account] = found
        return found

    def _is_relevant_policy(self, own: ResourcePolicy, account: str) -> bool:
        """Tell whether a policy of the account overlaps the pattern."""
        pattern = self._wanted.resources.pattern
        return own.account in ("", account) and any(
            overlaps_arn(parts, pattern) for parts in own.spoken_of
        )

    def _list_granting_policies(self) -> Iterator[CachedPolicy]:
        """List the resource policies that may grant part of the pattern."""
        estate, wanted = self._estate, self._wanted
        for own in estate.holders.values():
            if own.service != self._service or not any(
                list_requested_scope(own, wanted)
            ):
                continue
            clauses = tuple(
                grant.clause for grant in own.select_statements(self._action)
            )
            if own.gaps or any(c.effect is PolicyEffect.ALLOW for c in clauses):
                fence = estate.fences.get(own.account)
                over = fence.select_denies(self._action) if fence else ()
                yield CachedPolicy(own, clauses, tuple(grant.clause for grant in over))

    def _evaluate_policy(
        self, own: ResourcePolicy, principal: CompiledPrincipal
    ) -> Iterator[_GrantedRow]:
        """List rows that one policy grants by name, or to everyone."""
        estate, wanted = self._estate, self._wanted
        near = own.account in ("", principal.identity.account)
        ways = list_naming_ways(
            own, principal, estate.given.merge_over(principal.known)
        )
        for on in list_requested_scope(own, wanted) if ways else ():
            for way in ways:
                known = principal.collect_known_keys(on.pattern)
                namer = build_namer(principal, way, estate.given)
                asker = RowCaller(namer, known, near, principal.linked)
                for row in list_rows_on_resource(estate, own, on, wanted, asker):
                    number = next(self._numbers)
                    yield _GrantedRow(number, near, way == "escaping", row)
