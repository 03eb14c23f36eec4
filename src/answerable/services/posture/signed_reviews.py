"""Read the reviews of findings that persons signed, as a reviewed file has them."""

from answerable.model.finding_review import ReviewAction
from answerable.posture.reviews import FindingReviews, Suppression
from answerable.presentation.answer_coverage import format_time
from answerable.services.statements.finding_reviews import FindingReviewReader
from answerable.store.store import EvidenceStore


def read_signed_reviews(store: EvidenceStore, now: int) -> FindingReviews:
    """Read the signed reviews in force.

    Args:
        now: UTC nanoseconds.

    Raises:
        VerificationError: The log or an object in it was changed.
    """
    active = FindingReviewReader.open(store).read(now).active
    return FindingReviews(
        {
            each.finding: Suppression(
                each.reason,
                each.person,
                format_time(each.expires)[:10],
                each.expires,
                each.digest,
            )
            for each in active
            if each.action is ReviewAction.SUPPRESS
        },
        {
            each.finding: each.assignee
            for each in active
            if each.action is ReviewAction.ASSIGN
        },
    )
