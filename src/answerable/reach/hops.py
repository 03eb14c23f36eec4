"""The calls of a hop, judged one by one."""

from answerable.reach.context import NOTHING, Known
from answerable.reach.estate import Estate
from answerable.reach.evaluate import Answer, surely
from answerable.reach.judge import judged
from answerable.reach.principals import Principal
from answerable.reach.services import binds_rcps, has_resource_policies


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
    folded = action.lower()
    if not (has_resource_policies(folded) or binds_rcps(folded)):
        sure = surely(principal, folded)
        if sure is not None:
            return sure
    return judged(estate, principal, estate.hop(action, resource, known))
