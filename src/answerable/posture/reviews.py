"""Reviewed decisions on findings: accepted risks that end, and assignments."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Suppression:
    """Accepted risk.

    Attributes:
        reason: Reason of the person.
        owner: Person who accepts it.
        until: Last day of it, `YYYY-MM-DD`.
        ends_at: End of that day, UTC nanoseconds.
    """

    reason: str
    owner: str
    until: str
    ends_at: int


@dataclass(frozen=True, slots=True)
class FindingReviews:
    """Content of a reviewed file.

    Attributes:
        suppressions: By id of the finding.
        assigned: Person by id of the finding.
    """

    suppressions: Mapping[str, Suppression] = field(default_factory=dict)
    assigned: Mapping[str, str] = field(default_factory=dict)

    def get_suppression(self, finding: str, now: int) -> Suppression | None:
        """Return the suppression of a finding; None if there is none or it has ended.

        Args:
            now: UTC nanoseconds.
        """
        found = self.suppressions.get(finding)
        return found if found is not None and now <= found.ends_at else None


NO_REVIEWS = FindingReviews()
