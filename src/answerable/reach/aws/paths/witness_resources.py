"""Search for witness resources on which all calls of a rule are allowed.

The caller chooses the name of a new resource, so names from its own statements are
tried. Required permissions on the same resource get the same name, and all regional
resources get the same region.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations

from answerable.reach.aws.compiled.accounts import Estate
from answerable.reach.aws.compiled.principals import Principal, partition_of
from answerable.reach.aws.escalation_rules.registry import (
    NAME,
    OTHER_NAME,
    REGION,
    Need,
)
from answerable.reach.aws.evaluation.context_keys import Known, resolve
from answerable.reach.aws.evaluation.request import Answer
from answerable.reach.aws.paths.hop_evaluation import anywhere, may
from answerable.reach.aws.patterns.arns import EVERYTHING, Parts, pattern_parts
from answerable.reach.aws.patterns.common_match import meeting
from answerable.reach.aws.patterns.globs import (
    ANY,
    STAR,
    inward,
    literal,
    matches,
    outward,
)
from answerable.reach.formula import FALSE, TRUE

_MOST = 64
Answers = tuple[Answer, ...]
_NEVER: Answers = (Answer(FALSE, ()),)


def together(
    estate: Estate, principal: Principal, needs: Sequence[Need], existing: str = ""
) -> Answers:
    """Find resources on which all required permissions are allowed, best results first.

    Args:
        estate: The compiled accounts.
        principal: The caller.
        needs: Required permissions.
        existing: ARN that replaces `{existing}`.

    Returns:
        One result per permission; a single denial where no resource fits all.
    """
    chosen = [need for need in needs if "{existing}" not in need.resource]
    sure = [anywhere(estate, principal, need.action) for need in chosen]
    if any(answer is not None and answer.formula == FALSE for answer in sure):
        return _NEVER
    if len(chosen) == len(needs) and all(answer is not None for answer in sure):
        return tuple(answer for answer in sure if answer is not None)
    groups: dict[str, list[Need]] = {}
    for need in needs:
        groups.setdefault(need.resource, []).append(need)
    best = _NEVER
    for region in _regions(estate, principal, needs, existing):
        found = _in_region(estate, principal, groups.values(), existing, region)
        if _rank(found) > _rank(best):
            best = found
        if _rank(best) == 2:
            break
    return best


def _regions(
    estate: Estate, principal: Principal, needs: Iterable[Need], existing: str
) -> list[str]:
    """List the regions in statements; of an existing resource its own."""
    if existing:
        return [existing.split(":", 5)[3]]
    found = {REGION: None}
    for need in needs:
        for parts in _spoken(estate, principal, [need]):
            if parts[3] and parts[3] != STAR:
                found[outward(_named(parts[3]))] = None
    return list(found)


def _in_region(
    estate: Estate,
    principal: Principal,
    groups: Iterable[Sequence[Need]],
    existing: str,
    region: str,
) -> Answers:
    found: list[Answer] = []
    for group in groups:
        best = _NEVER
        for resource in candidates(estate, principal, group, existing, region):
            answers = answers_on(estate, principal, group, resource)
            if _rank(answers) > _rank(best):
                best = answers
            if _rank(best) == 2:
                break
        if best is _NEVER:
            return _NEVER
        found += best
    return tuple(found)


def answers_on(
    estate: Estate, principal: Principal, group: Sequence[Need], resource: str
) -> Answers:
    """Evaluate permissions on one resource; a single denial if any is denied."""
    answers = []
    for need in group:
        known = Known({key: (value,) for key, value in need.context})
        answer = may(estate, principal, need.action, resource, known)
        if answer.formula == FALSE:
            return _NEVER
        answers.append(answer)
    return tuple(answers)


def _rank(answers: Answers) -> int:
    """Rank results: any denied 0, any conditional 1, all unconditional 2."""
    if any(answer.formula == FALSE for answer in answers):
        return 0
    return 2 if all(answer.formula == TRUE for answer in answers) else 1


def candidates(
    estate: Estate,
    principal: Principal,
    group: Sequence[Need],
    existing: str = "",
    region: str = REGION,
) -> list[str]:
    """List resources to try for permissions that share one, the default name first."""
    template = group[0].resource
    if template == "*":
        return ["*"]
    usual = filled(template, principal, NAME, region, existing)
    if "{name}" not in template:
        return [usual]
    other = filled(template, principal, OTHER_NAME, region, existing)
    kind = pattern_parts(inward(filled(template, principal, "?*", region, existing)))
    found = {usual: None, other: None}
    spoken = list(_spoken(estate, principal, group))
    for parts in spoken:
        found.update(dict.fromkeys(_concrete(parts, usual, kind)))
    for one, two in combinations(spoken, 2):
        if len(found) >= _MOST:
            break
        found.update(dict.fromkeys(_common((one, two, kind))))
    return list(found)


def filled(
    template: str, principal: Principal, name: str, region: str, existing: str = ""
) -> str:
    """Fill the resource template of a rule."""
    there = existing.split(":", 5) if existing else []
    parent = there[5].split("/") if there else []
    return template.format(
        partition=there[1] if there else partition_of(principal.id),
        region=there[3] if there else region,
        account=there[4] if there else principal.identity.account,
        name=name,
        existing=existing,
        parent=parent[1] if len(parent) == 3 else name,
    )


def _spoken(
    estate: Estate, principal: Principal, needs: Sequence[Need]
) -> dict[Parts, None]:
    """List the resource patterns of all statements on required permissions."""
    found: dict[Parts, None] = {}
    for need in needs:
        for grant in estate.speaking(principal, need.action.lower()):
            for written in (*grant.clause.resources, *grant.clause.not_resources):
                parts = pattern_parts(resolve(written, principal.known).pattern)
                if parts != EVERYTHING and len(parts) == 6:
                    found[parts] = None
    return found


def _concrete(parts: Parts, usual: str, kind: Parts) -> Iterator[str]:
    """Fill a pattern's wildcards so that the ARN has the required type."""
    theirs = literal(usual).split(":", 5)
    chosen = [
        mine
        if STAR not in mine and ANY not in mine
        else (plain if matches(mine, plain) else _named(mine))
        for mine, plain in zip(parts, theirs, strict=True)
    ]
    if all(map(matches, kind, chosen)):
        yield outward(":".join(chosen))
    else:
        yield from _common((parts, kind))


def _named(part: str) -> str:
    return part.replace(STAR, NAME).replace(ANY, "a")


def _common(patterns: Sequence[Parts]) -> Iterator[str]:
    """Find an ARN that every pattern matches."""
    texts = [meeting(parts) for parts in zip(*patterns, strict=True)]
    if all(text is not None for text in texts):
        yield outward(":".join(text for text in texts if text is not None))
