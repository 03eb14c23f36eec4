"""Assuming a role, with both sides: the caller's policies and the role's trust."""

from answerable.model.ids import IdentityId
from answerable.reach.context import NOTHING, Known
from answerable.reach.estate import Estate
from answerable.reach.evaluate import (
    Answer,
    Determining,
    Side,
    decide,
    name,
    surely,
)
from answerable.reach.formula import FALSE, TRUE, either
from answerable.reach.principals import Principal
from answerable.reach.trust import ASSUME, Trust, names, same_account, side_of


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
    trust = estate.trusts[role]
    sure = surely(principal, ASSUME)
    if trust.plain and sure is not None and sure.formula == TRUE:
        return _plain(trust, principal, sure)
    call = estate.hop(ASSUME, role, known) if hop else estate.call(ASSUME, role)
    if not trust.collected and not trust.gaps:
        return decide(principal, call)
    return decide(principal, call, side_of(trust, principal, call))


def _plain(trust: Trust, principal: Principal, sure: Answer) -> Answer:
    """Join a caller who may assume anything with a trust that states no condition."""
    formula = FALSE
    said = []
    for grant in trust.grants:
        if grant.clause.takes_action(ASSUME):
            named = names(grant.clause, principal)
            if named:
                said.append(name(grant))
                formula = either(formula, *(when for _, when in named))
    if formula == FALSE:
        by = Determining("trust", f"{trust.role}#trust", "", "implicit-deny")
        return Answer(FALSE, (by,))
    return Answer(formula, (*sure.determining, *said))


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
