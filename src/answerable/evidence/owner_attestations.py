"""Owner attestations: signed statements that a person answers for an identity.

The signer is the person that the statement names. An attestation expires after at most
180 days.
"""

from answerable.evidence import signed_statements
from answerable.evidence.signed_statements import Keys, StatementVoid
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
from answerable.model.provenance import Seen, WrittenBy

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
    """Build the statement that a person answers for a subject.

    Args:
        subject: Id of the attested entity.
        store: Public key of the store.
        previous: Digest of the attestation in force until now, empty for the first.
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
    """Return when an attestation expires, UTC nanoseconds; 0 if it names no time."""
    text = statement.claim("expires")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else 0


def verify(data: bytes, keys: Keys, placed: Placed, store: str) -> Verified:
    """Verify an attestation's signature and claims; expiry is checked by the caller.

    Raises:
        StatementVoid: The statement is invalid; the error carries the reason.
    """
    found = signed_statements.verify(data, keys, placed, store)
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
    """Return a statement's type and claim names in the order of the signed text."""
    return said.type.value, tuple(name for name, _ in said.claims)


def evidence(
    data: bytes, keys: Keys, placed: Placed, store: str
) -> OwnerEvidence | None:
    """Convert a recorded attestation into evidence of ownership.

    Returns:
        Valid evidence, or evidence marked invalid with its reason, or None if the
        statement names no readable person.
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
