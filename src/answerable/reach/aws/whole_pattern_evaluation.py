"""Evaluate an action on all resources of a pattern, for many principals.

The results are those of `evaluate_action`. Denies of resource policies are evaluated
once per class of principals with equal results.
"""

from collections.abc import Iterator

from answerable.model.policy import PolicyEffect
from answerable.reach.aws.compiled.accounts import CompiledAccounts
from answerable.reach.aws.compiled.principal_matching import match_principal
from answerable.reach.aws.compiled.principals import CompiledPrincipal
from answerable.reach.aws.compiled.statements import PolicyStatement
from answerable.reach.aws.evaluation.pattern_requests import (
    build_resource_pattern_result,
    list_policies_overlapping_pattern,
    list_policy_denies_on_pattern,
)
from answerable.reach.aws.evaluation.policy_layers import (
    evaluate_identity_policies,
    evaluate_layers_with_known_keys,
)
from answerable.reach.aws.evaluation.request import (
    AwsRequest,
    Evaluation,
    ResourcePolicyResult,
)
from answerable.reach.aws.evaluation.resource_policies import ResourcePolicy
from answerable.reach.aws.evaluation.single_request import (
    evaluate_action,
    is_owner_only_call,
)
from answerable.reach.aws.permission_rows.resource_policy_cache import (
    CachedPolicy,
    ResourcePolicyCache,
)
from answerable.reach.condition_formula import FALSE, Formula

_AppliedDeny = tuple[PolicyStatement, Formula]


class WholePatternEvaluator:
    """Evaluator of an action on all resources of a pattern, for any principal."""

    def __init__(self, accounts: CompiledAccounts, action: str, resource: str) -> None:
        """Select the resource policies that may deny part of the pattern."""
        self._estate, self._asked = accounts, (action, resource)
        call = accounts.get_cached_request(action, resource)
        self._call = call if call and call.wild and call.access_point is None else None
        owners = list(list_policies_overlapping_pattern(accounts, call)) if call else []
        self._gaps = tuple(gap for own in owners for gap in own.gaps)
        self._denies = ResourcePolicyCache(
            self._list_policies_with_matching_denies(owners),
            self._list_denies_on_principal,
        )
        # Keeps the denies of each result alive, since they are keyed by identity.
        self._sides: dict[tuple[int, bool], tuple[object, ResourcePolicyResult]] = {}

    def evaluate_principal_on_pattern(self, principal: CompiledPrincipal) -> Evaluation:
        """Evaluate a principal on all of the pattern."""
        call = self._call
        if (
            call is None
            or is_owner_only_call(
                self._estate, principal.identity.account, *self._asked
            )
            or principal.needs_no_permission(call.action) is not None
        ):
            return evaluate_action(self._estate, principal, *self._asked)
        known = call.collect_keys_for(principal)
        near = not call.owner or call.owner == principal.identity.account
        if not near and evaluate_identity_policies(principal, call, known) == FALSE:
            return evaluate_action(self._estate, principal, *self._asked)
        return evaluate_layers_with_known_keys(
            principal,
            call,
            known,
            self._get_resource_policy_result(principal, call, near=near),
        )

    def _get_resource_policy_result(
        self, principal: CompiledPrincipal, call: AwsRequest, *, near: bool
    ) -> ResourcePolicyResult:
        """Return what resource policies decide; cached per class."""
        denies = self._denies.evaluate_for_principal(principal)
        key = id(denies), near
        found = self._sides.get(key)
        if found is None:
            side = build_resource_pattern_result(
                self._estate, call, denies, self._gaps, same_account=near
            )
            found = self._sides[key] = denies, side
        return found[1]

    def _list_policies_with_matching_denies(
        self, policies: list[ResourcePolicy]
    ) -> Iterator[CachedPolicy]:
        """Yield policies with denies that match the action."""
        action = self._call.action if self._call else ""
        for own in policies:
            clauses = tuple(
                grant.clause
                for grant in own.select_statements(action)
                if grant.clause.effect is PolicyEffect.DENY
            )
            if clauses:
                yield CachedPolicy(own, clauses)

    def _list_denies_on_principal(
        self, policy: ResourcePolicy, principal: CompiledPrincipal
    ) -> Iterator[_AppliedDeny]:
        """Yield one policy's denies that apply to a principal."""
        call = self._call
        if call is not None:
            known = call.collect_keys_for(principal)
            yield from list_policy_denies_on_pattern(
                policy,
                call,
                known,
                lambda clause: match_principal(clause, principal, known),
            )
