"""Enroll an owner key made in a browser or a security key, after it proved possession."""

import msgspec

from answerable.evidence import dsse, signed_statements
from answerable.model.documents.shared_shapes import Document
from answerable.model.errors import VerificationError
from answerable.model.ids import PersonId
from answerable.model.owner_signing_key import (
    OwnerKey,
    WebAuthnCredential,
    build_owner_key_id,
)
from answerable.services.statements import key_enrolment, owner_keys
from answerable.services.statements.key_enrolment import KeyAuthority
from answerable.store.store import EvidenceStore

POSSESSION = "application/vnd.answerable.key-possession.v1+json"
LIFE = 90 * 86_400 * 10**9  # nanoseconds: a browser protects keys less than files


def build_possession_payload(
    store: EvidenceStore, public: bytes, person: PersonId
) -> bytes:
    """Build the payload of type `POSSESSION` that a key signs to prove possession.

    A person must not enroll a key that another person holds: that person would lose it.
    """
    said = {
        "key": build_owner_key_id(public),
        "person": person,
        "store": owner_keys.get_store_id(store),
    }
    return msgspec.json.encode(said, order="sorted")


def enroll_remote_key(
    store: EvidenceStore,
    public: bytes,
    person: PersonId,
    proof: bytes,
    authority: KeyAuthority,
    *,
    uid: int,
    now: int,
    credential: WebAuthnCredential | None = None,
) -> Document:
    """Record the owner key that a person's browser or security key made.

    Args:
        public: 32 bytes, or 65 of a security key.
        proof: Signature of the key over its `build_possession_payload` payload.
        uid: User id of this process.
        now: UTC nanoseconds.
        credential: Credential of a security key, for the origin of this page.

    Raises:
        UsageError: The key is malformed, belongs to another person or is revoked.
        VerificationError: The signature does not prove possession for this person.
    """
    key_id = build_owner_key_id(public)
    key = OwnerKey(key_id, public, person, (), (), credential)
    signed = dsse.DsseEnvelope(
        POSSESSION,
        build_possession_payload(store, public, person),
        (dsse.DsseSignature(proof, key_id),),
    )
    if (
        signed_statements.is_valid_public_key(public, credential)
        and signed_statements.verify_key_signature(signed, key) is None
    ):
        raise VerificationError(
            f"the key {key_id} did not sign its enrollment for {person}",
            "nothing was recorded; create a key on this page",
        )
    return key_enrolment.enroll_owner_key(
        store,
        public,
        person,
        valid_from=now,
        valid_until=now + LIFE,
        uid=uid,
        now=now,
        authority=authority,
        credential=credential,
    )
