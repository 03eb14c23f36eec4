"""Set algebra of patterns with exceptions.

All results are safe approximations: `covers` is never wrongly true, `overlaps` never
wrongly false.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Generic, TypeVar

from answerable.reach.aws.patterns.arns import (
    EVERYTHING,
    Parts,
    matches_parts,
    overlaps_parts,
)
from answerable.reach.aws.patterns.globs import STAR, matches, outward, overlaps

Pattern = TypeVar("Pattern")


@dataclass(frozen=True, slots=True)
class Algebra(Generic[Pattern]):
    """Comparison functions for one kind of pattern."""

    covers: Callable[[Pattern, Pattern], bool]
    overlaps: Callable[[Pattern, Pattern], bool]


ACTIONS: Algebra[str] = Algebra(matches, overlaps)
RESOURCES: Algebra[Parts] = Algebra(matches_parts, overlaps_parts)


@dataclass(frozen=True, slots=True)
class Term(Generic[Pattern]):
    """Pattern with exceptions: its matches without those of the excluded patterns.

    Attributes:
        pattern: In inner form (actions) or in parts (resources).
        excluded: Excluded patterns, in the same form.
    """

    pattern: Pattern
    excluded: tuple[Pattern, ...] = ()


def covers(
    algebra: Algebra[Pattern], outer: Term[Pattern], inner: Term[Pattern]
) -> bool:
    """Tell whether `outer` contains all of `inner`."""
    if not algebra.covers(outer.pattern, inner.pattern):
        return False
    return all(
        not algebra.overlaps(hole, inner.pattern)
        or any(algebra.covers(gone, hole) for gone in inner.excluded)
        for hole in outer.excluded
    )


def disjoint(
    algebra: Algebra[Pattern], one: Term[Pattern], other: Term[Pattern]
) -> bool:
    """Tell whether two terms have no common match."""
    if not algebra.overlaps(one.pattern, other.pattern):
        return True
    if not one.excluded and not other.excluded:
        return False
    return any(algebra.covers(hole, other.pattern) for hole in one.excluded) or any(
        algebra.covers(hole, one.pattern) for hole in other.excluded
    )


def meet(
    algebra: Algebra[Pattern], one: Term[Pattern], other: Term[Pattern]
) -> tuple[Term[Pattern], bool]:
    """Return the intersection, and whether it is exact.

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
    return Term(pattern, kept), exact


def minus(
    algebra: Algebra[Pattern], one: Term[Pattern], other: Term[Pattern]
) -> list[Term[Pattern]] | None:
    """Return the difference of two terms; None if no terms express it exactly."""
    holes = (*one.excluded, other.pattern)
    left = [Term(one.pattern, holes)]
    for hole in other.excluded:
        spared = Term(hole)
        term, exact = meet(algebra, one, spared)
        if not exact:
            return None
        if not disjoint(algebra, one, spared):
            left.append(term)
    return [term for term in left if not _is_empty(algebra, term)]


def _is_empty(algebra: Algebra[Pattern], term: Term[Pattern]) -> bool:
    return any(algebra.covers(hole, term.pattern) for hole in term.excluded)


def action_text(term: Term[str], spelled: Callable[[str], str]) -> str:
    """Format an action term, such as `s3:* except s3:DeleteObject`."""
    return _text(spelled(term.pattern), [spelled(hole) for hole in term.excluded])


def resource_text(term: Term[Parts], shown: str = "") -> str:
    """Format a resource term, with `shown` in place of its pattern if given."""
    return _text(
        shown or parts_text(term.pattern), [parts_text(hole) for hole in term.excluded]
    )


@lru_cache(maxsize=1 << 14)
def parts_text(parts: Parts) -> str:
    """Format a resource pattern."""
    return "*" if parts == EVERYTHING else outward(":".join(parts))


def _text(pattern: str, holes: list[str]) -> str:
    return f"{pattern} except {', '.join(holes)}" if holes else pattern


ALL_ACTIONS: Term[str] = Term(STAR)
ALL_RESOURCES: Term[Parts] = Term(EVERYTHING)
