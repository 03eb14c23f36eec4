"""Evaluation of one request of one principal, in three values.

Source: AWS IAM User Guide, "Policy evaluation logic". Order: explicit denies of every
layer; then allows of identity or resource policies; limited by boundary and session
policy, by every SCP level and by the endpoint policy.
"""

from collections.abc import Iterable

from answerable.model.policy import Layer
from answerable.reach.aws.compiled.organization_policies import Limit
from answerable.reach.aws.compiled.principal_matching import names
from answerable.reach.aws.compiled.principals import Matching, Principal
from answerable.reach.aws.compiled.statements import (
    Gap,
    Grant,
    applies,
    applies_to_all,
    applies_to_some,
)
from answerable.reach.aws.evaluation.context_keys import Known
from answerable.reach.aws.evaluation.determining_statements import determining
from answerable.reach.aws.evaluation.request import (
    DENY,
    Answer,
    Applied,
    Barred,
    Request,
    Said,
    Side,
    Weighed,
    name,
)
from answerable.reach.aws.evaluation.resource_policies import Namer
from answerable.reach.formula import FALSE, TRUE, Formula, atom, both, either, negation


def surely(principal: Principal, action: str) -> Answer | None:
    """Evaluate an action for every resource at once, by the principal's own policies.

    Args:
        principal: The principal.
        action: In lower case.

    Returns:
        A result that no resource can change, else None: always, when an unconditional
        statement allows the action on everything and nothing limits it; never, when
        nothing allows it, or a statement denies it on everything.
    """
    found = principal.matching(action)
    denies = found.every_deny
    if any(g.clause.wide for g in denies):
        return Answer(FALSE, tuple(name(g) for g in denies))
    if principal.gaps:
        return None
    if not found.allows or not all(allows for allows in _limiting(principal, found)):
        return Answer(FALSE, ())
    if denies or principal.boundary is not None or found.session:
        return None
    if not all(any(g.clause.wide for g in allows) for _, allows in found.levels):
        return None
    wide = [name(g) for g in found.allows if g.clause.wide]
    return Answer(TRUE, tuple(dict.fromkeys(wide))) if wide else None


def _limiting(principal: Principal, found: Matching) -> list[tuple[Grant, ...]]:
    limiting = [allows for _, allows in found.levels]
    if principal.boundary is not None:
        limiting.append(found.bounds)
    if found.session:
        limiting.append(found.session[1])
    return limiting


def decide(principal: Principal, call: Request, side: Side | None = None) -> Answer:
    """Evaluate a request, with the result of a resource policy if there is one."""
    return decide_knowing(principal, call, call.known_to(principal), side)


def decide_knowing(
    principal: Principal, call: Request, known: Known, side: Side | None
) -> Answer:
    """Evaluate a request whose known keys are merged already."""
    weighed = weigh(principal, call, known, side, whole=False)

    def because() -> Said:
        never = weighed.formula == FALSE
        every = weigh(principal, call, known, side, whole=True) if never else weighed
        return determining(principal, every, side)

    return Answer(weighed.formula, because, weighed.gaps)


def identity_allows(principal: Principal, call: Request, known: Known) -> Formula:
    """Evaluate the identity policies of a principal for a request."""
    found = principal.matching(call.action)
    if not found.allows and not principal.gaps:
        return FALSE
    allows = applied(found.allows, call, known)
    return either(*(f for _, f in allows), *_may_allow(principal))


def weigh(
    principal: Principal,
    call: Request,
    known: Known,
    side: Side | None,
    *,
    whole: bool,
) -> Weighed:
    """Collect all statements that apply to a request, and combine them.

    Args:
        principal: The principal.
        call: The request.
        known: All known keys.
        side: Result of the resource policy.
        whole: Collect every layer, also where nothing allows the request.
    """
    found = principal.matching(call.action)
    allows = applied(found.allows, call, known)
    allowed = either(*[f for _, f in allows], *_may_allow(principal))
    if not whole and combined(allowed, TRUE, side) == FALSE:
        return Weighed(FALSE, allowed, allows, [], [], _gaps(principal, call, side))
    soft = _boundary_and_session(principal, found, call, known)
    hard = [_barred(level, applied(g, call, known)) for level, g in found.levels]
    denies = denying(found.every_deny, call, known)
    gaps = _gaps(principal, call, side)
    if call.fences and not principal.linked:
        denies += fenced(call, known)
    if call.endpoint:
        bar, more = at_endpoint(
            call.endpoint, lambda clause: names(clause, principal, known), call, known
        )
        hard.append(bar)
        denies += more
    limit = both(*[bar.formula for bar in soft])
    formula = combined(allowed, limit, side)
    if hard:
        formula = both(formula, *[bar.formula for bar in hard])
    if side:
        formula = both(formula, side.also)
    if denies or gaps or (side and side.denied != FALSE):
        denied = either(*[f for _, f in denies], *[g.may("Denies") for g in gaps])
        if side:
            denied = either(denied, side.denied)
        formula = both(formula, negation(denied))
    return Weighed(formula, allowed, allows, soft + hard, denies, gaps)


def _gaps(principal: Principal, call: Request, side: Side | None) -> tuple[Gap, ...]:
    gaps = principal.gaps
    if call.fences and not principal.linked:
        gaps += tuple(gap for fence in call.fences for gap in fence.gaps)
    if call.endpoint:
        gaps += call.endpoint.gaps
    return gaps + side.gaps if side else gaps


def _may_allow(principal: Principal) -> list[Formula]:
    if not principal.gaps:
        return []
    return [gap.may("Allows") for gap in principal.gaps_at(Layer.IDENTITY)]


def _boundary_and_session(
    principal: Principal, found: Matching, call: Request, known: Known
) -> list[Barred]:
    bars = []
    if principal.boundary is not None:
        bounds = applied(found.bounds, call, known)
        gaps = principal.gaps_at(Layer.BOUNDARY)
        formula = bounded(principal, bounds, gaps)
        target = principal.boundary_id
        bars.append(Barred(Layer.BOUNDARY, target, bounds, gaps, formula))
    if found.session:
        limit, allows = found.session
        bars.append(_barred(limit, applied(allows, call, known)))
    return bars


def _barred(limit: Limit, pairs: Applied) -> Barred:
    may = [gap.may("Allows") for gap in limit.gaps]
    formula = either(*[f for _, f in pairs], *may)
    return Barred(limit.layer, limit.target, pairs, limit.gaps, formula)


def at_endpoint(
    endpoint: Limit, namer: Namer, call: Request, known: Known
) -> tuple[Barred, Applied]:
    """Evaluate a VPC endpoint policy; its statements have a Principal element."""
    spoken = endpoint.speaking(call.action)

    def named(pairs: Applied) -> Applied:
        found = []
        for grant, formula in pairs:
            when = either(*(f for _, f in namer(grant.clause)))
            held = both(formula, when)
            if held != FALSE:
                found.append((grant, held))
        return found

    allows = named(applied(spoken.allows, call, known))
    return _barred(endpoint, allows), named(denying(spoken.denies, call, known))


def applied(grants: Iterable[Grant], call: Request, known: Known) -> Applied:
    """Pair each statement that may apply with its condition."""
    held = applies_to_all if call.wild else applies
    parts = call.parts
    found = []
    for grant in grants:
        formula = held(grant.clause, parts, known)
        if formula:
            found.append((grant, formula))
    return found


def denying(denies: Iterable[Grant], call: Request, known: Known) -> Applied:
    """Collect the explicit denies that apply."""
    if not call.wild:
        return applied(denies, call, known)
    pairs = ((grant, _denying_some(grant, call, known)) for grant in denies)
    return [(grant, formula) for grant, formula in pairs if formula != FALSE]


def _denying_some(grant: Grant, call: Request, known: Known) -> Formula:
    """Evaluate a deny on a pattern; one on a part of it stays open."""
    whole = applies_to_all(grant.clause, call.parts, known)
    return either(whole, denying_part(grant, call, known))


def denying_part(grant: Grant, call: Request, known: Known) -> Formula:
    """Build the open condition of a deny that may apply to a part of the pattern."""
    part = applies_to_some(grant.clause, call.parts, known)
    if part == FALSE:
        return FALSE
    by = name(grant)
    return both(part, atom(DENY, "Matches", (f"{by.policy}#{by.statement}",)))


def fenced(call: Request, known: Known) -> Applied:
    """Collect the RCP denies that apply."""
    grants = tuple(
        dict.fromkeys(g for fence in call.fences for g in fence.speaking(call.action))
    )
    if call.owner or not call.wild:
        return denying(grants, call, known)
    pairs = ((grant, denying_part(grant, call, known)) for grant in grants)
    return [(grant, formula) for grant, formula in pairs if formula != FALSE]


def bounded(principal: Principal, bounds: Applied, gaps: tuple[Gap, ...]) -> Formula:
    """Evaluate the permissions boundary; an empty boundary allows nothing."""
    if principal.boundary is None:
        return TRUE
    return either(*(f for _, f in bounds), *(g.may("Allows") for g in gaps))


def combined(allowed: Formula, limit: Formula, side: Side | None) -> Formula:
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
        return both(allowed, limit)
    if not side.same_account:
        return both(allowed, limit, either(side.escaping, side.direct, side.account))
    own = both(side.account, allowed) if side.required else allowed
    named = both(either(side.direct, own), limit)
    return either(side.escaping, named)
