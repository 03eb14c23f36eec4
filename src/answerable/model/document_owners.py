"""The documents about owners and their keys: shapes only. See docs/cli.md."""

from typing import NotRequired, TypedDict


class EvidenceItem(TypedDict):
    """One piece of ownership evidence with the weight it carries now.

    Of an attestation: the owner key, when it ends, why it does not count (empty where
    it does), and the subject it was said of, where it flowed from another.
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


class CandidateItem(TypedDict):
    """A person with the evidence for them."""

    person: str
    score: float
    evidence: list[EvidenceItem]


class WhoOwnsItem(TypedDict):
    """`answerable who-owns`."""

    id: str
    state: str
    person: str | None
    score: float
    margin: float
    candidates: list[CandidateItem]


class OwnerKeyItem(TypedDict):
    """`answerable owner-keys`: one key each; times are RFC 3339, UTC.

    `state` is what a signature would be worth now: `valid`, `not-yet`, `expired` or
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
    """`answerable owner-keys new`: the key, and where its two halves lie."""

    id: str
    person: str
    key_file: str
    public_file: str
