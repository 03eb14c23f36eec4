"""Evaluate `sts:AssumeRole` by the caller's policies and the role's trust policy."""

from answerable.model.ids import IdentityId
from answerable.reach.aws.compiled.accounts import CompiledAccounts
from answerable.reach.aws.compiled.principal_matching import match_principal
from answerable.reach.aws.compiled.principals import CompiledPrincipal
from answerable.reach.aws.evaluation.context_keys import NO_KEYS, ContextKeys
from answerable.reach.aws.evaluation.evaluate_principal import (
    evaluate_principal_request,
)
from answerable.reach.aws.evaluation.policy_layers import (
    evaluate_action_for_all_resources,
    evaluate_request_by_all_layers,
)
from answerable.reach.aws.evaluation.request import (
    IMPLICIT_DENY,
    Evaluation,
    ResourcePolicyResult,
    describe_statement,
)
from answerable.reach.aws.evaluation.trust_policies import ASSUME_ROLE, RoleTrust
from answerable.reach.condition_formula import FALSE, TRUE, disjoin
from answerable.reach.platform import DeterminingStatement


def evaluate_assume_role(
    accounts: CompiledAccounts, principal: CompiledPrincipal, role: IdentityId
) -> Evaluation:
    """Evaluate whether a principal may assume a role, as a hop of a path."""
    return evaluate_assume_role_with_keys(accounts, principal, role, NO_KEYS, hop=True)


def evaluate_assume_role_with_keys(
    accounts: CompiledAccounts,
    principal: CompiledPrincipal,
    role: IdentityId,
    known_keys: ContextKeys,
    *,
    hop: bool,
) -> Evaluation:
    """Evaluate a role assumption with known keys, as a hop or as the call itself.

    A trust policy that was not collected leaves the answer open.
    """
    trust = accounts.trusts[role]
    free = trust.rcps is None and (hop or accounts.endpoint is None)
    sure = (
        evaluate_action_for_all_resources(principal, ASSUME_ROLE)
        if trust.plain and free
        else None
    )
    if sure is not None and sure.formula == TRUE:
        return _combine_with_unconditional_trust(trust, principal, sure, accounts.given)
    call = (
        accounts.build_hop_request(ASSUME_ROLE, role, known_keys)
        if hop
        else accounts.build_request(ASSUME_ROLE, role)
    )
    return evaluate_principal_request(accounts, principal, call)


def _combine_with_unconditional_trust(
    trust: RoleTrust,
    principal: CompiledPrincipal,
    caller_result: Evaluation,
    stated_keys: ContextKeys,
) -> Evaluation:
    """Combine an unrestricted caller with a trust policy without conditions."""
    formula = FALSE
    said = []
    for grant in trust.select_statements(ASSUME_ROLE):
        named = match_principal(
            grant.clause, principal, stated_keys, starts_session=True
        )
        if named:
            said.append(describe_statement(grant))
            formula = disjoin(formula, *(when for _, when in named))
    if formula == FALSE:
        by = DeterminingStatement("trust", trust.policy, "", IMPLICIT_DENY)
        return Evaluation(FALSE, (by,))
    return Evaluation(formula, (*caller_result.determining, *said))


def evaluate_after_trust_edit(
    accounts: CompiledAccounts, principal: CompiledPrincipal, role: IdentityId
) -> Evaluation:
    """Evaluate whether a principal may assume a role once its trust policy names it.

    The role may be one that does not exist yet; its account is in its ARN.
    """
    itself = TRUE if not principal.is_role else FALSE
    side = ResourcePolicyResult(
        escaping=itself,
        direct=TRUE,
        account=FALSE,
        denied=FALSE,
        same_account=role.split(":", 5)[4] == principal.identity.account,
        determining=(),
    )
    return evaluate_request_by_all_layers(
        principal, accounts.build_hop_request(ASSUME_ROLE, role), side
    )
