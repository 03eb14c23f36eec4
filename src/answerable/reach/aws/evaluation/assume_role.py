"""Evaluation of `sts:AssumeRole`: the caller's policies and the trust policy."""

from answerable.model.ids import IdentityId
from answerable.reach.aws.compiled.accounts import Estate
from answerable.reach.aws.compiled.principal_matching import names
from answerable.reach.aws.compiled.principals import Principal
from answerable.reach.aws.evaluation.context_keys import NOTHING, Known
from answerable.reach.aws.evaluation.evaluate_principal import judged
from answerable.reach.aws.evaluation.policy_layers import decide, surely
from answerable.reach.aws.evaluation.request import (
    IMPLICIT,
    Answer,
    Determining,
    Side,
    name,
)
from answerable.reach.aws.evaluation.trust import ASSUME, Trust
from answerable.reach.formula import FALSE, TRUE, either


def assume(estate: Estate, principal: Principal, role: IdentityId) -> Answer:
    """Evaluate whether a principal may assume a role, as a hop of a path."""
    return assume_with(estate, principal, role, NOTHING, hop=True)


def assume_with(
    estate: Estate,
    principal: Principal,
    role: IdentityId,
    known: Known,
    *,
    hop: bool,
) -> Answer:
    """Evaluate the same with known keys, for a hop or for the call asked about.

    A trust policy that was not collected leaves the answer open.
    """
    trust = estate.trusts[role]
    free = trust.fence is None and (hop or estate.endpoint is None)
    sure = surely(principal, ASSUME) if trust.plain and free else None
    if sure is not None and sure.formula == TRUE:
        return _plain(trust, principal, sure, estate.given)
    call = estate.hop(ASSUME, role, known) if hop else estate.call(ASSUME, role)
    return judged(estate, principal, call)


def _plain(trust: Trust, principal: Principal, sure: Answer, given: Known) -> Answer:
    """Combine an unrestricted caller with a trust policy without conditions."""
    formula = FALSE
    said = []
    for grant in trust.speaking(ASSUME):
        named = names(grant.clause, principal, given, trusts=True)
        if named:
            said.append(name(grant))
            formula = either(formula, *(when for _, when in named))
    if formula == FALSE:
        by = Determining("trust", trust.policy, "", IMPLICIT)
        return Answer(FALSE, (by,))
    return Answer(formula, (*sure.determining, *said))


def assume_after_edit(estate: Estate, principal: Principal, role: IdentityId) -> Answer:
    """Evaluate whether a principal may assume a role once its trust policy names it.

    The role may be one that does not exist yet; its account is in its ARN.
    """
    itself = TRUE if not principal.is_role else FALSE
    side = Side(
        escaping=itself,
        direct=TRUE,
        account=FALSE,
        denied=FALSE,
        same_account=role.split(":", 5)[4] == principal.identity.account,
        determining=(),
    )
    return decide(principal, estate.hop(ASSUME, role), side)
