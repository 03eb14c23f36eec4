"""Evaluate one request by the caller's policies and the resource policy.

Source: AWS IAM User Guide, "Policy evaluation logic" and "Cross-account policy
evaluation logic"; AWS KMS Developer Guide, "Key policies"; Amazon S3 User Guide,
"Configuring IAM policies for using access points".
"""

from collections.abc import Callable

from answerable.model.ids import IdentityId
from answerable.model.policy import PolicyLayer
from answerable.reach.aws.compiled.accounts import CompiledAccounts
from answerable.reach.aws.compiled.principal_matching import match_principal
from answerable.reach.aws.compiled.principals import CompiledPrincipal
from answerable.reach.aws.compiled.resources import (
    S3AccessPoint,
    build_access_point_condition_keys,
)
from answerable.reach.aws.compiled.service_facts import TRUST_POLICY_ACTIONS
from answerable.reach.aws.compiled.statements import UNCOLLECTED
from answerable.reach.aws.evaluation.context_keys import ContextKeys
from answerable.reach.aws.evaluation.policy_layers import (
    evaluate_identity_policies,
    evaluate_layers_with_known_keys,
)
from answerable.reach.aws.evaluation.request import (
    AwsRequest,
    DeterminingStatements,
    Evaluation,
    ResourcePolicyResult,
)
from answerable.reach.aws.evaluation.resource_policies import (
    ResourceOwnPolicy,
    ResourcePolicy,
    build_result_for_uncollected_policy,
    evaluate_resource_policy_for_principal,
    requires_resource_policy,
)
from answerable.reach.condition_formula import FALSE, TRUE, Formula, build_atom, conjoin
from answerable.reach.platform import DeterminingStatement


def evaluate_principal_request(
    accounts: CompiledAccounts, principal: CompiledPrincipal, request: AwsRequest
) -> Evaluation:
    """Evaluate one request of a principal by all policies that apply."""
    is_free = principal.needs_no_permission(request.action)
    if is_free is not None:
        return build_result_without_permission_check(request.action, allowed=is_free)
    answer = _evaluate_principal_policies(accounts, principal, request)
    if request.access_point is None:
        return answer
    known = request.collect_keys_for(principal)
    return evaluate_through_s3_access_point(
        accounts,
        request,
        answer,
        known,
        lambda inner: _evaluate_principal_policies(accounts, principal, inner),
    )


def _evaluate_principal_policies(
    accounts: CompiledAccounts, principal: CompiledPrincipal, request: AwsRequest
) -> Evaluation:
    """Evaluate identity and resource policies; stop early across accounts."""
    known = request.collect_keys_for(principal)
    far = request.owner and request.owner != principal.identity.account
    if far and evaluate_identity_policies(principal, request, known) == FALSE:

        def because() -> DeterminingStatements:
            return _evaluate_identity_and_resource_policies(
                accounts, principal, request, known
            ).determining

        return Evaluation(FALSE, because, principal.gaps)
    return _evaluate_identity_and_resource_policies(accounts, principal, request, known)


def _evaluate_identity_and_resource_policies(
    accounts: CompiledAccounts,
    principal: CompiledPrincipal,
    request: AwsRequest,
    known_keys: ContextKeys,
) -> Evaluation:
    """Evaluate identity and resource policies together."""
    side = evaluate_resource_policy(accounts, principal, request, known_keys)
    return evaluate_layers_with_known_keys(principal, request, known_keys, side)


def evaluate_request_condition(
    accounts: CompiledAccounts, principal: CompiledPrincipal, request: AwsRequest
) -> Formula:
    """Return the condition (formula) under which a principal may make a request."""
    return evaluate_principal_request(accounts, principal, request).formula


def build_result_without_permission_check(action: str, *, allowed: bool) -> Evaluation:
    """Build the result of a call that needs no permission."""
    what, effect = f"{action} requires no permission", "allow"
    if not allowed:
        what, effect = f"{action} does not accept temporary credentials", "impossible"
    return Evaluation(
        TRUE if allowed else FALSE,
        (DeterminingStatement("catalogue", "", what, effect),),
    )


def evaluate_through_s3_access_point(
    accounts: CompiledAccounts,
    request: AwsRequest,
    access_point_result: Evaluation,
    known_keys: ContextKeys,
    evaluate_bucket: Callable[[AwsRequest], Evaluation],
) -> Evaluation:
    """Combine the access point's result with that of the bucket behind it.

    Args:
        accounts: The compiled accounts.
        request: The request.
        access_point_result: Result at the access point, or at any other resource.
        known_keys: All known keys.
        evaluate_bucket: Evaluates a request on the bucket.
    """
    access_point = request.access_point
    if access_point is None or access_point_result.formula == FALSE:
        return access_point_result
    if access_point.behind and not accounts.can_action_act_on_resource(
        request.action, access_point.behind
    ):
        return access_point_result  # the call acts on the access point itself
    if not access_point.behind:
        return access_point_result.with_further_condition(
            build_unknown_bucket_condition(access_point)
        )
    back = evaluate_bucket(
        accounts.build_request_on_resource(
            request,
            access_point.behind,
            ContextKeys(build_access_point_condition_keys(access_point)),
        )
    )
    return combine_s3_access_point_and_bucket(
        access_point_result, back, build_vpc_origin_condition(access_point, known_keys)
    )


def combine_s3_access_point_and_bucket(
    access_point_result: Evaluation,
    bucket_result: Evaluation,
    network_condition: Formula,
) -> Evaluation:
    """Combine both verdicts: access point and its bucket must each allow."""
    formula = conjoin(
        access_point_result.formula, bucket_result.formula, network_condition
    )
    decisive = (
        (access_point_result, bucket_result) if formula != FALSE else (bucket_result,)
    )

    def because() -> DeterminingStatements:
        return tuple(dict.fromkeys(d for one in decisive for d in one.determining))

    return Evaluation(
        formula,
        because,
        tuple(dict.fromkeys((*access_point_result.gaps, *bucket_result.gaps))),
    )


def build_unknown_bucket_condition(access_point: S3AccessPoint) -> Formula:
    """Build the open condition for an access point whose bucket is not known."""
    return build_atom(UNCOLLECTED, "Allows", (f"{access_point.point}#bucket",))


def build_vpc_origin_condition(
    access_point: S3AccessPoint, known_keys: ContextKeys
) -> Formula:
    """Build the `aws:SourceVpc` condition of an S3 access point with VPC origin."""
    if not access_point.network:
        return TRUE
    came = known_keys.get_key_values("aws:sourcevpc")
    if came is None:
        return build_atom("aws:SourceVpc", "StringEquals", (access_point.network,))
    return TRUE if came == (access_point.network,) else FALSE


def evaluate_resource_policy(
    accounts: CompiledAccounts,
    principal: CompiledPrincipal,
    request: AwsRequest,
    known_keys: ContextKeys,
) -> ResourcePolicyResult | None:
    """Evaluate the resource policy; None where it cannot change the result."""
    near = not request.owner or request.owner == principal.identity.account
    if request.wild:
        from answerable.reach.aws.evaluation.pattern_requests import (
            evaluate_resource_policies_on_pattern,
        )

        return evaluate_resource_policies_on_pattern(
            accounts,
            request,
            known_keys,
            lambda clause: match_principal(
                clause,
                principal,
                known_keys,
                starts_session=request.action in TRUST_POLICY_ACTIONS,
            ),
            same_account=near,
        )
    own = find_policy_of_requested_resource(accounts, request)
    if own is None:
        if near and not requires_resource_policy(request):
            return None
        return build_uncollected_policy_result(request, same_account=near)
    side = evaluate_resource_policy_for_principal(own, principal, request, known_keys)
    if not near and isinstance(own, ResourcePolicy):
        from answerable.reach.aws.compiled.s3_public_access import (
            apply_public_access_block,
        )

        return apply_public_access_block(accounts, own, request, side)
    return side


def find_policy_of_requested_resource(
    accounts: CompiledAccounts, request: AwsRequest
) -> ResourceOwnPolicy | None:
    """Find the resource policy of a call; None where none was collected."""
    if request.action in TRUST_POLICY_ACTIONS:
        trust = accounts.trusts.get(IdentityId(request.resource))
        return trust if trust and (trust.collected or trust.gaps) else None
    return accounts.holders.get(request.holder)


def build_uncollected_policy_result(
    request: AwsRequest, *, same_account: bool
) -> ResourcePolicyResult:
    """Build an undecided result for a resource policy not collected."""
    if request.action in TRUST_POLICY_ACTIONS:
        return build_result_for_uncollected_policy(
            f"{request.resource}#trust",
            PolicyLayer.TRUST,
            request,
            same_account=same_account,
        )
    return build_result_for_uncollected_policy(
        f"{request.holder}#policy",
        PolicyLayer.RESOURCE,
        request,
        same_account=same_account,
    )
