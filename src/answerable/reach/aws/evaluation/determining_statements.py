"""Determining statements of a result, and the layers that did not allow."""

from answerable.model.policy import Layer
from answerable.reach.aws.compiled.principals import Principal
from answerable.reach.aws.compiled.statements import Grant
from answerable.reach.aws.evaluation.request import (
    IMPLICIT,
    Applied,
    Determining,
    Side,
    Weighed,
    name,
    unread_name,
)
from answerable.reach.formula import FALSE, TRUE


def determining(
    principal: Principal, weighed: Weighed, side: Side | None
) -> tuple[Determining, ...]:
    """List the determining statements; of a denial, those that forbid it."""
    if weighed.formula == FALSE:
        return _against(principal, weighed, side)
    named = [name(g) for g in _deciding(weighed.allows)]
    for bar in weighed.bars:
        named += [name(g) for g in _deciding(bar.applied)]
    theirs = side.determining if side else ()
    denied = [name(grant) for grant, _ in weighed.denies]
    unread = [unread_name(gap) for gap in weighed.gaps]
    return tuple(dict.fromkeys([*named, *theirs, *denied, *unread]))


def _against(
    principal: Principal, weighed: Weighed, side: Side | None
) -> tuple[Determining, ...]:
    """List the explicit denies, else every layer that does not allow."""
    sure = [name(grant) for grant, f in weighed.denies if f == TRUE]
    sure += side.denying if side else ()
    if sure:
        return tuple(dict.fromkeys(sure))
    missing = [name(grant) for grant, _ in weighed.denies]
    if not weighed.allowed and not _is_enough(side):
        missing.append(Determining(Layer.IDENTITY.value, principal.id, "", IMPLICIT))
    missing += [
        Determining(bar.layer.value, bar.target, "", IMPLICIT)
        for bar in weighed.bars
        if bar.formula == FALSE
    ]
    if side and _is_missed(side):
        missing.append(Determining(side.layer.value, side.policy, "", IMPLICIT))
    if side:
        missing += [d for d in side.determining if d.effect == IMPLICIT]
    return tuple(dict.fromkeys(missing)) or (side.determining if side else ())


def _is_enough(side: Side | None) -> bool:
    """Tell whether the resource policy allows without identity policies."""
    if side is None or not side.same_account:
        return False
    return bool(side.escaping or side.direct)


def _is_missed(side: Side) -> bool:
    """Tell whether the resource policy had to allow and does not."""
    needed = side.required or not side.same_account
    return needed and not (side.escaping or side.direct or side.account)


def _deciding(pairs: Applied) -> list[Grant]:
    sure = [grant for grant, formula in pairs if formula == TRUE]
    return sure or [grant for grant, _ in pairs]
