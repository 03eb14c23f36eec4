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
        digest: Digest of the signed statement; empty for an entry of a file.
    """

    reason: str
    owner: str
    until: str
    ends_at: int
    digest: str = ""


@dataclass(frozen=True, slots=True)
class FindingReviews:
    """Reviews of a file, or those that persons signed.

    Attributes:
        suppressions: By id of the finding.
        assigned: Person by id of the finding.
    """

    suppressions: Mapping[str, Suppression] = field(default_factory=dict)
    assigned: Mapping[str, str] = field(default_factory=dict)

    def merge(self, other: "FindingReviews") -> "FindingReviews":
        """Merge with other reviews; of two acceptances, the one that ends later."""
        both = dict(self.suppressions)
        for finding, found in other.suppressions.items():
            if finding not in both or both[finding].ends_at < found.ends_at:
                both[finding] = found
        return FindingReviews(both, {**self.assigned, **other.assigned})

    def get_suppression(self, finding: str, now: int) -> Suppression | None:
        """Return the suppression of a finding; None if there is none or it has ended.

        Args:
            now: UTC nanoseconds.
        """
        found = self.suppressions.get(finding)
        return found if found is not None and now <= found.ends_at else None


NO_REVIEWS = FindingReviews()
