"""Generalisation of observed entities to patterns.

A pattern generalises one step if enough distinct children were seen on enough days. It
never covers everything, and never crosses an account or an organisation's domain.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Mapping

from answerable.model.baseline import Level, Pattern, Terms
from answerable.model.behaviour import EntityKind

_DIGITS = re.compile(r"[0-9]+")
# Text without parts that another parser could normalise, decode or drop.
_PLAIN = re.compile(
    r"(?:[^.\\%\x00-\x1f\x7f]++|\.(?!\.)|%(?!2[5EeFf]|5[Cc]|[01]|7[Ff]))*+"
)
# Public mail domains: an address there belongs to no organisation.
_ANYBODYS = frozenset(
    {
        *("gmail.com", "googlemail.com", "outlook.com", "hotmail.com", "live.com"),
        *(
            "yahoo.com",
            "icloud.com",
            "proton.me",
            "protonmail.com",
            "gmx.de",
            "gmx.net",
        ),
        *("aol.com", "mail.com", "yandex.ru", "qq.com", "163.com"),
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

_LETTERS = 4  # by which names begin alike

Days = Mapping[str, frozenset[int]]  # by entity: the days on which it was seen


def exact(kind: EntityKind, text: str) -> Pattern:
    """Return the pattern of one entity."""
    return Pattern(kind, Level.EXACT, text)


def parent(pattern: Pattern) -> Pattern | None:
    """Return the next more general pattern; None if there is none."""
    kind, text = pattern.kind, pattern.text
    if kind is EntityKind.EMAIL:
        _, _, domain = text.partition("@")
        if pattern.level is not Level.EXACT or domain in _ANYBODYS:
            return None
        return Pattern(kind, Level.DOMAIN, f"@{domain}")
    if kind is EntityKind.HOST:
        suffix = _host_above(text)
        return Pattern(kind, Level.DOMAIN, suffix) if suffix else None
    prefix = _prefix_above(kind, text)
    return Pattern(kind, Level.PREFIX, prefix) if prefix else None


def _host_above(text: str) -> str:
    labels = text.lstrip(".").split(".")
    if labels[-1].isdigit():
        return ""
    country = len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in _REGISTRIES
    organisation = 3 if country else 2
    return "." + ".".join(labels[1:]) if len(labels) > organisation else ""


def _prefix_above(kind: EntityKind, text: str) -> str:
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


def template(pattern: Pattern) -> Pattern | None:
    """Return the pattern with digits as wildcards; None if there are none."""
    if pattern.kind not in _TEMPLATED or pattern.level is not Level.EXACT:
        return None
    text = _DIGITS.sub("#", pattern.text)
    # Digits alone would hold every number.
    if text == pattern.text or not text.replace("#", "").strip("-./: "):
        return None
    if pattern.kind is EntityKind.ARN and text.count(":", 0) >= 5:
        head = pattern.text.rsplit(":", 1)[0]
        text = f"{head}:{_DIGITS.sub('#', pattern.text[len(head) + 1 :])}"
    return Pattern(pattern.kind, Level.TEMPLATE, text)


def beginning(pattern: Pattern) -> Pattern | None:
    """Return the pattern of names with the same prefix; None if it is no word."""
    if pattern.kind is not EntityKind.NAME or pattern.level is not Level.EXACT:
        return None
    text = pattern.text[:_LETTERS]
    if len(pattern.text) <= _LETTERS or not text.isalpha():
        return None
    return Pattern(pattern.kind, Level.PREFIX, text)


def covers(pattern: Pattern, kind: EntityKind, text: str) -> bool:
    """Tell whether a pattern covers an entity."""
    if pattern.kind is not kind:
        return False
    if pattern.level is Level.EXACT:
        return text == pattern.text
    if pattern.level is Level.TYPE:
        return True
    if pattern.level is Level.DOMAIN:
        return text.endswith(pattern.text) or text == pattern.text[1:]
    if pattern.level is Level.PREFIX:
        rest = text[len(pattern.text) :]
        # A name is nothing that another reader could walk up.
        plain = kind is EntityKind.NAME or _PLAIN.fullmatch(rest) is not None
        return text.startswith(pattern.text) and plain
    return template(exact(kind, text)) == pattern


def climbed(seen: Days, kind: EntityKind, terms: Terms) -> dict[str, Pattern]:
    """Return the pattern for each entity.

    Args:
        seen: Entities of one kind at one place, with their days.
        terms: Thresholds of children and days.
    """
    nodes = {exact(kind, text): frozenset((text,)) for text in seen}
    waiting: dict[Pattern, set[Pattern]] = defaultdict(set)
    for node in nodes:
        _offer(waiting, node)
    while waiting:
        # The longest first: what it becomes may be a child of a shorter one.
        above = max(waiting, key=lambda each: (len(each.text), each.text))
        children = waiting.pop(above)
        if _climbs(children, nodes, seen, terms):
            nodes[above] = frozenset().union(*(nodes.pop(each) for each in children))
            _offer(waiting, above)
    _alike(nodes, seen, terms, template)
    _alike(nodes, seen, terms, beginning)
    return {text: node for node, texts in nodes.items() for text in texts}


def _offer(waiting: dict[Pattern, set[Pattern]], node: Pattern) -> None:
    above = parent(node)
    if above is not None:
        waiting[above].add(node)


def _climbs(
    children: set[Pattern],
    nodes: Mapping[Pattern, frozenset[str]],
    seen: Days,
    terms: Terms,
) -> bool:
    if len(children) < terms.children:
        return False
    days = {day for node in children for text in nodes[node] for day in seen[text]}
    return len(days) >= terms.climb_days


def _alike(
    nodes: dict[Pattern, frozenset[str]],
    seen: Days,
    terms: Terms,
    shape: Callable[[Pattern], Pattern | None],
) -> None:
    """Merge the remaining entities that have one shape."""
    waiting: dict[Pattern, set[Pattern]] = defaultdict(set)
    for node in nodes:
        above = shape(node)
        if above is not None:
            waiting[above].add(node)
    for above, children in waiting.items():
        if _climbs(children, nodes, seen, terms):
            nodes[above] = frozenset().union(*(nodes.pop(each) for each in children))
