"""Permission levels of a subject on a pattern, and their order."""

from dataclasses import dataclass

from answerable.reach.aws.subject_queries import PatternExtent
from answerable.reach.condition_formula import Verdict

_RANK = {Verdict.NEVER: 0, Verdict.NOT_KNOWN: 1, Verdict.ONLY_IF: 2, Verdict.ALWAYS: 3}


@dataclass(frozen=True, slots=True)
class PermissionLevel:
    """Verdict of a subject on a pattern over all paths, and the share it covers.

    Attributes:
        covers: Share of the pattern.
    """

    verdict: Verdict
    covers: PatternExtent

    @property
    def permission_rank(self) -> tuple[int, bool]:
        """Sort key: more permissions are greater."""
        return _RANK[self.verdict], self.covers is PatternExtent.ALL

    @property
    def is_whole_pattern_allowed(self) -> bool:
        """Return whether all of the pattern is allowed without conditions."""
        return self.verdict is Verdict.ALWAYS and self.covers is PatternExtent.ALL


PART_RANK = PermissionLevel(Verdict.ONLY_IF, PatternExtent.PART).permission_rank
NO_PERMISSION_LEVEL = PermissionLevel(Verdict.NEVER, PatternExtent.NONE)
UNKNOWN_LEVEL = PermissionLevel(Verdict.NOT_KNOWN, PatternExtent.PART)


def build_permission_level(verdict: Verdict | None) -> PermissionLevel:
    """Convert a verdict on one resource to a comparable permission level."""
    return (
        PermissionLevel(verdict, PatternExtent.ALL) if verdict else NO_PERMISSION_LEVEL
    )


def choose_higher_permission_level(
    one: PermissionLevel, other: PermissionLevel
) -> PermissionLevel:
    """Return the level that permits more."""
    return max(one, other, key=lambda each: each.permission_rank)
