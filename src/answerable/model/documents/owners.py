"""JSON output about owners, their evidence and their keys. See docs/cli.md."""

from typing import NotRequired, TypedDict


class OwnerEvidenceItem(TypedDict):
    """Piece of ownership evidence with its current weight.

    Of an attestation: the owner key, its end, the reason why it is invalid (empty for a
    valid one), and the original subject where it was propagated.
    """

    kind: str
    source: str
    place: str
    reference: str
    observed_at: str
    weight: float
    written_by: str
    key: NotRequired[str]
    expires_at: NotRequired[str | None]
    void: NotRequired[str]
    said_of: NotRequired[str]


class OwnerCandidateItem(TypedDict):
    """Candidate owner with the evidence."""

    person: str
    score: float
    evidence: list[OwnerEvidenceItem]


class OwnershipItem(TypedDict):
    """`answerable who-owns`."""

    id: str
    state: str
    person: str | None
    score: float
    margin: float
    candidates: list[OwnerCandidateItem]


class OwnerKeyItem(TypedDict):
    """`answerable owner-keys`: one key each; times are RFC 3339, UTC.

    `state` is the state of a signature made now: `valid`, `not-yet`, `expired` or
    `revoked`.
    """

    id: str
    person: str
    state: str
    valid_from: str
    valid_until: str
    revoked_at: str | None
    enrolled_at: str
    enrolled_by: str
    written_by: str
    attestations: int


class NewOwnerKeyItem(TypedDict):
    """`answerable owner-keys new`: the key and the places of its two halves."""

    id: str
    person: str
    key_file: str
    public_file: str
