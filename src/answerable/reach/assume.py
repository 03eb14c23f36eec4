"""Assuming a role, with both sides: the caller's policies and the role's trust."""

from answerable.model.ids import IdentityId
from answerable.reach.context import NOTHING, Known
from answerable.reach.estate import Estate
from answerable.reach.evaluate import Answer, Side, decide
from answerable.reach.formula import FALSE, TRUE
from answerable.reach.principals import Principal
from answerable.reach.trust import ASSUME, Trust, same_account, side_of


def assume(estate: Estate, principal: Principal, role: IdentityId) -> Answer:
    """Say when a principal may assume a role of the snapshot."""
    return assume_with(estate, principal, role, NOTHING, hop=True)


def assume_with(
    estate: Estate,
    principal: Principal,
    role: IdentityId,
    known: Known,
    *,
    hop: bool,
) -> Answer:
    """Say the same with keys known of the call, for a hop or for the call asked about.

    A role whose trust policy was not collected is judged by the caller's side alone;
    coverage then names `role-trust`.
    """
    call = estate.hop(ASSUME, role, known) if hop else estate.call(ASSUME, role)
    trust = estate.trusts[role]
    if not trust.collected and not trust.gaps:
        return decide(principal, call)
    return decide(principal, call, side_of(trust, principal, call))


def assume_after_edit(estate: Estate, principal: Principal, role: IdentityId) -> Answer:
    """Say when a principal may assume a role once the trust names it."""
    trust: Trust = estate.trusts[role]
    itself = TRUE if not principal.is_role else FALSE
    side = Side(
        escaping=itself,
        direct=TRUE,
        account=FALSE,
        denied=FALSE,
        same_account=same_account(trust, principal),
        determining=(),
    )
    return decide(principal, estate.hop(ASSUME, role), side)
