"""Build and verify attestations: signed statements that a person owns an identity.

The signer is the person that the statement names. An attestation expires after at most
180 days.
"""

from answerable.evidence.signed_statements import StatementShape
from answerable.model.errors import IdError
from answerable.model.ids import PersonId, build_person_id
from answerable.model.owner_signing_key import (
    ATTESTATION_LIFETIME,
    OwnerStatement,
    StatementContent,
    StatementInvalidity,
    StatementType,
    VerifiedStatement,
)
from answerable.model.person import OwnerEvidence, OwnerEvidenceKind
from answerable.model.provenance import FactProvenance, WrittenBy

ATTESTATION = "signed-attestation"  # kind of the stored objects
ATTESTATION_SHAPE = StatementShape(
    noun="attestation",
    claims={StatementType.ATTESTATION: ("expires", "person", "previous")},
    expiry="expires",
    lifetimes={StatementType.ATTESTATION: ATTESTATION_LIFETIME},
)


def build_attestation_content(
    subject: str, person: PersonId, *, previous: str, now: int
) -> StatementContent:
    """Build the content of a person's statement that they own a subject.

    Args:
        subject: Id of the attested entity.
        previous: Digest of the attestation in force until now, empty for the first.
        now: UTC nanoseconds.
    """
    claims = {
        "expires": str(now + ATTESTATION_LIFETIME),
        "person": person,
        "previous": previous,
    }
    return StatementContent(StatementType.ATTESTATION, subject, claims)


def build_evidence(attestation: VerifiedStatement) -> OwnerEvidence:
    """Convert a valid attestation into evidence of ownership."""
    said, person = attestation.statement, attestation.key.person
    seen = FactProvenance("attest:", "owner key", WrittenBy.PERSON, said.signed_at)
    return _build_ownership_evidence(said, person, seen, "", attestation.digest)


def build_invalid_evidence(
    statement: OwnerStatement, invalidity: StatementInvalidity, at: int
) -> OwnerEvidence | None:
    """Build the evidence of an invalid attestation; None if it names no person.

    Args:
        at: Time of the record, UTC nanoseconds: nothing vouches for the stated time.
    """
    try:
        person = build_person_id(statement.get_statement_claim("person"))
    except IdError:
        return None
    seen = FactProvenance("attest:", "owner key", WrittenBy.SELF_REPORTED, at)
    return _build_ownership_evidence(statement, person, seen, invalidity.value, "")


def _build_ownership_evidence(
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
        reference=f"{person.removeprefix('person:')} owns {statement.subject}",
        act="",
        standing=False,
        seen=provenance,
        key=statement.key,
        until=0 if invalidity else ATTESTATION_SHAPE.get_expiry(statement),
        void=invalidity,
        digest=digest,
    )
