"""Evaluation of one request by the caller's policies and the resource policy.

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
    build_access_point_keys,
)
from answerable.reach.aws.compiled.s3_public_access import apply_public_access_block
from answerable.reach.aws.compiled.service_facts import TRUST_POLICY_ACTIONS
from answerable.reach.aws.compiled.statements import UNCOLLECTED
from answerable.reach.aws.evaluation.context_keys import ContextKeys
from answerable.reach.aws.evaluation.pattern_requests import (
    evaluate_policies_on_pattern,
)
from answerable.reach.aws.evaluation.policy_layers import (
    evaluate_identity_policies,
    evaluate_with_keys,
)
from answerable.reach.aws.evaluation.request import (
    AwsRequest,
    DeterminingStatement,
    DeterminingStatements,
    Evaluation,
    ResourcePolicyResult,
)
from answerable.reach.aws.evaluation.resource_policies import (
    ResourceOwnPolicy,
    ResourcePolicy,
    assume_uncollected,
    evaluate_policy_for_principal,
    requires_resource_policy,
)
from answerable.reach.formula import FALSE, TRUE, Formula, build_atom, conjoin


def evaluate_principal_request(
    estate: CompiledAccounts, principal: CompiledPrincipal, call: AwsRequest
) -> Evaluation:
    """Evaluate a possible call of a principal, with the determining statements."""
    is_free = principal.needs_no_permission(call.action)
    if is_free is not None:
        return answer_without_permission(call.action, allowed=is_free)
    answer = _evaluate_sides(estate, principal, call)
    if call.door is None:
        return answer
    known = call.collect_keys_for(principal)
    return evaluate_through_access_point(
        estate,
        call,
        answer,
        known,
        lambda inner: _evaluate_sides(estate, principal, inner),
    )


def _evaluate_sides(
    estate: CompiledAccounts, principal: CompiledPrincipal, call: AwsRequest
) -> Evaluation:
    """Evaluate both sides; across accounts the resource policy only if needed."""
    known = call.collect_keys_for(principal)
    far = call.owner and call.owner != principal.identity.account
    if far and evaluate_identity_policies(principal, call, known) == FALSE:

        def because() -> DeterminingStatements:
            return _evaluate_both_sides(estate, principal, call, known).determining

        return Evaluation(FALSE, because, principal.gaps)
    return _evaluate_both_sides(estate, principal, call, known)


def _evaluate_both_sides(
    estate: CompiledAccounts,
    principal: CompiledPrincipal,
    call: AwsRequest,
    known: ContextKeys,
) -> Evaluation:
    side = evaluate_resource_policy(estate, principal, call, known)
    return evaluate_with_keys(principal, call, known, side)


def evaluate_formula(
    estate: CompiledAccounts, principal: CompiledPrincipal, call: AwsRequest
) -> Formula:
    """Return the formula under which a principal may make a possible call."""
    return evaluate_principal_request(estate, principal, call).formula


def answer_without_permission(action: str, *, allowed: bool) -> Evaluation:
    """Build the result of a call that no policy decides."""
    what, effect = f"{action} needs no permission", "allow"
    if not allowed:
        what, effect = f"{action} takes no session's credentials", "impossible"
    return Evaluation(
        TRUE if allowed else FALSE,
        (DeterminingStatement("catalogue", "", what, effect),),
    )


def evaluate_through_access_point(
    estate: CompiledAccounts,
    call: AwsRequest,
    front: Evaluation,
    known: ContextKeys,
    inside: Callable[[AwsRequest], Evaluation],
) -> Evaluation:
    """Evaluate the bucket behind an access point for the same request.

    Args:
        estate: The compiled accounts.
        call: The request.
        front: Result at the access point, or at any other resource.
        known: All known keys.
        inside: Evaluates a request on the bucket.
    """
    door = call.door
    if door is None or front.formula == FALSE:
        return front
    if door.behind and not estate.can_act_on(call.action, door.behind):
        return front  # the call acts on the access point itself
    if not door.behind:
        return front.with_condition(build_unknown_bucket_condition(door))
    back = inside(
        estate.build_request_on(
            call, door.behind, ContextKeys(build_access_point_keys(door))
        )
    )
    return combine_access_point_and_bucket(
        front, back, build_network_condition(door, known)
    )


def combine_access_point_and_bucket(
    front: Evaluation, back: Evaluation, network: Formula
) -> Evaluation:
    """Combine the results of an access point and its bucket."""
    formula = conjoin(front.formula, back.formula, network)
    decisive = (front, back) if formula != FALSE else (back,)

    def because() -> DeterminingStatements:
        return tuple(dict.fromkeys(d for one in decisive for d in one.determining))

    return Evaluation(formula, because, tuple(dict.fromkeys((*front.gaps, *back.gaps))))


def build_unknown_bucket_condition(door: S3AccessPoint) -> Formula:
    """Build the open condition of a bucket that is not known."""
    return build_atom(UNCOLLECTED, "Allows", (f"{door.point}#bucket",))


def build_network_condition(door: S3AccessPoint, known: ContextKeys) -> Formula:
    """Build the `aws:SourceVpc` condition of an S3 access point with VPC origin."""
    if not door.network:
        return TRUE
    came = known.get("aws:sourcevpc")
    if came is None:
        return build_atom("aws:SourceVpc", "StringEquals", (door.network,))
    return TRUE if came == (door.network,) else FALSE


def evaluate_resource_policy(
    estate: CompiledAccounts,
    principal: CompiledPrincipal,
    call: AwsRequest,
    known: ContextKeys,
) -> ResourcePolicyResult | None:
    """Evaluate the resource policy; None where it cannot change the result."""
    near = not call.owner or call.owner == principal.identity.account
    if call.wild:
        return evaluate_policies_on_pattern(
            estate,
            call,
            known,
            lambda clause: match_principal(clause, principal, known),
            near=near,
        )
    own = find_resource_policy(estate, call)
    if own is None:
        if near and not requires_resource_policy(call):
            return None
        return assume_uncollected_policy(call, near=near)
    side = evaluate_policy_for_principal(own, principal, call, known)
    if not near and isinstance(own, ResourcePolicy):
        return apply_public_access_block(estate, own, call, side)
    return side


def find_resource_policy(
    estate: CompiledAccounts, call: AwsRequest
) -> ResourceOwnPolicy | None:
    """Find the resource policy of a call; None where none was collected."""
    if call.action in TRUST_POLICY_ACTIONS:
        trust = estate.trusts.get(IdentityId(call.resource))
        return trust if trust and (trust.collected or trust.gaps) else None
    return estate.holders.get(call.holder)


def assume_uncollected_policy(call: AwsRequest, *, near: bool) -> ResourcePolicyResult:
    """Return an open result for a resource policy that was not collected."""
    if call.action in TRUST_POLICY_ACTIONS:
        return assume_uncollected(
            f"{call.resource}#trust", PolicyLayer.TRUST, call, near=near
        )
    return assume_uncollected(
        f"{call.holder}#policy", PolicyLayer.RESOURCE, call, near=near
    )
