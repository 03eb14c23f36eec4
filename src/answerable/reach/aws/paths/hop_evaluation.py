"""Evaluation of single calls of a hop."""

from answerable.reach.aws.compiled.accounts import Estate
from answerable.reach.aws.compiled.principals import Principal
from answerable.reach.aws.compiled.service_facts import binds_rcps
from answerable.reach.aws.evaluation.context_keys import NOTHING, Known
from answerable.reach.aws.evaluation.evaluate_principal import judged
from answerable.reach.aws.evaluation.policy_layers import surely
from answerable.reach.aws.evaluation.request import Answer

_OF_IAM = ("arn:aws:iam:", "arn:aws-cn:iam:", "arn:aws-us-gov:iam:")


def may(
    estate: Estate,
    principal: Principal,
    action: str,
    resource: str,
    known: Known = NOTHING,
) -> Answer:
    """Evaluate a call of a principal as a hop of a path.

    Args:
        estate: The compiled accounts.
        principal: The caller.
        action: As the service spells it.
        resource: ARN, or `*`.
        known: Condition keys that the call itself sets.
    """
    sure = anywhere(estate, principal, action)
    if sure is not None and not _speaks(estate, principal, resource):
        return sure
    return judged(estate, principal, estate.hop(action, resource, known))


def anywhere(estate: Estate, principal: Principal, action: str) -> Answer | None:
    """Evaluate for all resources without a policy; None if the resource matters."""
    folded = action.lower()
    if estate.fences and binds_rcps(folded):
        return None
    return surely(principal, folded)


def _speaks(estate: Estate, principal: Principal, resource: str) -> bool:
    """Tell whether the policy or account of a resource matters."""
    if resource == "*" or resource.startswith(_OF_IAM):
        return False
    place = estate.place(resource)
    near = place.owner in ("", principal.identity.account)
    return not near or place.holder in estate.holders
