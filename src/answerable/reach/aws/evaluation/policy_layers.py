"""Evaluation of one request of one principal, in three values.

Source: AWS IAM User Guide, "Policy evaluation logic". Order: explicit denies of every
layer; then allows of identity or resource policies; limited by boundary and session
policy, by every SCP level and by the endpoint policy.
"""

from collections.abc import Iterable

from answerable.model.policy import PolicyLayer
from answerable.reach.aws.compiled.organization_policies import LimitingLayer
from answerable.reach.aws.compiled.principal_matching import match_principal
from answerable.reach.aws.compiled.principals import (
    CompiledPrincipal,
    MatchingStatements,
)
from answerable.reach.aws.compiled.statements import (
    PolicyGap,
    PolicyStatement,
    evaluate_for_all,
    evaluate_for_some,
    evaluate_statement,
)
from answerable.reach.aws.evaluation.context_keys import ContextKeys
from answerable.reach.aws.evaluation.determining_statements import list_determining
from answerable.reach.aws.evaluation.request import (
    DENY_KEY,
    AppliedStatements,
    AwsRequest,
    DeterminingStatements,
    Evaluation,
    EvaluationParts,
    LayerResult,
    ResourcePolicyResult,
    name_statement,
)
from answerable.reach.aws.evaluation.resource_policies import Namer
from answerable.reach.formula import (
    FALSE,
    TRUE,
    Formula,
    build_atom,
    conjoin,
    disjoin,
    negate,
)


def evaluate_for_all_resources(
    principal: CompiledPrincipal, action: str
) -> Evaluation | None:
    """Evaluate an action for every resource at once, by the principal's own policies.

    Args:
        principal: The principal.
        action: In lower case.

    Returns:
        A result that no resource can change, else None: always, when an unconditional
        statement allows the action on everything and nothing limits it; never, when
        nothing allows it, or a statement denies it on everything.
    """
    found = principal.match_action(action)
    denies = found.every_deny
    if any(g.clause.wide for g in denies):
        return Evaluation(FALSE, tuple(name_statement(g) for g in denies))
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
    wide = [name_statement(g) for g in found.allows if g.clause.wide]
    return Evaluation(TRUE, tuple(dict.fromkeys(wide))) if wide else None


def _list_limiting_allows(
    principal: CompiledPrincipal, found: MatchingStatements
) -> list[tuple[PolicyStatement, ...]]:
    limiting = [allows for _, allows in found.levels]
    if principal.boundary is not None:
        limiting.append(found.bounds)
    if found.session:
        limiting.append(found.session[1])
    return limiting


def evaluate_request(
    principal: CompiledPrincipal,
    call: AwsRequest,
    side: ResourcePolicyResult | None = None,
) -> Evaluation:
    """Evaluate a request, with the result of a resource policy if there is one."""
    return evaluate_with_keys(principal, call, call.collect_keys_for(principal), side)


def evaluate_with_keys(
    principal: CompiledPrincipal,
    call: AwsRequest,
    known: ContextKeys,
    side: ResourcePolicyResult | None,
) -> Evaluation:
    """Evaluate a request whose known keys are merged already."""
    weighed = collect_parts(principal, call, known, side, whole=False)

    def because() -> DeterminingStatements:
        never = weighed.formula == FALSE
        every = (
            collect_parts(principal, call, known, side, whole=True)
            if never
            else weighed
        )
        return list_determining(principal, every, side)

    return Evaluation(weighed.formula, because, weighed.gaps)


def evaluate_identity_policies(
    principal: CompiledPrincipal, call: AwsRequest, known: ContextKeys
) -> Formula:
    """Evaluate the identity policies of a principal for a request."""
    found = principal.match_action(call.action)
    if not found.allows and not principal.gaps:
        return FALSE
    allows = apply_statements(found.allows, call, known)
    return disjoin(*(f for _, f in allows), *_list_unread_allows(principal))


def collect_parts(
    principal: CompiledPrincipal,
    call: AwsRequest,
    known: ContextKeys,
    side: ResourcePolicyResult | None,
    *,
    whole: bool,
) -> EvaluationParts:
    """Collect all statements that apply to a request, and combine them.

    Args:
        principal: The principal.
        call: The request.
        known: All known keys.
        side: Result of the resource policy.
        whole: Collect every layer, also where nothing allows the request.
    """
    found = principal.match_action(call.action)
    allows = apply_statements(found.allows, call, known)
    allowed = disjoin(*[f for _, f in allows], *_list_unread_allows(principal))
    if not whole and combine_sides(allowed, TRUE, side) == FALSE:
        return EvaluationParts(
            FALSE, allowed, allows, [], [], _list_gaps(principal, call, side)
        )
    soft = _evaluate_boundary_and_session(principal, found, call, known)
    hard = [
        _evaluate_layer(level, apply_statements(g, call, known))
        for level, g in found.levels
    ]
    denies = apply_denies(found.every_deny, call, known)
    gaps = _list_gaps(principal, call, side)
    if call.fences and not principal.linked:
        denies += apply_rcps(call, known)
    if call.endpoint:
        bar, more = evaluate_endpoint_policy(
            call.endpoint,
            lambda clause: match_principal(clause, principal, known),
            call,
            known,
        )
        hard.append(bar)
        denies += more
    limit = conjoin(*[bar.formula for bar in soft])
    formula = combine_sides(allowed, limit, side)
    if hard:
        formula = conjoin(formula, *[bar.formula for bar in hard])
    if side:
        formula = conjoin(formula, side.also)
    if denies or gaps or (side and side.denied != FALSE):
        denied = disjoin(
            *[f for _, f in denies], *[g.get_open_condition("Denies") for g in gaps]
        )
        if side:
            denied = disjoin(denied, side.denied)
        formula = conjoin(formula, negate(denied))
    return EvaluationParts(formula, allowed, allows, soft + hard, denies, gaps)


def _list_gaps(
    principal: CompiledPrincipal, call: AwsRequest, side: ResourcePolicyResult | None
) -> tuple[PolicyGap, ...]:
    gaps = principal.gaps
    if call.fences and not principal.linked:
        gaps += tuple(gap for fence in call.fences for gap in fence.gaps)
    if call.endpoint:
        gaps += call.endpoint.gaps
    return gaps + side.gaps if side else gaps


def _list_unread_allows(principal: CompiledPrincipal) -> list[Formula]:
    if not principal.gaps:
        return []
    return [
        gap.get_open_condition("Allows")
        for gap in principal.list_gaps(PolicyLayer.IDENTITY)
    ]


def _evaluate_boundary_and_session(
    principal: CompiledPrincipal,
    found: MatchingStatements,
    call: AwsRequest,
    known: ContextKeys,
) -> list[LayerResult]:
    bars = []
    if principal.boundary is not None:
        bounds = apply_statements(found.bounds, call, known)
        gaps = principal.list_gaps(PolicyLayer.BOUNDARY)
        formula = evaluate_boundary(principal, bounds, gaps)
        target = principal.boundary_id
        bars.append(LayerResult(PolicyLayer.BOUNDARY, target, bounds, gaps, formula))
    if found.session:
        limit, allows = found.session
        bars.append(_evaluate_layer(limit, apply_statements(allows, call, known)))
    return bars


def _evaluate_layer(limit: LimitingLayer, pairs: AppliedStatements) -> LayerResult:
    may = [gap.get_open_condition("Allows") for gap in limit.gaps]
    formula = disjoin(*[f for _, f in pairs], *may)
    return LayerResult(limit.layer, limit.target, pairs, limit.gaps, formula)


def evaluate_endpoint_policy(
    endpoint: LimitingLayer, namer: Namer, call: AwsRequest, known: ContextKeys
) -> tuple[LayerResult, AppliedStatements]:
    """Evaluate a VPC endpoint policy; its statements have a Principal element."""
    spoken = endpoint.select_statements(call.action)

    def named(pairs: AppliedStatements) -> AppliedStatements:
        found = []
        for grant, formula in pairs:
            when = disjoin(*(f for _, f in namer(grant.clause)))
            held = conjoin(formula, when)
            if held != FALSE:
                found.append((grant, held))
        return found

    allows = named(apply_statements(spoken.allows, call, known))
    return _evaluate_layer(endpoint, allows), named(
        apply_denies(spoken.denies, call, known)
    )


def apply_statements(
    grants: Iterable[PolicyStatement], call: AwsRequest, known: ContextKeys
) -> AppliedStatements:
    """Pair each statement that may apply with its condition."""
    held = evaluate_for_all if call.wild else evaluate_statement
    parts = call.parts
    found = []
    for grant in grants:
        formula = held(grant.clause, parts, known)
        if formula:
            found.append((grant, formula))
    return found


def apply_denies(
    denies: Iterable[PolicyStatement], call: AwsRequest, known: ContextKeys
) -> AppliedStatements:
    """Collect the explicit denies that apply."""
    if not call.wild:
        return apply_statements(denies, call, known)
    pairs = ((grant, _apply_partial_deny(grant, call, known)) for grant in denies)
    return [(grant, formula) for grant, formula in pairs if formula != FALSE]


def _apply_partial_deny(
    grant: PolicyStatement, call: AwsRequest, known: ContextKeys
) -> Formula:
    """Evaluate a deny on a pattern; one on a part of it stays open."""
    whole = evaluate_for_all(grant.clause, call.parts, known)
    return disjoin(whole, evaluate_partial_deny(grant, call, known))


def evaluate_partial_deny(
    grant: PolicyStatement, call: AwsRequest, known: ContextKeys
) -> Formula:
    """Build the open condition of a deny that may apply to a part of the pattern."""
    part = evaluate_for_some(grant.clause, call.parts, known)
    if part == FALSE:
        return FALSE
    by = name_statement(grant)
    return conjoin(
        part, build_atom(DENY_KEY, "Matches", (f"{by.policy}#{by.statement}",))
    )


def apply_rcps(call: AwsRequest, known: ContextKeys) -> AppliedStatements:
    """Collect the RCP denies that apply."""
    grants = tuple(
        dict.fromkeys(
            g for fence in call.fences for g in fence.select_denies(call.action)
        )
    )
    if call.owner or not call.wild:
        return apply_denies(grants, call, known)
    pairs = ((grant, evaluate_partial_deny(grant, call, known)) for grant in grants)
    return [(grant, formula) for grant, formula in pairs if formula != FALSE]


def evaluate_boundary(
    principal: CompiledPrincipal, bounds: AppliedStatements, gaps: tuple[PolicyGap, ...]
) -> Formula:
    """Evaluate the permissions boundary; an empty boundary allows nothing."""
    if principal.boundary is None:
        return TRUE
    return disjoin(
        *(f for _, f in bounds), *(g.get_open_condition("Allows") for g in gaps)
    )


def combine_sides(
    allowed: Formula, limit: Formula, side: ResourcePolicyResult | None
) -> Formula:
    """Combine identity policies with the resource policy.

    In one account either suffices, unless the resource policy is required: one that
    names the account alone delegates to identity policies. Across accounts both must
    allow.

    Args:
        allowed: Result of the identity policies.
        limit: Result of boundary and session policy.
        side: Result of the resource policy.
    """
    if side is None:
        return conjoin(allowed, limit)
    if not side.same_account:
        return conjoin(
            allowed, limit, disjoin(side.escaping, side.direct, side.account)
        )
    own = conjoin(side.account, allowed) if side.required else allowed
    named = conjoin(disjoin(side.direct, own), limit)
    return disjoin(side.escaping, named)
