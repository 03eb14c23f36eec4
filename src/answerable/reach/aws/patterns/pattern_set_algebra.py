"""Set algebra of patterns with exceptions, such as `s3:*` except `s3:DeleteObject`.

All results are safe approximations: `covers` is never wrongly true, `do_globs_overlap` never
wrongly false.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Generic, TypeVar

from answerable.reach.aws.patterns.arn_matching import (
    ANY_ARN,
    ArnParts,
    matches_arn,
    overlaps_arn,
)
from answerable.reach.aws.patterns.glob_matching import (
    ANY_TEXT,
    decode_glob,
    do_globs_overlap,
    matches_glob,
)

Pattern = TypeVar("Pattern")


@dataclass(frozen=True, slots=True)
class PatternAlgebra(Generic[Pattern]):
    """Comparison functions for one kind of pattern."""

    covers: Callable[[Pattern, Pattern], bool]
    overlaps: Callable[[Pattern, Pattern], bool]


ACTIONS: PatternAlgebra[str] = PatternAlgebra(matches_glob, do_globs_overlap)
RESOURCES: PatternAlgebra[ArnParts] = PatternAlgebra(matches_arn, overlaps_arn)


@dataclass(frozen=True, slots=True)
class PatternTerm(Generic[Pattern]):
    """Pattern with exceptions: its matches without those of the excluded patterns.

    Attributes:
        pattern: In encoded form (actions) or in parts (resources).
        excluded: Excluded patterns, in the same form.
    """

    pattern: Pattern
    excluded: tuple[Pattern, ...] = ()


def covers(
    algebra: PatternAlgebra[Pattern],
    outer: PatternTerm[Pattern],
    inner: PatternTerm[Pattern],
) -> bool:
    """Return whether `outer` contains all of `inner`."""
    if not algebra.covers(outer.pattern, inner.pattern):
        return False
    return all(
        not algebra.overlaps(hole, inner.pattern)
        or any(algebra.covers(gone, hole) for gone in inner.excluded)
        for hole in outer.excluded
    )


def are_patterns_disjoint(
    algebra: PatternAlgebra[Pattern],
    one: PatternTerm[Pattern],
    other: PatternTerm[Pattern],
) -> bool:
    """Return whether no text matches both of two terms."""
    if not algebra.overlaps(one.pattern, other.pattern):
        return True
    if not one.excluded and not other.excluded:
        return False
    return any(algebra.covers(hole, other.pattern) for hole in one.excluded) or any(
        algebra.covers(hole, one.pattern) for hole in other.excluded
    )


def intersect_patterns(
    algebra: PatternAlgebra[Pattern],
    one: PatternTerm[Pattern],
    other: PatternTerm[Pattern],
) -> tuple[PatternTerm[Pattern], bool]:
    """Return the intersection of two glob patterns, and whether it is exact.

    Where neither pattern covers the other, `one` is returned, which is a superset.
    """
    if not one.excluded and not other.excluded:
        if algebra.covers(other.pattern, one.pattern):
            return one, True
        fits = algebra.covers(one.pattern, other.pattern)
        return (other, True) if fits else (one, False)
    holes = dict.fromkeys(one.excluded + other.excluded)
    if algebra.covers(other.pattern, one.pattern):
        pattern, exact = one.pattern, True
    elif algebra.covers(one.pattern, other.pattern):
        pattern, exact = other.pattern, True
    else:
        pattern, exact = one.pattern, False
    kept = tuple(hole for hole in holes if algebra.overlaps(hole, pattern))
    return PatternTerm(pattern, kept), exact


def subtract_pattern(
    algebra: PatternAlgebra[Pattern],
    one: PatternTerm[Pattern],
    other: PatternTerm[Pattern],
) -> list[PatternTerm[Pattern]] | None:
    """Return the difference of two terms; None if no terms express it exactly."""
    holes = (*one.excluded, other.pattern)
    left = [PatternTerm(one.pattern, holes)]
    for hole in other.excluded:
        spared = PatternTerm(hole)
        term, exact = intersect_patterns(algebra, one, spared)
        if not exact:
            return None
        if not are_patterns_disjoint(algebra, one, spared):
            left.append(term)
    return [term for term in left if not _is_fully_excluded(algebra, term)]


def _is_fully_excluded(
    algebra: PatternAlgebra[Pattern], term: PatternTerm[Pattern]
) -> bool:
    """Return whether a term's exceptions exclude all that its pattern matches."""
    return any(algebra.covers(hole, term.pattern) for hole in term.excluded)


def format_action_pattern(
    term: PatternTerm[str], format_action: Callable[[str], str]
) -> str:
    """Format an action pattern with exceptions: `s3:* except s3:DeleteObject`."""
    return _format_pattern_with_exceptions(
        format_action(term.pattern), [format_action(hole) for hole in term.excluded]
    )


def format_resource_pattern(term: PatternTerm[ArnParts], display_text: str = "") -> str:
    """Format a resource pattern with exceptions, as `display_text` if given."""
    return _format_pattern_with_exceptions(
        display_text or format_arn_parts(term.pattern),
        [format_arn_parts(hole) for hole in term.excluded],
    )


@lru_cache(maxsize=1 << 14)
def format_arn_parts(parts: ArnParts) -> str:
    """Format the six parts of an ARN pattern as text."""
    return "*" if parts == ANY_ARN else decode_glob(":".join(parts))


def _format_pattern_with_exceptions(pattern: str, exceptions: list[str]) -> str:
    """Format a pattern, followed by `except` and the excluded ones."""
    return f"{pattern} except {', '.join(exceptions)}" if exceptions else pattern


ALL_ACTIONS: PatternTerm[str] = PatternTerm(ANY_TEXT)
ALL_RESOURCES: PatternTerm[ArnParts] = PatternTerm(ANY_ARN)
