"""Describe whether a piece of ownership evidence counts, and why."""

from collections.abc import Mapping

from answerable.model.documents.owners import OwnerEvidenceItem
from answerable.presentation.relative_time import has_passed
from answerable.presentation.text import sanitize

# Reasons for invalid signed statements, as one line.
_REJECTION_REASONS: Mapping[str, str] = {
    "signature-wrong": "its signature does not hold",
    "key-not-enrolled": "its key is not enrolled",
    "key-of-another-person": "its key is another person's",
    "for-another-store": "it was signed for another store",
    "of-another-type": "it is no attestation",
    "key-not-valid-yet": "its key was not valid yet",
    "key-expired": "its key had expired",
    "key-revoked": "its key is revoked",
    "recorded-late": "it was recorded long after it was signed",
    "signed-in-the-future": "it says that it was signed later than it was",
    "expiry-wrong": "it would last too long",
}
# Owner states as a sentence.
OWNER_STATES: Mapping[str, str] = {
    "attested": "signed with an enrolled owner key: it authorises",
    "confirmed": "said without a signature: it routes, it never authorises",
    "inferred": "evidence speaks for one person: it routes, it never authorises",
    "suggested": "weak evidence speaks for one person",
    "ambiguous": "evidence speaks for several people about equally",
    "team-only": "a team is named, and no person",
    "owner-left": "its owner has left",
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
        "unsigned: routes, never authorises"
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
        return f"said of {sanitize(of)}: attests that one alone"
    if until and has_passed(until, now):
        return f"expired {until[:10]}: sign it again"
    return f"until {until[:10]}" if until else ""
