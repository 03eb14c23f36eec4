"""Evaluation of one request of a caller outside the snapshot, by resource policies.

Source: AWS IAM User Guide, "Policy evaluation logic" and "Cross-account policy
evaluation logic". The policies of a foreign principal's own account are not
available; coverage names them.
"""

from answerable.reach.aws.compiled.accounts import CompiledAccounts
from answerable.reach.aws.compiled.external_callers import (
    ExternalCaller,
    ExternalCallerKind,
    match_caller,
)
from answerable.reach.aws.compiled.principal_matching import NamingFormulas
from answerable.reach.aws.compiled.s3_public_access import apply_public_access_block
from answerable.reach.aws.compiled.service_facts import needs_no_permission
from answerable.reach.aws.compiled.statements import CompiledStatement
from answerable.reach.aws.evaluation.context_keys import ContextKeys
from answerable.reach.aws.evaluation.evaluate_principal import (
    answer_without_permission,
    assume_uncollected_policy,
    evaluate_through_access_point,
    find_resource_policy,
)
from answerable.reach.aws.evaluation.pattern_requests import (
    evaluate_policies_on_pattern,
)
from answerable.reach.aws.evaluation.policy_layers import (
    apply_rcps,
    evaluate_endpoint_policy,
)
from answerable.reach.aws.evaluation.request import (
    IMPLICIT_DENY,
    AppliedStatements,
    AwsRequest,
    DeterminingStatement,
    Evaluation,
    ResourcePolicyResult,
    name_statement,
)
from answerable.reach.aws.evaluation.resource_policies import (
    ResourcePolicy,
    evaluate_policy,
)
from answerable.reach.formula import FALSE, TRUE, Formula, conjoin, disjoin, negate


def is_role_or_session(caller: str) -> bool:
    """Tell whether a caller is a role or a session."""
    return any(
        kind in caller for kind in (":role/", ":assumed-role/", ":federated-user/")
    )


def evaluate_external_request(
    estate: CompiledAccounts, caller: ExternalCaller, call: AwsRequest
) -> Evaluation:
    """Evaluate a possible call of an outside caller, with determining statements."""
    foreign = caller.kind is ExternalCallerKind.FOREIGN
    is_free_ = needs_no_permission(
        call.action, of_session=is_role_or_session(caller.id)
    )
    if foreign and is_free_ is not None:
        return answer_without_permission(call.action, allowed=is_free_)
    front = _evaluate_resource_side(estate, caller, call)
    known = call.known.merge_over(caller.collect_known_keys(call.parts))
    return evaluate_through_access_point(
        estate,
        call,
        front,
        known,
        lambda inner: _evaluate_resource_side(estate, caller, inner),
    )


def _evaluate_resource_side(
    estate: CompiledAccounts, caller: ExternalCaller, call: AwsRequest
) -> Evaluation:
    known = call.known.merge_over(caller.collect_known_keys(call.parts))
    side = _evaluate_resource_policy(estate, caller, call, known)
    allowed = disjoin(side.escaping, side.direct, side.account)
    if caller.kind is not ExternalCallerKind.FOREIGN:
        allowed = side.direct
    gaps = side.gaps
    denies: AppliedStatements = []
    by: list[DeterminingStatement] = []
    if call.endpoint:
        bar, denies = evaluate_endpoint_policy(
            call.endpoint, lambda clause: match_caller(clause, caller), call, known
        )
        allowed = conjoin(allowed, bar.formula)
        by = [name_statement(grant) for grant, _ in bar.applied]
        if bar.formula == FALSE:
            by = [DeterminingStatement(bar.layer.value, bar.target, "", IMPLICIT_DENY)]
        gaps += call.endpoint.gaps
    if call.fences:
        denies += apply_rcps(call, known)
        gaps += tuple(gap for fence in call.fences for gap in fence.gaps)
    may = (gap.get_open_condition("Denies") for gap in gaps)
    denied = disjoin(side.denied, *(f for _, f in denies), *may)
    formula = conjoin(allowed, side.also, negate(denied))
    return Evaluation(formula, _list_determining(formula, side, denies, by), gaps)


def _list_determining(
    formula: Formula,
    side: ResourcePolicyResult,
    denies: AppliedStatements,
    limits: list[DeterminingStatement],
) -> tuple[DeterminingStatement, ...]:
    found = [*side.determining, *(name_statement(grant) for grant, _ in denies)]
    if formula != FALSE:
        return tuple(dict.fromkeys([*found, *limits]))
    sure = [name_statement(grant) for grant, f in denies if f == TRUE]
    sure += side.denying
    if sure:
        return tuple(dict.fromkeys(sure))
    missing = [d for d in limits if d.effect == IMPLICIT_DENY]
    if not (side.escaping or side.direct or side.account):
        missing.append(
            DeterminingStatement(side.layer.value, side.policy, "", IMPLICIT_DENY)
        )
    return tuple(dict.fromkeys([*missing, *found]))


def _evaluate_resource_policy(
    estate: CompiledAccounts,
    caller: ExternalCaller,
    call: AwsRequest,
    known: ContextKeys,
) -> ResourcePolicyResult:
    def namer(clause: CompiledStatement) -> NamingFormulas:
        return match_caller(clause, caller)

    if call.wild:
        return evaluate_policies_on_pattern(estate, call, known, namer, near=False)
    own = find_resource_policy(estate, call)
    if own is None:
        return assume_uncollected_policy(call, near=False)
    side = evaluate_policy(own, namer, call, known)
    if caller.kind is ExternalCallerKind.SERVICE or not isinstance(own, ResourcePolicy):
        return side
    return apply_public_access_block(estate, own, call, side)
