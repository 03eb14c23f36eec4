"""Sign reviews of findings: accept one for a time, reopen it, or assign it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time

from answerable.evidence.finding_reviews import build_review_content, is_finding_id
from answerable.model.documents.shared_shapes import Document
from answerable.model.errors import UsageError
from answerable.model.finding_review import (
    MAX_REASON,
    MAX_SUPPRESSION,
    FindingReview,
    ReviewAction,
)
from answerable.model.ids import build_person_id
from answerable.model.inventory import Inventory
from answerable.model.time_units import DAY_NS
from answerable.posture.facts import ArgumentLimit
from answerable.posture.reviews import FindingReviews
from answerable.posture.rule import Finding
from answerable.services.posture.finding_documents import (
    FindingItems,
    build_findings_document,
    compute_findings,
)
from answerable.services.posture.signed_reviews import read_signed_reviews
from answerable.services.statements import owner_keys
from answerable.services.statements.finding_reviews import FindingReviewReader
from answerable.services.statements.owner_keys import StatementSigner
from answerable.store.store import EvidenceStore

_LIST = "list ids with: answerable findings --wide"


def parse_last_day(text: str, now: int) -> int:
    """Parse the last day of an acceptance, and return its end in UTC nanoseconds.

    Raises:
        UsageError: It is no day, is past, or is more than a year away.
    """
    example = "for example --until 2027-01-31"
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"--until is not a day (got {text[:40]!r}, expected YYYY-MM-DD)", example
        ) from None
    end = int(datetime.combine(day, time.max, UTC).timestamp()) * 1_000_000_000
    if not now < end <= now + MAX_SUPPRESSION:
        days = MAX_SUPPRESSION // DAY_NS
        raise UsageError(
            f"--until is past, or more than {days} days away (got {text})", example
        )
    return end


def parse_reason(text: str) -> str:
    """Check the reason of an acceptance.

    Raises:
        UsageError: It is empty, too long, or has control characters.
    """
    reason = text.strip()
    if not reason or len(reason) > MAX_REASON or not reason.isprintable():
        raise UsageError(
            f"--reason needs 1 to {MAX_REASON} printable characters (got {len(reason)})",
            'for example --reason "rotated with the migration in March"',
        )
    return reason


def review_finding(
    store: EvidenceStore,
    inventory: Inventory,
    draft: FindingReview,
    signer: StatementSigner,
    *,
    now: int,
    argument_limits: Sequence[ArgumentLimit] | None = None,
) -> Document:
    """Sign a review of a finding, and list the finding as it is now.

    Args:
        draft: Review without its person and signature.
        now: UTC nanoseconds.
        argument_limits: Limits by policies of the gateway; None if its configuration
            was not read.

    Raises:
        UsageError: The snapshot has no such finding, or there is nothing to end.
        VerificationError: The key is not valid now. Nothing is recorded.
    """
    key = owner_keys.require_enrolled_key(store, signer.id)
    found = compute_findings(
        inventory, now=now, store=store, argument_limits=argument_limits
    )
    result = _find_result(found, draft.finding)
    _require_effect(draft, read_signed_reviews(store, now))
    assignee = draft.assignee.removeprefix("person:")
    if draft.action is ReviewAction.ASSIGN and assignee:
        draft = replace(draft, assignee=build_person_id(assignee))
    content = build_review_content(replace(draft, person=key.person))
    FindingReviewReader.sign(store, content, signer, now)
    context = replace(found.context, reviews=read_signed_reviews(store, now))
    return build_findings_document(inventory, FindingItems((result,), context), now=now)


def _require_effect(draft: FindingReview, signed: FindingReviews) -> None:
    """Check that a review which ends something has something to end.

    Raises:
        UsageError: No signed acceptance or assignment of the finding is in force.
    """
    if draft.action is ReviewAction.REOPEN and draft.finding not in signed.suppressions:
        raise UsageError(
            f"{draft.finding} has no signed acceptance in force",
            "remove an acceptance by a reviewed file from that file",
        )
    ends = draft.action is ReviewAction.ASSIGN and not draft.assignee
    if ends and draft.finding not in signed.assigned:
        raise UsageError(
            f"{draft.finding} has no signed assignment",
            "name a person to assign it: findings assign ID PERSON",
        )


def _find_result(found: FindingItems, text: str) -> Finding:
    """Find the finding with an id.

    Raises:
        UsageError: There is none, or its rule was not evaluated.
    """
    if not is_finding_id(text):
        raise UsageError(f"not the id of a finding (got {text[:80]!r})", _LIST)
    for each in found.results:
        if each.id == text:
            if isinstance(each, Finding):
                return each
            raise UsageError(
                f"{text} is a rule that was not evaluated: it cannot be accepted",
                "collect the missing data, which answerable findings names",
            )
    raise UsageError(f"the newest snapshot has no finding {text}", _LIST)
