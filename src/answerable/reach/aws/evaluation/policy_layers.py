"""Evaluate one request by all policy layers of a principal, in three values.

Source: AWS IAM User Guide, "Policy evaluation logic". Order: explicit denies of every
layer; then allows of identity or resource policies; limited by boundary and session
policy, by every SCP level and by the endpoint policy.
"""

from collections.abc import Iterable

from answerable.model.policy import PolicyLayer
from answerable.reach.aws.compiled.limiting_policies import LimitingLayer
from answerable.reach.aws.compiled.principal_matching import match_principal
from answerable.reach.aws.compiled.principals import (
    CompiledPrincipal,
    MatchingStatements,
)
from answerable.reach.aws.compiled.statements import (
    PolicyGap,
    PolicyStatement,
    evaluate_on_part_of_pattern,
    evaluate_on_whole_pattern,
    evaluate_statement_on_resource,
)
from answerable.reach.aws.evaluation.context_keys import ContextKeys
from answerable.reach.aws.evaluation.determining_statements import (
    list_deciding_statements,
)
from answerable.reach.aws.evaluation.request import (
    DENY_KEY,
    AppliedStatements,
    AwsRequest,
    DeterminingStatements,
    Evaluation,
    EvaluationParts,
    LayerResult,
    ResourcePolicyResult,
    describe_statement,
)
from answerable.reach.aws.evaluation.resource_policies import Namer
from answerable.reach.condition_formula import (
    FALSE,
    TRUE,
    Formula,
    build_atom,
    conjoin,
    disjoin,
    negate,
)


def evaluate_action_for_all_resources(
    principal: CompiledPrincipal, action: str
) -> Evaluation | None:
    """Evaluate an action on every resource at once; None where resources differ.

    Args:
        principal: The principal.
        action: In lower case.

    Returns:
        A result that no resource can change, else None: always, when an unconditional
        statement allows the action on everything and nothing limits it; never, when
        nothing allows it, or a statement denies it on everything.
    """
    found = principal.select_statements(action)
    denies = found.every_deny
    if any(g.clause.wide for g in denies):
        return Evaluation(FALSE, tuple(describe_statement(g) for g in denies))
    if principal.gaps:
        return None
    if not found.allows or not all(
        allows for allows in _list_limiting_allows(principal, found)
    ):
        return Evaluation(FALSE, ())
    if denies or principal.boundary is not None or found.session:
        return None
    if not all(any(g.clause.wide for g in allows) for _, allows in found.levels):
        return None
    wide = [describe_statement(g) for g in found.allows if g.clause.wide]
    return Evaluation(TRUE, tuple(dict.fromkeys(wide))) if wide else None


def _list_limiting_allows(
    principal: CompiledPrincipal, matching: MatchingStatements
) -> list[tuple[PolicyStatement, ...]]:
    """List the allows of SCP levels, boundary and session policy, by layer."""
    limiting = [allows for _, allows in matching.levels]
    if principal.boundary is not None:
        limiting.append(matching.bounds)
    if matching.session:
        limiting.append(matching.session[1])
    return limiting


def evaluate_request_by_all_layers(
    principal: CompiledPrincipal,
    request: AwsRequest,
    policy_result: ResourcePolicyResult | None = None,
) -> Evaluation:
    """Evaluate a request by all layers, given the resource policy's result."""
    return evaluate_layers_with_known_keys(
        principal, request, request.collect_keys_for(principal), policy_result
    )


def evaluate_layers_with_known_keys(
    principal: CompiledPrincipal,
    request: AwsRequest,
    known_keys: ContextKeys,
    policy_result: ResourcePolicyResult | None,
) -> Evaluation:
    """Evaluate identity, boundary, session, SCP and resource policies of a request."""
    weighed = evaluate_every_layer(
        principal, request, known_keys, policy_result, every_layer=False
    )

    def because() -> DeterminingStatements:
        never = weighed.formula == FALSE
        every = (
            evaluate_every_layer(
                principal, request, known_keys, policy_result, every_layer=True
            )
            if never
            else weighed
        )
        return list_deciding_statements(principal, every, policy_result)

    return Evaluation(weighed.formula, because, weighed.gaps)


def evaluate_identity_policies(
    principal: CompiledPrincipal, request: AwsRequest, known_keys: ContextKeys
) -> Formula:
    """Evaluate the identity policies of a principal for a request."""
    found = principal.select_statements(request.action)
    if not found.allows and not principal.gaps:
        return FALSE
    allows = match_statements(found.allows, request, known_keys)
    return disjoin(*(f for _, f in allows), *_list_unread_policy_conditions(principal))


def evaluate_every_layer(
    principal: CompiledPrincipal,
    request: AwsRequest,
    known_keys: ContextKeys,
    policy_result: ResourcePolicyResult | None,
    *,
    every_layer: bool,
) -> EvaluationParts:
    """Evaluate every policy layer for a request, and combine the results.

    Args:
        principal: The principal.
        request: The request.
        known_keys: All known keys.
        policy_result: Result of the resource policy.
        every_layer: Collect every layer, also where nothing allows the request.
    """
    found = principal.select_statements(request.action)
    allows = match_statements(found.allows, request, known_keys)
    allowed = disjoin(
        *[f for _, f in allows], *_list_unread_policy_conditions(principal)
    )
    if (
        not every_layer
        and combine_identity_and_resource_policies(allowed, TRUE, policy_result)
        == FALSE
    ):
        return EvaluationParts(
            FALSE,
            allowed,
            allows,
            [],
            [],
            _list_unread_policies_and_statements(principal, request, policy_result),
        )
    soft = _evaluate_boundary_and_session_policy(principal, found, request, known_keys)
    hard = [
        _evaluate_limit(level, match_statements(g, request, known_keys))
        for level, g in found.levels
    ]
    denies = match_denies(found.every_deny, request, known_keys)
    gaps = _list_unread_policies_and_statements(principal, request, policy_result)
    if request.rcps and not principal.linked:
        denies += match_rcps(request, known_keys)
    if request.endpoint:
        bar, more = evaluate_vpc_endpoint_policy(
            request.endpoint,
            lambda clause: match_principal(clause, principal, known_keys),
            request,
            known_keys,
        )
        hard.append(bar)
        denies += more
    limit = conjoin(*[bar.formula for bar in soft])
    formula = combine_identity_and_resource_policies(allowed, limit, policy_result)
    if hard:
        formula = conjoin(formula, *[bar.formula for bar in hard])
    if policy_result:
        formula = conjoin(formula, policy_result.also)
    if denies or gaps or (policy_result and policy_result.denied != FALSE):
        denied = disjoin(
            *[f for _, f in denies], *[g.get_open_condition("Denies") for g in gaps]
        )
        if policy_result:
            denied = disjoin(denied, policy_result.denied)
        formula = conjoin(formula, negate(denied))
    return EvaluationParts(formula, allowed, allows, soft + hard, denies, gaps)


def _list_unread_policies_and_statements(
    principal: CompiledPrincipal,
    request: AwsRequest,
    policy_result: ResourcePolicyResult | None,
) -> tuple[PolicyGap, ...]:
    """List all policies and statements that were not read and could matter."""
    gaps = principal.gaps
    if request.rcps and not principal.linked:
        gaps += tuple(gap for fence in request.rcps for gap in fence.gaps)
    if request.endpoint:
        gaps += request.endpoint.gaps
    return gaps + policy_result.gaps if policy_result else gaps


def _list_unread_policy_conditions(principal: CompiledPrincipal) -> list[Formula]:
    """List an open condition per unread identity policy, which may allow."""
    if not principal.gaps:
        return []
    return [
        gap.get_open_condition("Allows")
        for gap in principal.list_unread_policies_of_layer(PolicyLayer.IDENTITY)
    ]


def _evaluate_boundary_and_session_policy(
    principal: CompiledPrincipal,
    matching: MatchingStatements,
    request: AwsRequest,
    known_keys: ContextKeys,
) -> list[LayerResult]:
    """Evaluate the permissions boundary and the session policy."""
    bars = []
    if principal.boundary is not None:
        bounds = match_statements(matching.bounds, request, known_keys)
        gaps = principal.list_unread_policies_of_layer(PolicyLayer.BOUNDARY)
        formula = evaluate_permissions_boundary(principal, bounds, gaps)
        target = principal.boundary_id
        bars.append(LayerResult(PolicyLayer.BOUNDARY, target, bounds, gaps, formula))
    if matching.session:
        limit, allows = matching.session
        bars.append(
            _evaluate_limit(limit, match_statements(allows, request, known_keys))
        )
    return bars


def _evaluate_limit(limit: LimitingLayer, allows: AppliedStatements) -> LayerResult:
    """Evaluate a limiting layer: one of its allows must apply."""
    may = [gap.get_open_condition("Allows") for gap in limit.gaps]
    formula = disjoin(*[f for _, f in allows], *may)
    return LayerResult(limit.layer, limit.target, allows, limit.gaps, formula)


def evaluate_vpc_endpoint_policy(
    endpoint: LimitingLayer,
    match_caller: Namer,
    request: AwsRequest,
    known_keys: ContextKeys,
) -> tuple[LayerResult, AppliedStatements]:
    """Evaluate a VPC endpoint policy; its statements have a Principal element."""
    spoken = endpoint.select_statements(request.action)

    def named(pairs: AppliedStatements) -> AppliedStatements:
        found = []
        for grant, formula in pairs:
            when = disjoin(*(f for _, f in match_caller(grant.clause)))
            held = conjoin(formula, when)
            if held != FALSE:
                found.append((grant, held))
        return found

    allows = named(match_statements(spoken.allows, request, known_keys))
    return _evaluate_limit(endpoint, allows), named(
        match_denies(spoken.denies, request, known_keys)
    )


def match_statements(
    statements: Iterable[PolicyStatement], request: AwsRequest, known_keys: ContextKeys
) -> AppliedStatements:
    """Pair each statement that may apply to a request with its condition."""
    held = evaluate_on_whole_pattern if request.wild else evaluate_statement_on_resource
    parts = request.parts
    found = []
    for grant in statements:
        formula = held(grant.clause, parts, known_keys)
        if formula:
            found.append((grant, formula))
    return found


def match_denies(
    denies: Iterable[PolicyStatement], request: AwsRequest, known_keys: ContextKeys
) -> AppliedStatements:
    """Pair each deny that may apply to a request with its condition."""
    if not request.wild:
        return match_statements(denies, request, known_keys)
    pairs = (
        (grant, _apply_partial_deny(grant, request, known_keys)) for grant in denies
    )
    return [(grant, formula) for grant, formula in pairs if formula != FALSE]


def _apply_partial_deny(
    statement: PolicyStatement, request: AwsRequest, known_keys: ContextKeys
) -> Formula:
    """Evaluate a deny on a pattern; left open if it covers only a part."""
    whole = evaluate_on_whole_pattern(statement.clause, request.parts, known_keys)
    return disjoin(whole, build_partial_deny(statement, request, known_keys))


def build_partial_deny(
    statement: PolicyStatement, request: AwsRequest, known_keys: ContextKeys
) -> Formula:
    """Build the open condition of a deny that may apply to a part of the pattern."""
    part = evaluate_on_part_of_pattern(statement.clause, request.parts, known_keys)
    if part == FALSE:
        return FALSE
    by = describe_statement(statement)
    return conjoin(
        part, build_atom(DENY_KEY, "Matches", (f"{by.policy}#{by.statement}",))
    )


def match_rcps(request: AwsRequest, known_keys: ContextKeys) -> AppliedStatements:
    """Pair each RCP deny that may apply to a request with its condition."""
    grants = tuple(
        dict.fromkeys(
            g for fence in request.rcps for g in fence.select_denies(request.action)
        )
    )
    if request.owner or not request.wild:
        return match_denies(grants, request, known_keys)
    pairs = (
        (grant, build_partial_deny(grant, request, known_keys)) for grant in grants
    )
    return [(grant, formula) for grant, formula in pairs if formula != FALSE]


def evaluate_permissions_boundary(
    principal: CompiledPrincipal, allows: AppliedStatements, gaps: tuple[PolicyGap, ...]
) -> Formula:
    """Evaluate the permissions boundary; an empty boundary allows nothing."""
    if principal.boundary is None:
        return TRUE
    return disjoin(
        *(f for _, f in allows), *(g.get_open_condition("Allows") for g in gaps)
    )


def combine_identity_and_resource_policies(
    allowed: Formula, limiting: Formula, policy_result: ResourcePolicyResult | None
) -> Formula:
    """Combine both policy kinds: either suffices in one account, both across.

    In one account either suffices, unless the resource policy is required: one that
    names the account alone delegates to identity policies. Across accounts both must
    allow.

    Args:
        allowed: Result of the identity policies.
        limiting: Result of boundary and session policy.
        policy_result: Result of the resource policy.
    """
    if policy_result is None:
        return conjoin(allowed, limiting)
    if not policy_result.same_account:
        return conjoin(
            allowed,
            limiting,
            disjoin(
                policy_result.escaping, policy_result.direct, policy_result.account
            ),
        )
    own = conjoin(policy_result.account, allowed) if policy_result.required else allowed
    named = conjoin(disjoin(policy_result.direct, own), limiting)
    return disjoin(policy_result.escaping, named)
