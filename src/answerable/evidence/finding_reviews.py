"""Build and verify signed reviews of findings."""

import re

from answerable.evidence.signed_statements import StatementFault, StatementShape
from answerable.model.finding_review import (
    MAX_REASON,
    MAX_SUPPRESSION,
    FindingReview,
    ReviewAction,
)
from answerable.model.owner_signing_key import (
    OwnerStatement,
    StatementContent,
    StatementInvalidity,
    StatementType,
    VerifiedStatement,
)

_FINDING = re.compile(r"finding:[a-z0-9-]{1,80}/[0-9a-f]{16}")
_TYPES = {
    ReviewAction.SUPPRESS: StatementType.FINDING_SUPPRESSED,
    ReviewAction.REOPEN: StatementType.FINDING_REOPENED,
    ReviewAction.ASSIGN: StatementType.FINDING_ASSIGNED,
}
_ACTIONS = {kind: action for action, kind in _TYPES.items()}


def is_finding_id(text: str) -> bool:
    """Return whether a text has the form of a finding's id."""
    return _FINDING.fullmatch(text) is not None


def build_review_content(review: FindingReview) -> StatementContent:
    """Build the content of a review; signature and digest are left out."""
    claims = {"person": review.person}
    if review.action is ReviewAction.SUPPRESS:
        claims |= {"expires": str(review.expires), "reason": review.reason}
    if review.action is ReviewAction.ASSIGN:
        claims |= {"assignee": review.assignee}
    return StatementContent(_TYPES[review.action], review.finding, claims)


def build_finding_review(verified: VerifiedStatement) -> FindingReview:
    """Convert a verified statement to the review that it states."""
    said = verified.statement
    return FindingReview(
        finding=said.subject,
        action=_ACTIONS[said.type],
        person=said.get_statement_claim("person"),
        reason=said.get_statement_claim("reason"),
        assignee=said.get_statement_claim("assignee"),
        expires=FINDING_REVIEW_SHAPE.get_expiry(said),
        signed_at=said.signed_at,
        digest=verified.digest,
    )


def _find_review_fault(statement: OwnerStatement) -> StatementFault | None:
    """Return the fault of a review of no finding, or without a reason."""
    reason = statement.get_statement_claim("reason")
    needs_reason = statement.type is StatementType.FINDING_SUPPRESSED
    valid = is_finding_id(statement.subject) and (
        not needs_reason or 0 < len(reason.strip()) <= MAX_REASON
    )
    if valid:
        return None
    return StatementInvalidity.UNREADABLE, "the statement is not a review of a finding"


FINDING_REVIEW_SHAPE = StatementShape(
    noun="finding review",
    claims={
        StatementType.FINDING_SUPPRESSED: ("expires", "person", "reason"),
        StatementType.FINDING_REOPENED: ("person",),
        StatementType.FINDING_ASSIGNED: ("assignee", "person"),
    },
    expiry="expires",
    lifetimes={StatementType.FINDING_SUPPRESSED: MAX_SUPPRESSION},
    find_fault=_find_review_fault,
)
