"""Apply the denies of resource policies and RCPs to a principal's permission rows.

A row of many resources does not list which of them deny: one condition says that some
may, for the services concerned (`answerable:resource-policy`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from answerable.reach.aws.compiled.accounts import CompiledAccounts
from answerable.reach.aws.compiled.limiting_policies import RcpDenies
from answerable.reach.aws.compiled.principal_element import is_account_number
from answerable.reach.aws.compiled.principal_matching import match_principal
from answerable.reach.aws.compiled.principals import CompiledPrincipal
from answerable.reach.aws.compiled.resources import (
    find_resource_account,
    get_policy_holder,
)
from answerable.reach.aws.compiled.service_facts import (
    RCP_SERVICES,
    TRUST_POLICY_ACTIONS,
)
from answerable.reach.aws.compiled.statements import (
    CompiledStatement,
    PolicyStatement,
    evaluate_statement_conditions,
)
from answerable.reach.aws.evaluation.context_keys import ContextKeys
from answerable.reach.aws.evaluation.pattern_requests import (
    KMS_KEY_PATTERN,
    RESOURCE_POLICY_KEY,
    has_conditional_s3_access_points,
)
from answerable.reach.aws.evaluation.resource_policies import (
    DenyingPolicies,
    ResourcePolicy,
)
from answerable.reach.aws.evaluation.trust_policies import ASSUME_ROLE
from answerable.reach.aws.patterns.action_resource_matrix import (
    does_action_take_named_resource,
)
from answerable.reach.aws.patterns.arn_matching import ArnParts, overlaps_arn
from answerable.reach.aws.patterns.glob_matching import ANY_TEXT, has_no_wildcard
from answerable.reach.aws.patterns.pattern_set_algebra import (
    ACTIONS,
    PatternTerm,
    are_patterns_disjoint,
    covers,
    format_arn_parts,
    intersect_patterns,
    subtract_pattern,
)
from answerable.reach.aws.permission_rows.row_types import PermissionRow
from answerable.reach.aws.permission_rows.statement_spans import (
    list_action_terms_of_statement,
)
from answerable.reach.condition_formula import FALSE, build_atom, conjoin


@dataclass(slots=True)
class ResourceDenials:
    """Denies that may apply to the rows of one principal.

    Attributes:
        known: Condition keys known for every call.
        deniers: Resource policies that may deny, by service.
    """

    accounts: CompiledAccounts
    principal: CompiledPrincipal
    known: ContextKeys
    deniers: Mapping[str, tuple[DenyingPolicies, ...]]
    _services: tuple[str, ...] | None = None
    _applying: dict[int, bool] = field(default_factory=dict)

    def split_row_by_denies(self, row: PermissionRow) -> list[PermissionRow]:
        """Split a row; a part that may be denied gets an undecided condition."""
        on = row.resources.pattern
        if (
            self._names_resources_of_other_account(on)
            or _names_s3_access_points(on)
            or _needs_trust_policy(row)
        ):
            return [add_resource_policy_condition(row)]
        kept, open_ = [row], []
        for service in self._list_services_that_may_deny(row):
            term = PatternTerm(f"{service}:{ANY_TEXT}")
            rest: list[PermissionRow] = []
            for one in kept:
                if are_patterns_disjoint(
                    ACTIONS, one.actions, term
                ) or not self._may_service_policies_deny_row(service, one):
                    rest.append(one)
                    continue
                part, outside = _split_row_by_service(one, term)
                open_.append(add_resource_policy_condition(part))
                rest += outside
            kept = rest
        return kept + open_

    def list_applicable_denies(self, service: str) -> tuple[object, ...]:
        """List the denies of a service that may apply to the principal."""
        denies = self.deniers.get(service, ())
        own = (
            grant is None or self._may_deny_apply_to_principal(grant)
            for grant, _ in denies
        )
        return (
            *own,
            *(grant.clause.number for grant in self._list_possible_rcp_denies()),
        )

    def _names_resources_of_other_account(self, resource: ArnParts) -> bool:
        """Return whether a row names resources of another account."""
        if len(resource) != 6:
            return False
        mine = self.principal.identity.account
        if is_account_number(resource[4]):
            return resource[4] != mine
        bucket = resource[5].partition("/")[0]
        if (
            resource[2] != "s3"
            or resource[3]
            or resource[4]
            or not has_no_wildcard(bucket)
        ):
            return False
        arn = f"arn:{resource[1]}:s3:::{bucket}"
        return find_resource_account(
            self.accounts.resources, arn, get_policy_holder(arn)
        ) not in ("", mine)

    def _list_services_that_may_deny(self, row: PermissionRow) -> Sequence[str]:
        """List the services whose policies may deny actions of a row."""
        services = self._list_services_with_denies()
        named, colon, _ = row.actions.pattern.partition(":")
        if not colon or not has_no_wildcard(named):
            return services
        return (named,) if named in services else ()

    def _list_services_with_denies(self) -> tuple[str, ...]:
        """List the services whose resource policies or RCPs may deny."""
        if self._services is None:
            found = {"kms", *self.deniers}
            if self.accounts.access_points:
                found.add("s3")
            for grant in self._list_possible_rcp_denies():
                found |= RCP_SERVICES & (grant.clause.services or RCP_SERVICES)
            if self._has_unread_rcps():
                found |= RCP_SERVICES
            self._services = tuple(sorted(found))
        return self._services

    def _get_account_rcp_denies(self) -> RcpDenies | None:
        """Return the RCP denies of the principal's account; None if none."""
        if self.principal.linked:
            return None
        return self.accounts.rcps.get(self.principal.identity.account)

    def _list_possible_rcp_denies(self) -> tuple[PolicyStatement, ...]:
        """List the RCP denies whose conditions may hold."""
        fence = self._get_account_rcp_denies()
        denies = fence.denies if fence else ()
        return tuple(
            grant for grant in denies if self._may_conditions_hold(grant.clause)
        )

    def _has_unread_rcps(self) -> bool:
        """Return whether an RCP could not be read."""
        fence = self._get_account_rcp_denies()
        return fence is not None and bool(fence.gaps)

    def _may_service_policies_deny_row(self, service: str, row: PermissionRow) -> bool:
        """Return whether a service's policies or RCPs may deny part of a row."""
        on = row.resources.pattern
        if service == "kms" and overlaps_arn(KMS_KEY_PATTERN, on):
            catalogue, action = self.accounts.catalogue, row.actions.pattern
            if does_action_take_named_resource(catalogue, action):
                return True
        if service == "s3" and has_conditional_s3_access_points(
            self.accounts, row.resources
        ):
            return True
        if service in RCP_SERVICES and (
            self._has_unread_rcps()
            or any(
                _statement_overlaps_row(grant.clause, row)
                for grant in self._list_possible_rcp_denies()
            )
        ):
            return True
        return any(
            self._may_statement_deny_row(row, *pair)
            for pair in self.deniers.get(service, ())
        )

    def _may_statement_deny_row(
        self,
        row: PermissionRow,
        grant: PolicyStatement | None,
        policies: tuple[ResourcePolicy, ...],
    ) -> bool:
        """Return whether one deny statement may apply to part of a row."""
        if grant and not (
            _statement_overlaps_row_actions(grant.clause, row)
            and self._may_deny_apply_to_principal(grant)
        ):
            return False
        near = ("", self.principal.identity.account)
        return any(
            own.account in near
            and any(overlaps_arn(p, row.resources.pattern) for p in own.spoken_of)
            for own in policies
        )

    def _may_deny_apply_to_principal(self, grant: PolicyStatement) -> bool:
        """Return whether a deny of a resource policy may apply to the principal."""
        number = grant.clause.number
        found = self._applying.get(number)
        if found is None:
            named = any(
                f != FALSE for _, f in match_principal(grant.clause, self.principal)
            )
            found = self._applying[number] = named and self._may_conditions_hold(
                grant.clause
            )
        return found

    def _may_conditions_hold(self, clause: CompiledStatement) -> bool:
        """Return whether a statement's conditions may hold."""
        return evaluate_statement_conditions(clause, self.known) != FALSE


def _names_s3_access_points(pattern: ArnParts) -> bool:
    """Return whether a row names access points; the bucket policy applies too."""
    return (
        len(pattern) == 6
        and pattern[2] == "s3"
        and pattern[5].startswith("accesspoint/")
    )


def _needs_trust_policy(row: PermissionRow) -> bool:
    # Rows of `sts:AssumeRole` are listed by role, with the trust policy.
    """Return whether a trust policy decides a row; `sts:AssumeRole` rows excepted."""
    action = row.actions.pattern
    return action in TRUST_POLICY_ACTIONS and action != ASSUME_ROLE


def add_resource_policy_condition(row: PermissionRow) -> PermissionRow:
    """Return a row with the undecided condition that resource policies allow it."""
    on = format_arn_parts(row.resources.pattern)
    decides = build_atom(RESOURCE_POLICY_KEY, "Matches", (on,))
    return row._replace(formula=conjoin(row.formula, decides))


def _split_row_by_service(
    row: PermissionRow, term: PatternTerm[str]
) -> tuple[PermissionRow, list[PermissionRow]]:
    """Split a row into a service's actions and the rest, if exactly possible."""
    if covers(ACTIONS, term, row.actions):
        return row, []
    part, exact = intersect_patterns(ACTIONS, row.actions, term)
    rest = subtract_pattern(ACTIONS, row.actions, term) if exact else None
    if rest is None:
        return row, []
    return row._replace(actions=part), [row._replace(actions=left) for left in rest]


def _statement_overlaps_row_actions(
    clause: CompiledStatement, row: PermissionRow
) -> bool:
    """Return whether a statement overlaps a row's actions."""
    return any(
        not are_patterns_disjoint(ACTIONS, row.actions, t)
        for t in list_action_terms_of_statement(clause)
    )


def _statement_overlaps_row(clause: CompiledStatement, row: PermissionRow) -> bool:
    """Return whether a statement overlaps a row's actions and resources."""
    if not _statement_overlaps_row_actions(clause, row):
        return False
    if clause.not_resources or not clause.parts:
        return True
    return any(overlaps_arn(parts, row.resources.pattern) for parts in clause.parts)
