"""Evaluation of one request of a caller outside the snapshot, by resource policies.

Source: AWS IAM User Guide, "Policy evaluation logic" and "Cross-account policy
evaluation logic". The policies of a foreign principal's own account are not
available; coverage names them.
"""

from answerable.reach.aws.compiled.accounts import Estate
from answerable.reach.aws.compiled.external_callers import Caller, CallerKind, named
from answerable.reach.aws.compiled.principal_matching import Names
from answerable.reach.aws.compiled.s3_public_access import kept_out
from answerable.reach.aws.compiled.service_facts import is_free
from answerable.reach.aws.compiled.statements import Clause
from answerable.reach.aws.evaluation.context_keys import Known
from answerable.reach.aws.evaluation.evaluate_principal import (
    free,
    missing_side,
    own_policy,
    through_door,
)
from answerable.reach.aws.evaluation.pattern_requests import side_of_all
from answerable.reach.aws.evaluation.policy_layers import at_endpoint, fenced
from answerable.reach.aws.evaluation.request import (
    IMPLICIT,
    Answer,
    Applied,
    Determining,
    Request,
    Side,
    name,
)
from answerable.reach.aws.evaluation.resource_policies import ResourcePolicy, said
from answerable.reach.formula import FALSE, TRUE, Formula, both, either, negation


def is_session(caller: str) -> bool:
    """Tell whether a caller is a role or a session."""
    return any(
        kind in caller for kind in (":role/", ":assumed-role/", ":federated-user/")
    )


def judged_as(estate: Estate, caller: Caller, call: Request) -> Answer:
    """Evaluate a possible call of an outside caller, with determining statements."""
    foreign = caller.kind is CallerKind.FOREIGN
    is_free_ = is_free(call.action, of_session=is_session(caller.id))
    if foreign and is_free_ is not None:
        return free(call.action, allowed=is_free_)
    front = _judged(estate, caller, call)
    known = call.known.over(caller.knows(call.parts))
    return through_door(
        estate, call, front, known, lambda inner: _judged(estate, caller, inner)
    )


def _judged(estate: Estate, caller: Caller, call: Request) -> Answer:
    known = call.known.over(caller.knows(call.parts))
    side = _side_for(estate, caller, call, known)
    allowed = either(side.escaping, side.direct, side.account)
    if caller.kind is not CallerKind.FOREIGN:
        allowed = side.direct
    gaps = side.gaps
    denies: Applied = []
    by: list[Determining] = []
    if call.endpoint:
        bar, denies = at_endpoint(
            call.endpoint, lambda clause: named(clause, caller), call, known
        )
        allowed = both(allowed, bar.formula)
        by = [name(grant) for grant, _ in bar.applied]
        if bar.formula == FALSE:
            by = [Determining(bar.layer.value, bar.target, "", IMPLICIT)]
        gaps += call.endpoint.gaps
    if call.fences:
        denies += fenced(call, known)
        gaps += tuple(gap for fence in call.fences for gap in fence.gaps)
    may = (gap.may("Denies") for gap in gaps)
    denied = either(side.denied, *(f for _, f in denies), *may)
    formula = both(allowed, side.also, negation(denied))
    return Answer(formula, _determining(formula, side, denies, by), gaps)


def _determining(
    formula: Formula, side: Side, denies: Applied, limits: list[Determining]
) -> tuple[Determining, ...]:
    found = [*side.determining, *(name(grant) for grant, _ in denies)]
    if formula != FALSE:
        return tuple(dict.fromkeys([*found, *limits]))
    sure = [name(grant) for grant, f in denies if f == TRUE]
    sure += side.denying
    if sure:
        return tuple(dict.fromkeys(sure))
    missing = [d for d in limits if d.effect == IMPLICIT]
    if not (side.escaping or side.direct or side.account):
        missing.append(Determining(side.layer.value, side.policy, "", IMPLICIT))
    return tuple(dict.fromkeys([*missing, *found]))


def _side_for(estate: Estate, caller: Caller, call: Request, known: Known) -> Side:
    def namer(clause: Clause) -> Names:
        return named(clause, caller)

    if call.wild:
        return side_of_all(estate, call, known, namer, near=False)
    own = own_policy(estate, call)
    if own is None:
        return missing_side(call, near=False)
    side = said(own, namer, call, known)
    if caller.kind is CallerKind.SERVICE or not isinstance(own, ResourcePolicy):
        return side
    return kept_out(estate, own, call, side)
