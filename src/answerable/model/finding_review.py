"""Type of signed reviews of findings: accepted, reopened or assigned by a person."""

from dataclasses import dataclass
from enum import StrEnum

from answerable.model.time_units import DAY_NS

MAX_SUPPRESSION = 366 * DAY_NS  # longest time for which a finding is accepted
MAX_REASON = 500  # characters


class ReviewAction(StrEnum):
    """Decision of a person on a finding."""

    SUPPRESS = "suppress"
    REOPEN = "reopen"
    ASSIGN = "assign"


@dataclass(frozen=True, slots=True)
class FindingReview:
    """Signed decision on one finding.

    Attributes:
        finding: Id of the finding.
        person: Person who signed.
        reason: Reason for which the finding is accepted.
        assignee: Person that it is assigned to; empty ends an assignment.
        expires: End of the acceptance, UTC nanoseconds; 0 if it is none.
        signed_at: UTC nanoseconds.
        digest: Digest of the statement.
    """

    finding: str
    action: ReviewAction
    person: str
    reason: str = ""
    assignee: str = ""
    expires: int = 0
    signed_at: int = 0
    digest: str = ""
