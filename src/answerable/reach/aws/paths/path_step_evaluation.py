"""Evaluate one API call of a path step, such as `sts:AssumeRole` on a role."""

from answerable.reach.aws.compiled.accounts import CompiledAccounts
from answerable.reach.aws.compiled.aws_protected_objects import find_aws_protection
from answerable.reach.aws.compiled.principals import CompiledPrincipal
from answerable.reach.aws.compiled.service_facts import supports_rcps
from answerable.reach.aws.evaluation.context_keys import NO_KEYS, ContextKeys
from answerable.reach.aws.evaluation.evaluate_principal import (
    evaluate_principal_request,
)
from answerable.reach.aws.evaluation.policy_layers import (
    evaluate_action_for_all_resources,
)
from answerable.reach.aws.evaluation.request import Evaluation
from answerable.reach.condition_formula import FALSE

_IAM_ARN_PREFIXES = ("arn:aws:iam:", "arn:aws-cn:iam:", "arn:aws-us-gov:iam:")


def evaluate_path_step_call(
    accounts: CompiledAccounts,
    principal: CompiledPrincipal,
    action: str,
    resource: str,
    context_keys: ContextKeys = NO_KEYS,
) -> Evaluation:
    """Evaluate one call of a principal on a resource as part of a path step.

    Args:
        accounts: The compiled accounts.
        principal: The caller.
        action: As the service spells it.
        resource: ARN, or `*`.
        context_keys: Condition keys that the call itself sets.
    """
    if find_aws_protection(action.lower(), resource) is not None:
        return Evaluation(FALSE, ())
    sure = evaluate_path_step_call_for_all(accounts, principal, action)
    if sure is not None and not _may_resource_affect_call(
        accounts, principal, resource
    ):
        return sure
    return evaluate_principal_request(
        accounts, principal, accounts.build_hop_request(action, resource, context_keys)
    )


def evaluate_path_step_call_for_all(
    accounts: CompiledAccounts, principal: CompiledPrincipal, action: str
) -> Evaluation | None:
    """Evaluate a call on all resources at once; None if the resource matters."""
    folded = action.lower()
    if accounts.rcps and supports_rcps(folded):
        return None
    return evaluate_action_for_all_resources(principal, folded)


def _may_resource_affect_call(
    accounts: CompiledAccounts, principal: CompiledPrincipal, resource: str
) -> bool:
    """Return whether a resource's own policy or account may affect the call."""
    if resource == "*" or resource.startswith(_IAM_ARN_PREFIXES):
        return False
    place = accounts.look_up_resource(resource)
    near = place.owner in ("", principal.identity.account)
    return not near or place.holder in accounts.holders
