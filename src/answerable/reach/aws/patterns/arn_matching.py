"""Match ARNs against ARN patterns: six parts, each compared as a glob."""

from collections.abc import Sequence
from functools import lru_cache

from answerable.reach.aws.evaluation.context_keys import split_arn_pattern
from answerable.reach.aws.patterns.glob_matching import (
    ANY_TEXT,
    do_globs_overlap,
    encode_literal,
    has_no_wildcard,
    matches_glob,
)

ArnParts = tuple[str, ...]
ANY_ARN: ArnParts = ("",)  # the pattern `*`, which is not an ARN


@lru_cache(maxsize=1 << 16)
def split_glob_arn(pattern: str) -> ArnParts:
    """Split an encoded ARN pattern into its six parts; `*` is `ANY_ARN`."""
    if pattern.strip(ANY_TEXT) == "" and pattern:
        return ANY_ARN
    return split_arn_pattern(pattern)


@lru_cache(maxsize=1 << 16)
def split_arn(resource: str) -> ArnParts:
    """Split an ARN into its six parts; any other text gives one part."""
    return split_arn_uncached(resource)


def split_arn_uncached(resource: str, split: Sequence[str] = ()) -> ArnParts:
    """Split an ARN into its six parts without caching.

    Args:
        resource: The ARN.
        split: Its parts as written, if at hand.
    """
    parts = split or resource.split(":", 5)
    if not resource.isascii():
        parts = tuple(map(encode_literal, parts))
    return tuple(parts) if len(parts) == 6 else (encode_literal(resource), "")


def matches_arn(pattern: ArnParts, text: ArnParts) -> bool:
    """Return whether an ARN pattern matches a resource, or covers a pattern."""
    if len(pattern) == 1:
        return True  # everything
    if len(text) != 6:
        return False
    for place, wanted, plain in _list_restricted_arn_parts(pattern):
        if text[place] != wanted and (plain or not matches_glob(wanted, text[place])):
            return False
    return True


@lru_cache(maxsize=1 << 17)
def _list_restricted_arn_parts(pattern: ArnParts) -> tuple[tuple[int, str, bool], ...]:
    """List the parts that a pattern restricts, the most selective first."""
    places = (place for place in (5, 4, 3, 2, 1, 0) if pattern[place] != ANY_TEXT)
    return tuple((p, pattern[p], has_no_wildcard(pattern[p])) for p in places)


def overlaps_arn(one: ArnParts, other: ArnParts) -> bool:
    """Return whether some resource matches both ARN patterns."""
    if ANY_ARN in (one, other):
        return True
    return len(one) == len(other) and all(map(do_globs_overlap, one, other))
