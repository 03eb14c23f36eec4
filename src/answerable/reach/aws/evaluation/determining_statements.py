"""List the statements that decided a result, and the layers that did not allow."""

from answerable.model.policy import PolicyLayer
from answerable.reach.aws.compiled.principals import CompiledPrincipal
from answerable.reach.aws.compiled.statements import PolicyStatement
from answerable.reach.aws.evaluation.request import (
    IMPLICIT_DENY,
    AppliedStatements,
    EvaluationParts,
    ResourcePolicyResult,
    describe_gap,
    describe_statement,
)
from answerable.reach.condition_formula import FALSE, TRUE
from answerable.reach.platform import DeterminingStatement


def list_deciding_statements(
    principal: CompiledPrincipal,
    parts: EvaluationParts,
    policy_result: ResourcePolicyResult | None,
) -> tuple[DeterminingStatement, ...]:
    """List the statements that decided a result; for a denial, those that deny."""
    if parts.formula == FALSE:
        return _list_denying_statements(principal, parts, policy_result)
    named = [
        describe_statement(g) for g in _select_unconditional_statements(parts.allows)
    ]
    for bar in parts.bars:
        named += [
            describe_statement(g) for g in _select_unconditional_statements(bar.applied)
        ]
    theirs = policy_result.determining if policy_result else ()
    denied = [describe_statement(grant) for grant, _ in parts.denies]
    unread = [describe_gap(gap) for gap in parts.gaps]
    return tuple(dict.fromkeys([*named, *theirs, *denied, *unread]))


def _list_denying_statements(
    principal: CompiledPrincipal,
    parts: EvaluationParts,
    policy_result: ResourcePolicyResult | None,
) -> tuple[DeterminingStatement, ...]:
    """List the explicit denies; if none, every layer that does not allow."""
    sure = [describe_statement(grant) for grant, f in parts.denies if f == TRUE]
    sure += policy_result.denying if policy_result else ()
    if sure:
        return tuple(dict.fromkeys(sure))
    missing = [describe_statement(grant) for grant, _ in parts.denies]
    if not parts.allowed and not _does_resource_policy_alone_allow(policy_result):
        missing.append(
            DeterminingStatement(
                PolicyLayer.IDENTITY.value, principal.id, "", IMPLICIT_DENY
            )
        )
    missing += [
        DeterminingStatement(bar.layer.value, bar.target, "", IMPLICIT_DENY)
        for bar in parts.bars
        if bar.formula == FALSE
    ]
    if policy_result and _lacks_required_resource_policy_allow(policy_result):
        missing.append(
            DeterminingStatement(
                policy_result.layer.value, policy_result.policy, "", IMPLICIT_DENY
            )
        )
    if policy_result:
        missing += [d for d in policy_result.determining if d.effect == IMPLICIT_DENY]
    return tuple(dict.fromkeys(missing)) or (
        policy_result.determining if policy_result else ()
    )


def _does_resource_policy_alone_allow(
    policy_result: ResourcePolicyResult | None,
) -> bool:
    """Return whether the resource policy allows without identity policies."""
    if policy_result is None or not policy_result.same_account:
        return False
    return bool(policy_result.escaping or policy_result.direct)


def _lacks_required_resource_policy_allow(policy_result: ResourcePolicyResult) -> bool:
    """Return whether the resource policy had to allow and does not."""
    needed = policy_result.required or not policy_result.same_account
    return needed and not (
        policy_result.escaping or policy_result.direct or policy_result.account
    )


def _select_unconditional_statements(
    applied: AppliedStatements,
) -> list[PolicyStatement]:
    """Select the statements without conditions; if there are none, all."""
    sure = [grant for grant, formula in applied if formula == TRUE]
    return sure or [grant for grant, _ in applied]
