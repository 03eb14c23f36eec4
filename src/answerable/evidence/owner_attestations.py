"""Build and verify attestations: signed statements that a person owns an identity.

The signer is the person that the statement names. An attestation expires after at most
180 days.
"""

from answerable.evidence.signed_statements import (
    InvalidStatement,
    OwnerKeys,
    StatementShape,
)
from answerable.model.errors import IdError
from answerable.model.ids import PersonId, person_id
from answerable.model.owner_signing_key import (
    ATTESTATION_LIFETIME,
    LogPosition,
    OwnerKeyId,
    OwnerStatement,
    StatementType,
)
from answerable.model.person import OwnerEvidence, OwnerEvidenceKind
from answerable.model.provenance import FactProvenance, WrittenBy

ATTESTATION_SHAPE = StatementShape(
    noun="attestation",
    claims={StatementType.ATTESTATION: ("expires", "person", "previous")},
    expiry="expires",
    lifetimes={StatementType.ATTESTATION: ATTESTATION_LIFETIME},
)


def build_attestation(
    subject: str,
    person: PersonId,
    *,
    key: OwnerKeyId,
    store: str,
    previous: str,
    now: int,
) -> OwnerStatement:
    """Build the statement that a person answers for a subject, as its owner.

    Args:
        subject: Id of the attested entity.
        store: Public key of the store.
        previous: Digest of the attestation in force until now, empty for the first.
        now: UTC nanoseconds.
    """
    claims = {
        "expires": str(now + ATTESTATION_LIFETIME),
        "person": person,
        "previous": previous,
    }
    kind = StatementType.ATTESTATION
    return OwnerStatement(kind, subject, tuple(sorted(claims.items())), now, key, store)


def build_ownership_evidence(
    data: bytes, keys: OwnerKeys, position: LogPosition, store: str
) -> OwnerEvidence | None:
    """Convert a recorded attestation into evidence of ownership.

    Returns:
        Valid evidence, or evidence marked invalid with its reason, or None if the
        statement names no readable person.
    """
    try:
        found = ATTESTATION_SHAPE.verify(data, keys, position, store)
    except InvalidStatement as error:
        return _build_invalid_evidence(error, position)
    said = found.statement
    seen = FactProvenance("attest:", "owner key", WrittenBy.PERSON, said.signed_at)
    return _build_evidence(said, found.key.person, seen, "", found.digest)


def _build_invalid_evidence(
    error: InvalidStatement, position: LogPosition
) -> OwnerEvidence | None:
    """Build the evidence of an invalid attestation; None if it names no person."""
    said = error.statement
    if said is None:
        return None
    try:
        person = person_id(said.get_claim("person"))
    except IdError:
        return None
    # Nothing vouches for it, its time included: it is as old as its place in the log.
    seen = FactProvenance("attest:", "owner key", WrittenBy.SELF_REPORTED, position.at)
    return _build_evidence(said, person, seen, error.void.value, "")


def _build_evidence(
    statement: OwnerStatement,
    person: PersonId,
    provenance: FactProvenance,
    invalidity: str,
    digest: str,
) -> OwnerEvidence:
    """Build the ownership evidence of an attestation."""
    return OwnerEvidence(
        subject=statement.subject,
        person=person,
        kind=OwnerEvidenceKind.ATTESTATION,
        reference=f"{person.removeprefix('person:')} answers for {statement.subject}",
        act="",
        standing=False,
        seen=provenance,
        key=statement.key,
        until=0 if invalidity else ATTESTATION_SHAPE.get_expiry(statement),
        void=invalidity,
        digest=digest,
    )
