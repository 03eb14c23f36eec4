"""Whether a principal may do what a rule needs, on resources of its own choosing.

A name the caller may choose is tried on what its own statements speak of: enough for
making something new, where any name will do. Needs on the same resource get the same
name, and all resources that have a region get the same one.
"""

from collections.abc import Iterable, Iterator, Sequence

from answerable.reach.context import Known, resolve
from answerable.reach.estate import Estate
from answerable.reach.evaluate import Answer
from answerable.reach.formula import FALSE, TRUE
from answerable.reach.globs import ANY, STAR, inward, literal, matches, outward
from answerable.reach.hops import anywhere, may
from answerable.reach.meeting import meeting
from answerable.reach.principals import Principal
from answerable.reach.resources import EVERYTHING, Parts, pattern_parts
from answerable.reach.rules import NAME, OTHER_NAME, REGION, Need

_MOST = 64
Answers = tuple[Answer, ...]
_NEVER: Answers = (Answer(FALSE, ()),)


def together(
    estate: Estate, principal: Principal, needs: Sequence[Need], existing: str = ""
) -> Answers:
    """Find resources on which all needs are met, best answers first.

    Args:
        estate: The estate.
        principal: Who needs it.
        needs: What.
        existing: ARN that stands for `{existing}`.

    Returns:
        One answer a need; a single one that says never where they cannot be met.
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
    held = [
        list(_options(estate, principal, group, existing)) for group in groups.values()
    ]
    if not all(held):
        return _NEVER
    best = _NEVER
    for region in _regions(held):
        found = _in_region(held, region)
        if _rank(found) > _rank(best):
            best = found
        if _rank(best) == 2:
            break
    return best


Options = list[tuple[str, Answers]]


def _options(
    estate: Estate, principal: Principal, group: Sequence[Need], existing: str
) -> Iterator[tuple[str, Answers]]:
    """Pair each resource that may do for a group of needs with the answers there."""
    for resource in candidates(estate, principal, group, existing):
        answers = answers_on(estate, principal, group, resource)
        if answers:
            yield resource, answers


def answers_on(
    estate: Estate, principal: Principal, group: Sequence[Need], resource: str
) -> Answers:
    """Judge needs on one resource; empty when one is never met."""
    answers = []
    for need in group:
        known = Known({key: (value,) for key, value in need.context})
        answer = may(estate, principal, need.action, resource, known)
        if answer.formula == FALSE:
            return ()
        answers.append(answer)
    return tuple(answers)


def _regions(held: Iterable[Options]) -> list[str]:
    found = {REGION: None}
    for options in held:
        found.update(dict.fromkeys(_region(arn) for arn, _ in options))
    return [region for region in found if region]


def _region(resource: str) -> str:
    parts = resource.split(":", 5)
    return parts[3] if len(parts) == 6 else ""


def _in_region(held: Iterable[Options], region: str) -> Answers:
    found: list[Answer] = []
    for options in held:
        here = [ans for arn, ans in options if _region(arn) in ("", region)]
        if not here:
            return _NEVER
        found += _best(here)
    return tuple(found)


def _best(ways: Iterable[Answers]) -> Answers:
    return max(ways, key=_rank)


def _rank(answers: Answers) -> int:
    """Order: some never, some open, all sure."""
    if any(answer.formula == FALSE for answer in answers):
        return 0
    return 2 if all(answer.formula == TRUE for answer in answers) else 1


def candidates(
    estate: Estate, principal: Principal, group: Sequence[Need], existing: str = ""
) -> list[str]:
    """List resources to try for needs that share one: the usual one first."""
    template = group[0].resource
    if template == "*":
        return ["*"]
    usual = filled(template, principal, NAME, REGION, existing)
    if "{name}" not in template:
        return [usual]
    other = filled(template, principal, OTHER_NAME, REGION, existing)
    kind = pattern_parts(inward(filled(template, principal, "?*", "?*", existing)))
    found = {usual: None, other: None}
    spoken: dict[Parts, None] = {}
    for need in group:
        for pattern in _patterns(estate, principal, need.action.lower()):
            parts = pattern_parts(pattern)
            if parts != EVERYTHING and len(parts) == 6:
                spoken[parts] = None
    for parts in spoken:
        found.update(dict.fromkeys(_concrete(parts, usual, kind)))
    for one, two in _pairs(list(spoken)):
        if len(found) >= _MOST:
            break
        found.update(dict.fromkeys(_common((one, two, kind))))
    return list(found)


def filled(
    template: str, principal: Principal, name: str, region: str, existing: str = ""
) -> str:
    """Fill a rule's resource."""
    there = existing.split(":", 5) if existing else []
    parent = there[5].split("/") if there else []
    return template.format(
        partition=there[1] if there else principal.id.split(":")[1],
        region=there[3] if there else region,
        account=there[4] if there else principal.identity.account,
        name=name,
        existing=existing,
        parent=parent[1] if len(parent) == 3 else name,
    )


def _patterns(estate: Estate, principal: Principal, action: str) -> Iterator[str]:
    for grant in estate.speaking(principal, action):
        for written in (*grant.clause.resources, *grant.clause.not_resources):
            yield resolve(written, principal.known).pattern


def _concrete(parts: Parts, usual: str, kind: Parts) -> Iterator[str]:
    """Fill a pattern's wildcards so that the resource is of the kind needed."""
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
    """Find a resource that every pattern matches."""
    texts = [meeting(parts) for parts in zip(*patterns, strict=True)]
    if all(text is not None for text in texts):
        yield outward(":".join(text for text in texts if text is not None))


def _pairs(patterns: Sequence[Parts]) -> Iterator[tuple[Parts, Parts]]:
    for place, one in enumerate(patterns):
        for two in patterns[place + 1 :]:
            yield one, two
