"""Enroll an owner key made in a browser, after it proved possession."""

import msgspec

from answerable.evidence import dsse, signed_statements
from answerable.evidence.signed_note import VerifierKey, verify_bytes
from answerable.model.documents.shared_shapes import Document
from answerable.model.errors import VerificationError
from answerable.model.ids import PersonId
from answerable.model.owner_signing_key import build_owner_key_id
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
) -> Document:
    """Record the owner key that a person's browser made.

    Args:
        public: 32 bytes.
        proof: Signature of the key over its `build_possession_payload` payload.
        uid: User id of this process.
        now: UTC nanoseconds.

    Raises:
        UsageError: The key is malformed, belongs to another person or is revoked.
        VerificationError: The signature does not prove possession for this person.
    """
    said = dsse.pre_authentication_encoding(
        POSSESSION, build_possession_payload(store, public, person)
    )
    key = VerifierKey(build_owner_key_id(public), public)
    if signed_statements.is_valid_public_key(public) and not verify_bytes(
        key, proof, said
    ):
        raise VerificationError(
            f"the key {key.name} did not sign its enrollment for {person}",
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
    )
