"""Generalise observed entities to patterns, such as a whole domain or folder.

A pattern generalises one step if enough distinct children were seen on enough days. It
never covers everything, and never crosses an account or an organisation's domain.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Mapping

from answerable.model.baseline import (
    EntityPattern,
    GeneralisationLevel,
    LearningParameters,
)
from answerable.model.behaviour import EntityKind

_DIGITS = re.compile(r"[0-9]+")
# Text without parts that another parser could normalise, decode or drop.
_PLAIN = re.compile(
    r"(?:[^.\\%\x00-\x1f\x7f]++|\.(?!\.)|%(?!2[5EeFf]|5[Cc]|[01]|7[Ff]))*+"
)
# Public mail domains: an address there belongs to no organisation.
_PUBLIC_MAIL_DOMAINS = frozenset(
    {
        "gmail.com",
        "googlemail.com",
        "outlook.com",
        "hotmail.com",
        "live.com",
        "yahoo.com",
        "icloud.com",
        "proton.me",
        "protonmail.com",
        "gmx.de",
        "gmx.net",
        "aol.com",
        "mail.com",
        "yandex.ru",
        "qq.com",
        "163.com",
    }
)
# Public second-level domains below a country code.
_REGISTRIES = frozenset({"co", "com", "org", "net", "gov", "ac", "edu", "gob", "or"})
_SEGMENTED = frozenset(
    {EntityKind.PATH, EntityKind.S3, EntityKind.URL, EntityKind.REPO}
)
_TEMPLATED = frozenset(
    {EntityKind.PATH, EntityKind.S3, EntityKind.ARN, EntityKind.NAME}
)

_PREFIX_LENGTH = 4  # by which names begin alike

DaysByEntity = Mapping[str, frozenset[int]]  # by entity: the days on which it was seen


def build_exact_pattern(kind: EntityKind, text: str) -> EntityPattern:
    """Return the pattern that matches one entity only."""
    return EntityPattern(kind, GeneralisationLevel.EXACT, text)


def get_more_general_pattern(pattern: EntityPattern) -> EntityPattern | None:
    """Return the next more general pattern; None if there is none."""
    kind, text = pattern.kind, pattern.text
    if kind is EntityKind.EMAIL:
        _, _, domain = text.partition("@")
        if (
            pattern.level is not GeneralisationLevel.EXACT
            or domain in _PUBLIC_MAIL_DOMAINS
        ):
            return None
        return EntityPattern(kind, GeneralisationLevel.DOMAIN, f"@{domain}")
    if kind is EntityKind.HOST:
        suffix = _get_parent_domain(text)
        return (
            EntityPattern(kind, GeneralisationLevel.DOMAIN, suffix) if suffix else None
        )
    prefix = _get_parent_prefix(kind, text)
    return EntityPattern(kind, GeneralisationLevel.PREFIX, prefix) if prefix else None


def _get_parent_domain(text: str) -> str:
    """Return the parent domain; empty for a registrable domain or address."""
    labels = text.lstrip(".").split(".")
    if labels[-1].isdigit():
        return ""
    country = len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in _REGISTRIES
    organisation = 3 if country else 2
    return "." + ".".join(labels[1:]) if len(labels) > organisation else ""


def _get_parent_prefix(kind: EntityKind, text: str) -> str:
    """Remove the last segment; empty if the rest would cover everything."""
    if kind is EntityKind.ARN:
        parts = text.split(":", 5)
        if len(parts) < 6:
            return ""
        head, resource = ":".join(parts[:5]) + ":", parts[5]
        cut = max(resource.rstrip("/:").rfind("/"), resource.rstrip("/:").rfind(":"))
        return head + resource[: cut + 1] if cut > 0 else ""
    if kind not in _SEGMENTED:
        return ""
    _, mark, rest = text.partition("://")
    head = text[: len(text) - len(rest)] if mark else ""
    body = (rest if mark else text).partition("?")[0].rstrip("/")
    cut = body.rfind("/")
    return head + body[: cut + 1] if cut > 0 and body[:cut].strip("./~\\") else ""


def build_digit_pattern(pattern: EntityPattern) -> EntityPattern | None:
    """Return the pattern with digits as wildcards; None if there are none."""
    if pattern.kind not in _TEMPLATED or pattern.level is not GeneralisationLevel.EXACT:
        return None
    text = _DIGITS.sub("#", pattern.text)
    # Digits alone would hold every number.
    if text == pattern.text or not text.replace("#", "").strip("-./: "):
        return None
    if pattern.kind is EntityKind.ARN and text.count(":", 0) >= 5:
        head = pattern.text.rsplit(":", 1)[0]
        text = f"{head}:{_DIGITS.sub('#', pattern.text[len(head) + 1 :])}"
    return EntityPattern(pattern.kind, GeneralisationLevel.TEMPLATE, text)


def build_name_prefix_pattern(pattern: EntityPattern) -> EntityPattern | None:
    """Return the pattern of names with the same first letters; None if no word."""
    if (
        pattern.kind is not EntityKind.NAME
        or pattern.level is not GeneralisationLevel.EXACT
    ):
        return None
    text = pattern.text[:_PREFIX_LENGTH]
    if len(pattern.text) <= _PREFIX_LENGTH or not text.isalpha():
        return None
    return EntityPattern(pattern.kind, GeneralisationLevel.PREFIX, text)


def pattern_covers(pattern: EntityPattern, kind: EntityKind, text: str) -> bool:
    """Return whether a learned pattern (exact, domain, type...) covers a value."""
    if pattern.kind is not kind:
        return False
    if pattern.level is GeneralisationLevel.EXACT:
        return text == pattern.text
    if pattern.level is GeneralisationLevel.TYPE:
        return True
    if pattern.level is GeneralisationLevel.DOMAIN:
        return text.endswith(pattern.text) or text == pattern.text[1:]
    if pattern.level is GeneralisationLevel.PREFIX:
        rest = text[len(pattern.text) :]
        # A name is nothing that another reader could walk up.
        plain = kind is EntityKind.NAME or _PLAIN.fullmatch(rest) is not None
        return text.startswith(pattern.text) and plain
    return build_digit_pattern(build_exact_pattern(kind, text)) == pattern


def generalise_to_patterns(
    seen: DaysByEntity, kind: EntityKind, parameters: LearningParameters
) -> dict[str, EntityPattern]:
    """Map each observed value to the most general pattern it supports.

    Args:
        seen: Entities of one kind at one place, with their days.
        parameters: Thresholds of children and days.
    """
    nodes = {build_exact_pattern(kind, text): frozenset((text,)) for text in seen}
    waiting: dict[EntityPattern, set[EntityPattern]] = defaultdict(set)
    for node in nodes:
        _add_to_parent_pattern(waiting, node)
    while waiting:
        # The longest first: what it becomes may be a child of a shorter one.
        above = max(waiting, key=lambda each: (len(each.text), each.text))
        children = waiting.pop(above)
        if _may_generalise(children, nodes, seen, parameters):
            nodes[above] = frozenset().union(*(nodes.pop(each) for each in children))
            _add_to_parent_pattern(waiting, above)
    _merge_patterns_by_shape(nodes, seen, parameters, build_digit_pattern)
    _merge_patterns_by_shape(nodes, seen, parameters, build_name_prefix_pattern)
    return {text: node for node, texts in nodes.items() for text in texts}


def _add_to_parent_pattern(
    children_by_parent: dict[EntityPattern, set[EntityPattern]], pattern: EntityPattern
) -> None:
    """Add a pattern to those that may merge into the same parent."""
    above = get_more_general_pattern(pattern)
    if above is not None:
        children_by_parent[above].add(pattern)


def _may_generalise(
    children: set[EntityPattern],
    nodes: Mapping[EntityPattern, frozenset[str]],
    seen: DaysByEntity,
    parameters: LearningParameters,
) -> bool:
    """Return whether enough children were seen on enough different days."""
    if len(children) < parameters.children:
        return False
    days = {day for node in children for text in nodes[node] for day in seen[text]}
    return len(days) >= parameters.climb_days


def _merge_patterns_by_shape(
    nodes: dict[EntityPattern, frozenset[str]],
    seen: DaysByEntity,
    parameters: LearningParameters,
    shape: Callable[[EntityPattern], EntityPattern | None],
) -> None:
    """Replace remaining entities of one shape by their common pattern."""
    waiting: dict[EntityPattern, set[EntityPattern]] = defaultdict(set)
    for node in nodes:
        above = shape(node)
        if above is not None:
            waiting[above].add(node)
    for above, children in waiting.items():
        if _may_generalise(children, nodes, seen, parameters):
            nodes[above] = frozenset().union(*(nodes.pop(each) for each in children))
