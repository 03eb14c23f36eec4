"""Describe whether a piece of ownership evidence counts, and why."""

from collections.abc import Mapping

from answerable.model.documents.owners import OwnerEvidenceItem
from answerable.presentation.relative_time import has_passed
from answerable.presentation.text import sanitize

# Reasons for invalid signed statements, as one line.
_REJECTION_REASONS: Mapping[str, str] = {
    "signature-wrong": "its signature is invalid",
    "key-not-enrolled": "its key is not enrolled",
    "key-of-another-person": "its key belongs to another person",
    "for-another-store": "it was signed for another store",
    "of-another-type": "it is not an attestation",
    "key-not-valid-yet": "its key was not valid yet",
    "key-expired": "its key had expired",
    "key-revoked": "its key is revoked",
    "recorded-late": "it was recorded long after it was signed",
    "signed-in-the-future": "its signing time is later than its recording",
    "expiry-wrong": "its lifetime is too long",
}
# Owner states as a sentence.
OWNER_STATES: Mapping[str, str] = {
    "attested": "signed with an enrolled owner key: it authorizes",
    "confirmed": "stated without a signature: it routes requests, but never authorizes",
    "inferred": "evidence names one person: it routes requests, but never authorizes",
    "suggested": "weak evidence names one person",
    "ambiguous": "evidence names several people about equally",
    "team-only": "evidence names a team, but no person",
    "owner-left": "its owner has left the organization",
    "none": "no evidence for any owner",
}


def describe_evidence_validity(evidence: OwnerEvidenceItem, now: int) -> str:
    """Describe whether and until when evidence counts; empty if it plainly does.

    Args:
        now: UTC nanoseconds.
    """
    if evidence["kind"] == "attestation":
        return _describe_attestation_validity(evidence, now)
    if evidence["written_by"] != "self-reported":
        return ""
    counted = evidence["kind"] == "confirmation"
    return (
        "unsigned: routes requests, never authorizes"
        if counted
        else "self-reported: shown, not counted"
    )


def _describe_attestation_validity(evidence: OwnerEvidenceItem, now: int) -> str:
    """Describe a signed attestation: invalid, expired, or valid until a date."""
    void, of = evidence.get("void", ""), evidence.get("said_of", "")
    until = evidence.get("expires_at")
    if void:
        return f"does not count: {_REJECTION_REASONS.get(void, void)}"
    if of:
        return f"stated for {sanitize(of)}: attests only that one"
    if until and has_passed(until, now):
        return f"expired {until[:10]}: sign again"
    return f"until {until[:10]}" if until else ""
