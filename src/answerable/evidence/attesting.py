"""Attestations of owners: what is signed, and what it is worth as evidence.

An attestation says: I answer for this. So its person is whose key signed it, and it
ends by itself after 180 days at most.
"""

from answerable.evidence import statements
from answerable.evidence.statements import Keys, StatementVoid
from answerable.model.errors import IdError
from answerable.model.ids import PersonId, person_id
from answerable.model.owner_key import (
    ATTESTATION_LIFE,
    OwnerKeyId,
    Placed,
    Statement,
    StatementType,
    Verified,
    Void,
)
from answerable.model.person import EvidenceKind, OwnerEvidence
from answerable.model.written import Seen, WrittenBy

_ATTESTATION = ("owner-attestation", ("expires", "person", "previous"))


def attestation(
    subject: str,
    person: PersonId,
    *,
    key: OwnerKeyId,
    store: str,
    previous: str,
    now: int,
) -> Statement:
    """Make the statement that a person answers for a subject.

    Args:
        subject: Id of what is attested.
        person: Who signs.
        key: With which key.
        store: Public key of the store.
        previous: Digest of the attestation that stood until now, empty for the first.
        now: UTC nanoseconds.
    """
    claims = {
        "expires": str(now + ATTESTATION_LIFE),
        "person": person,
        "previous": previous,
    }
    kind = StatementType.ATTESTATION
    return Statement(kind, subject, tuple(sorted(claims.items())), now, key, store)


def expires(statement: Statement) -> int:
    """Tell when an attestation ends, UTC nanoseconds; 0 where it does not say."""
    text = statement.claim("expires")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else 0


def verify(data: bytes, keys: Keys, placed: Placed, store: str) -> Verified:
    """Verify an attestation whole; whether it has ended is for who asks.

    Raises:
        StatementVoid: It does not count; it says why.
    """
    found = statements.verify(data, keys, placed, store)
    said, key = found.statement, found.key
    if _kind(said) != _ATTESTATION:
        raise StatementVoid(Void.OTHER_TYPE, "the statement is no attestation", said)
    if said.claim("person") != key.person:
        raise StatementVoid(
            Void.OTHER_PERSON,
            f"the key {key.id} is {key.person}'s (expected one of the person attested)",
            said,
        )
    if not said.signed_at < expires(said) <= said.signed_at + ATTESTATION_LIFE:
        raise StatementVoid(Void.EXPIRY, "the attestation does not end in time", said)
    return found


def _kind(said: Statement) -> tuple[str, tuple[str, ...]]:
    """Name a statement's type and claims, as whoever signed wrote them."""
    return said.type.value, tuple(name for name, _ in said.claims)


def evidence(
    data: bytes, keys: Keys, placed: Placed, store: str
) -> OwnerEvidence | None:
    """Give the evidence of ownership that a recorded attestation is.

    Returns:
        One that counts; or one that says why it does not; or None where nothing can be
        read of whom it names.
    """
    try:
        found = verify(data, keys, placed, store)
    except StatementVoid as error:
        return _void(error, placed)
    said = found.statement
    seen = Seen("attest:", "owner key", WrittenBy.PERSON, said.signed_at)
    return _evidence(said, found.key.person, seen, "", found.digest)


def _void(error: StatementVoid, placed: Placed) -> OwnerEvidence | None:
    said = error.statement
    if said is None:
        return None
    try:
        person = person_id(said.claim("person"))
    except IdError:
        return None
    # Nothing vouches for it, its time included: it is as old as its place in the log.
    seen = Seen("attest:", "owner key", WrittenBy.SELF_REPORTED, placed.at)
    return _evidence(said, person, seen, error.void.value, "")


def _evidence(
    said: Statement, person: PersonId, seen: Seen, void: str, digest: str
) -> OwnerEvidence:
    return OwnerEvidence(
        subject=said.subject,
        person=person,
        kind=EvidenceKind.ATTESTATION,
        reference=f"{person.removeprefix('person:')} answers for {said.subject}",
        act="",
        standing=False,
        seen=seen,
        key=said.key,
        until=0 if void else expires(said),
        void=void,
        digest=digest,
    )
