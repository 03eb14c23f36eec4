"""Whether a principal may do an action on some resource of its own choosing.

A name the caller may choose is tried on the resources its own statements speak of:
enough for launching something new, where any name will do.
"""

from collections.abc import Iterator

from answerable.reach.context import resolve
from answerable.reach.estate import Estate
from answerable.reach.evaluate import Answer, decide
from answerable.reach.formula import FALSE, TRUE
from answerable.reach.globs import ANY, STAR, inward, literal, outward
from answerable.reach.principals import Principal
from answerable.reach.resources import (
    EVERYTHING,
    Parts,
    matches_parts,
    overlaps_parts,
    pattern_parts,
    text_parts,
)
from answerable.reach.rules import NAME, REGION, Need

_MOST = 64


def somewhere(estate: Estate, principal: Principal, need: Need) -> Answer:
    """Find a resource on which a need is met, best answer first."""
    best: Answer | None = None
    for resource in _candidates(principal, need):
        answer = decide(principal, estate.hop(need.action, resource))
        if answer.formula == TRUE:
            return answer
        if answer.formula != FALSE and best is None:
            best = answer
    return best or Answer(FALSE, ())


def _candidates(principal: Principal, need: Need) -> list[str]:
    if need.resource == "*":
        return ["*"]
    partition = principal.id.split(":")[1]
    usual = _filled(need.resource, principal, partition, NAME, REGION)
    kind = pattern_parts(inward(_filled(need.resource, principal, partition, "*", "*")))
    found = {usual: None}
    for pattern in _patterns(principal, need.action.lower()):
        parts = pattern_parts(pattern)
        fits = parts != EVERYTHING and overlaps_parts(parts, kind)
        if fits and not matches_parts(parts, text_parts(usual)):
            found[_concrete(parts, usual)] = None
        if len(found) >= _MOST:
            break
    return list(found)


def _filled(
    template: str, principal: Principal, partition: str, name: str, region: str
) -> str:
    return template.format(
        partition=partition,
        region=region,
        account=principal.identity.account,
        name=name,
    )


def _patterns(principal: Principal, action: str) -> Iterator[str]:
    found = principal.matching(action)
    for grant in (*found.allows, *found.bounds):
        for written in grant.clause.resources:
            yield resolve(written, principal.known).pattern
    for grant in (*found.denies, *found.bound_denies):
        for written in grant.clause.not_resources:
            yield resolve(written, principal.known).pattern


def _concrete(parts: Parts, usual: str) -> str:
    plain = text_parts(usual)
    chosen = [
        mine
        if STAR not in mine and ANY not in mine
        else (theirs if mine == STAR else mine.replace(STAR, NAME).replace(ANY, "a"))
        for mine, theirs in zip(parts, plain, strict=True)
    ]
    return outward(":".join(literal(part) for part in chosen))
