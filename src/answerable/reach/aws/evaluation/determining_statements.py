"""Determining statements of a result, and the layers that did not allow."""

from answerable.model.policy import PolicyLayer
from answerable.reach.aws.compiled.principals import CompiledPrincipal
from answerable.reach.aws.compiled.statements import PolicyStatement
from answerable.reach.aws.evaluation.request import (
    IMPLICIT_DENY,
    AppliedStatements,
    DeterminingStatement,
    EvaluationParts,
    ResourcePolicyResult,
    name_gap,
    name_statement,
)
from answerable.reach.formula import FALSE, TRUE


def list_determining(
    principal: CompiledPrincipal,
    weighed: EvaluationParts,
    side: ResourcePolicyResult | None,
) -> tuple[DeterminingStatement, ...]:
    """List the determining statements; of a denial, those that forbid it."""
    if weighed.formula == FALSE:
        return _list_denying(principal, weighed, side)
    named = [name_statement(g) for g in _select_deciding(weighed.allows)]
    for bar in weighed.bars:
        named += [name_statement(g) for g in _select_deciding(bar.applied)]
    theirs = side.determining if side else ()
    denied = [name_statement(grant) for grant, _ in weighed.denies]
    unread = [name_gap(gap) for gap in weighed.gaps]
    return tuple(dict.fromkeys([*named, *theirs, *denied, *unread]))


def _list_denying(
    principal: CompiledPrincipal,
    weighed: EvaluationParts,
    side: ResourcePolicyResult | None,
) -> tuple[DeterminingStatement, ...]:
    """List the explicit denies, else every layer that does not allow."""
    sure = [name_statement(grant) for grant, f in weighed.denies if f == TRUE]
    sure += side.denying if side else ()
    if sure:
        return tuple(dict.fromkeys(sure))
    missing = [name_statement(grant) for grant, _ in weighed.denies]
    if not weighed.allowed and not _does_resource_policy_suffice(side):
        missing.append(
            DeterminingStatement(
                PolicyLayer.IDENTITY.value, principal.id, "", IMPLICIT_DENY
            )
        )
    missing += [
        DeterminingStatement(bar.layer.value, bar.target, "", IMPLICIT_DENY)
        for bar in weighed.bars
        if bar.formula == FALSE
    ]
    if side and _is_resource_policy_missing(side):
        missing.append(
            DeterminingStatement(side.layer.value, side.policy, "", IMPLICIT_DENY)
        )
    if side:
        missing += [d for d in side.determining if d.effect == IMPLICIT_DENY]
    return tuple(dict.fromkeys(missing)) or (side.determining if side else ())


def _does_resource_policy_suffice(side: ResourcePolicyResult | None) -> bool:
    """Tell whether the resource policy allows without identity policies."""
    if side is None or not side.same_account:
        return False
    return bool(side.escaping or side.direct)


def _is_resource_policy_missing(side: ResourcePolicyResult) -> bool:
    """Tell whether the resource policy had to allow and does not."""
    needed = side.required or not side.same_account
    return needed and not (side.escaping or side.direct or side.account)


def _select_deciding(pairs: AppliedStatements) -> list[PolicyStatement]:
    sure = [grant for grant, formula in pairs if formula == TRUE]
    return sure or [grant for grant, _ in pairs]
