"""Evaluate one request of a caller outside the snapshot, by resource policies.

Source: AWS IAM User Guide, "Policy evaluation logic" and "Cross-account policy
evaluation logic". The policies of a foreign principal's own account are not
available; coverage names them.
"""

from answerable.reach.aws.compiled.accounts import CompiledAccounts
from answerable.reach.aws.compiled.external_callers import (
    ExternalCaller,
    ExternalCallerKind,
    match_principal_to_external_caller,
)
from answerable.reach.aws.compiled.principal_matching import NamingFormulas
from answerable.reach.aws.compiled.s3_public_access import apply_public_access_block
from answerable.reach.aws.compiled.service_facts import (
    TRUST_POLICY_ACTIONS,
    needs_no_permission,
)
from answerable.reach.aws.compiled.statements import CompiledStatement
from answerable.reach.aws.evaluation.context_keys import ContextKeys
from answerable.reach.aws.evaluation.evaluate_principal import (
    build_result_without_permission_check,
    build_uncollected_policy_result,
    evaluate_through_s3_access_point,
    find_policy_of_requested_resource,
)
from answerable.reach.aws.evaluation.pattern_requests import (
    evaluate_resource_policies_on_pattern,
)
from answerable.reach.aws.evaluation.policy_layers import (
    evaluate_vpc_endpoint_policy,
    match_rcps,
)
from answerable.reach.aws.evaluation.request import (
    IMPLICIT_DENY,
    AppliedStatements,
    AwsRequest,
    Evaluation,
    ResourcePolicyResult,
    describe_statement,
)
from answerable.reach.aws.evaluation.resource_policies import (
    ResourcePolicy,
    evaluate_resource_policy_for_caller,
)
from answerable.reach.condition_formula import (
    FALSE,
    TRUE,
    Formula,
    conjoin,
    disjoin,
    negate,
)
from answerable.reach.platform import DeterminingStatement


def is_role_or_session(caller: str) -> bool:
    """Return whether a caller's ARN is of a role or a session."""
    return any(
        kind in caller for kind in (":role/", ":assumed-role/", ":federated-user/")
    )


def evaluate_external_request(
    accounts: CompiledAccounts, caller: ExternalCaller, request: AwsRequest
) -> Evaluation:
    """Evaluate one request of a caller outside the snapshot."""
    foreign = caller.kind is ExternalCallerKind.FOREIGN
    is_free_ = needs_no_permission(
        request.action, in_session=is_role_or_session(caller.id)
    )
    if foreign and is_free_ is not None:
        return build_result_without_permission_check(request.action, allowed=is_free_)
    front = _evaluate_policies_of_resource(accounts, caller, request)
    known = request.known.merge_over(caller.collect_known_condition_keys(request.parts))
    return evaluate_through_s3_access_point(
        accounts,
        request,
        front,
        known,
        lambda inner: _evaluate_policies_of_resource(accounts, caller, inner),
    )


def _evaluate_policies_of_resource(
    accounts: CompiledAccounts, caller: ExternalCaller, request: AwsRequest
) -> Evaluation:
    """Evaluate resource policy, endpoint policy and RCPs for an outside caller."""
    known = request.known.merge_over(caller.collect_known_condition_keys(request.parts))
    side = _evaluate_resource_policy_alone(accounts, caller, request, known)
    allowed = disjoin(side.escaping, side.direct, side.account)
    if caller.kind is not ExternalCallerKind.FOREIGN:
        allowed = side.direct
    gaps = side.gaps
    denies: AppliedStatements = []
    by: list[DeterminingStatement] = []
    if request.endpoint:
        bar, denies = evaluate_vpc_endpoint_policy(
            request.endpoint,
            lambda clause: match_principal_to_external_caller(clause, caller, known),
            request,
            known,
        )
        allowed = conjoin(allowed, bar.formula)
        by = [describe_statement(grant) for grant, _ in bar.applied]
        if bar.formula == FALSE:
            by = [DeterminingStatement(bar.layer.value, bar.target, "", IMPLICIT_DENY)]
        gaps += request.endpoint.gaps
    if request.rcps:
        denies += match_rcps(request, known)
        gaps += tuple(gap for fence in request.rcps for gap in fence.gaps)
    may = (gap.get_open_condition("Denies") for gap in gaps)
    denied = disjoin(side.denied, *(f for _, f in denies), *may)
    formula = conjoin(allowed, side.also, negate(denied))
    return Evaluation(
        formula, _list_determining_statements(formula, side, denies, by), gaps
    )


def _list_determining_statements(
    formula: Formula,
    policy_result: ResourcePolicyResult,
    denies: AppliedStatements,
    endpoint_statements: list[DeterminingStatement],
) -> tuple[DeterminingStatement, ...]:
    """List the statements that decided an outside caller's request."""
    found = [
        *policy_result.determining,
        *(describe_statement(grant) for grant, _ in denies),
    ]
    if formula != FALSE:
        return tuple(dict.fromkeys([*found, *endpoint_statements]))
    sure = [describe_statement(grant) for grant, f in denies if f == TRUE]
    sure += policy_result.denying
    if sure:
        return tuple(dict.fromkeys(sure))
    missing = [d for d in endpoint_statements if d.effect == IMPLICIT_DENY]
    if not (policy_result.escaping or policy_result.direct or policy_result.account):
        missing.append(
            DeterminingStatement(
                policy_result.layer.value, policy_result.policy, "", IMPLICIT_DENY
            )
        )
    return tuple(dict.fromkeys([*missing, *found]))


def _evaluate_resource_policy_alone(
    accounts: CompiledAccounts,
    caller: ExternalCaller,
    request: AwsRequest,
    known_keys: ContextKeys,
) -> ResourcePolicyResult:
    """Evaluate the resource policy alone for an outside caller."""

    def namer(statement: CompiledStatement) -> NamingFormulas:
        return match_principal_to_external_caller(
            statement,
            caller,
            known_keys,
            starts_session=request.action in TRUST_POLICY_ACTIONS,
        )

    if request.wild:
        return evaluate_resource_policies_on_pattern(
            accounts, request, known_keys, namer, same_account=False
        )
    own = find_policy_of_requested_resource(accounts, request)
    if own is None:
        return build_uncollected_policy_result(request, same_account=False)
    side = evaluate_resource_policy_for_caller(own, namer, request, known_keys)
    if caller.kind is ExternalCallerKind.SERVICE or not isinstance(own, ResourcePolicy):
        return side
    return apply_public_access_block(accounts, own, request, side)
