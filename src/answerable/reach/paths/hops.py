"""The calls of a hop, judged one by one."""

from answerable.reach.estate.estate import Estate
from answerable.reach.estate.principals import Principal
from answerable.reach.estate.services import binds_rcps
from answerable.reach.verdict.context import NOTHING, Known
from answerable.reach.verdict.evaluate import surely
from answerable.reach.verdict.judge import judged
from answerable.reach.verdict.request import Answer

_OF_IAM = ("arn:aws:iam:", "arn:aws-cn:iam:", "arn:aws-us-gov:iam:")


def may(
    estate: Estate,
    principal: Principal,
    action: str,
    resource: str,
    known: Known = NOTHING,
) -> Answer:
    """Say when a principal may make a call on its way to somebody else.

    Args:
        estate: The estate.
        principal: Who calls.
        action: As the service spells it.
        resource: What it acts on, or `*`.
        known: Condition keys the call itself settles.
    """
    sure = anywhere(estate, principal, action)
    if sure is not None and not _speaks(estate, principal, resource):
        return sure
    return judged(estate, principal, estate.hop(action, resource, known))


def anywhere(estate: Estate, principal: Principal, action: str) -> Answer | None:
    """Answer for every resource without a policy of its own; None where it matters."""
    folded = action.lower()
    if estate.fences and binds_rcps(folded):
        return None
    return surely(principal, folded)


def _speaks(estate: Estate, principal: Principal, resource: str) -> bool:
    """Tell whether a resource's own policy or account takes part."""
    if resource == "*" or resource.startswith(_OF_IAM):
        return False
    place = estate.place(resource)
    near = place.owner in ("", principal.identity.account)
    return not near or place.holder in estate.holders
