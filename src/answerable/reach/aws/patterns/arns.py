"""Matching of ARNs: six parts, each a glob."""

from collections.abc import Sequence
from functools import lru_cache

from answerable.reach.aws.evaluation.context_keys import segments
from answerable.reach.aws.patterns.globs import (
    STAR,
    is_literal,
    literal,
    matches,
    overlaps,
)

Parts = tuple[str, ...]
EVERYTHING: Parts = ("",)  # the pattern `*`, which is not an ARN


@lru_cache(maxsize=1 << 16)
def pattern_parts(pattern: str) -> Parts:
    """Split a pattern in inner form; `*` alone is `EVERYTHING`."""
    if pattern.strip(STAR) == "" and pattern:
        return EVERYTHING
    return segments(pattern)


@lru_cache(maxsize=1 << 16)
def text_parts(resource: str) -> Parts:
    """Split an ARN; any other text has one part."""
    return split_text(resource)


def split_text(resource: str, split: Sequence[str] = ()) -> Parts:
    """Split an ARN without caching.

    Args:
        resource: The ARN.
        split: Its parts as written, if at hand.
    """
    parts = split or resource.split(":", 5)
    if not resource.isascii():
        parts = tuple(map(literal, parts))
    return tuple(parts) if len(parts) == 6 else (literal(resource), "")


def matches_parts(pattern: Parts, text: Parts) -> bool:
    """Tell whether a pattern matches a resource (or covers another pattern)."""
    if len(pattern) == 1:
        return True  # everything
    if len(text) != 6:
        return False
    for place, wanted, plain in _demands(pattern):
        if text[place] != wanted and (plain or not matches(wanted, text[place])):
            return False
    return True


@lru_cache(maxsize=1 << 17)
def _demands(pattern: Parts) -> tuple[tuple[int, str, bool], ...]:
    """List the parts that a pattern restricts, the most selective first."""
    places = (place for place in (5, 4, 3, 2, 1, 0) if pattern[place] != STAR)
    return tuple((p, pattern[p], is_literal(pattern[p])) for p in places)


def overlaps_parts(one: Parts, other: Parts) -> bool:
    """Tell whether some resource matches both patterns."""
    if EVERYTHING in (one, other):
        return True
    return len(one) == len(other) and all(map(overlaps, one, other))
