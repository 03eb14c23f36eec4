"""Read the signed reviews of findings in a store, verified on every read."""

from answerable.evidence.finding_reviews import (
    FINDING_REVIEW_SHAPE,
    build_finding_review,
)
from answerable.model.finding_review import FindingReview, ReviewAction
from answerable.model.owner_signing_key import MAX_CLOCK_SKEW
from answerable.services.statements.signed_statements import (
    SignedStatements,
    StatementReading,
)

FINDING_REVIEW = "finding-review"  # kind of the objects


class FindingReviewReader(SignedStatements[FindingReview]):
    """Cached reader of the signed reviews of one store.

    Each enrolled person may review each finding: the review names the person.
    """

    kind = FINDING_REVIEW
    shape = FINDING_REVIEW_SHAPE
    item = FindingReview

    def select(self, now: int) -> StatementReading[FindingReview]:
        """Select the newest acceptance and the newest assignment of each finding."""
        newest: dict[tuple[str, bool], FindingReview] = {}
        for each in self._verified:
            review = build_finding_review(each)
            if review.signed_at - MAX_CLOCK_SKEW <= now:
                assigns = review.action is ReviewAction.ASSIGN
                newest[review.finding, assigns] = review
        active = tuple(each for each in newest.values() if _is_in_force(each, now))
        return StatementReading(active, self._rejected)


def _is_in_force(review: FindingReview, now: int) -> bool:
    """Return whether a review changes a finding now."""
    if review.action is ReviewAction.SUPPRESS:
        return now < review.expires
    return review.action is ReviewAction.ASSIGN and bool(review.assignee)
