"""Verify a sign-in at the web page with an owner key."""

import msgspec

from answerable.evidence import dsse, signed_statements
from answerable.model.errors import VerificationError
from answerable.model.ids import PersonId
from answerable.model.owner_signing_key import OwnerKey, OwnerKeyId
from answerable.services.statements import owner_keys
from answerable.services.statements.attested_owners import AttestedOwnerReader
from answerable.store.store import EvidenceStore

SIGN_IN = "application/vnd.answerable.sign-in.v1+json"


class _SignInWire(msgspec.Struct, forbid_unknown_fields=True):
    """The signed payload."""

    address: str
    challenge: str
    key: str
    store: str


_encoder = msgspec.json.Encoder(order="sorted")
_decoder = msgspec.json.Decoder(_SignInWire, strict=True)


def read_challenge(envelope: bytes) -> str:
    """Return the unverified challenge of an envelope; empty if it has none."""
    try:
        return _decode_payload(dsse.decode_envelope(envelope)).challenge
    except VerificationError:
        return ""


def verify_key_sign_in(
    store: EvidenceStore, envelope: bytes, person: PersonId, *, address: str, now: int
) -> OwnerKey:
    """Verify that a person's valid owner key signed a sign-in for an address and store.

    The caller checks the challenge: that it issued it, and that it is used once.

    Args:
        envelope: DSSE envelope of type `SIGN_IN`.
        address: Origin of the web page, such as `http://127.0.0.1:8470`.
        now: UTC nanoseconds.

    Raises:
        VerificationError: Another key, person, address or store; or the key is not
            valid now.
    """
    signed = dsse.decode_envelope(envelope)
    said = _decode_payload(signed)
    if said.address != address or said.store != owner_keys.get_store_id(store):
        raise _build_error("it was made for another address or store")
    enrolled = owner_keys.read_owner_keys(store)
    key = enrolled.get(OwnerKeyId(said.key))
    if key is None:
        raise _build_error("its key is not enrolled")
    if owner_keys.get_owner_key_state(key, now) != "valid":
        raise _build_error("its key is not valid now")
    owners = AttestedOwnerReader(store)
    owners.read(now)
    if owners.canonical_person(key.person) != owners.canonical_person(person):
        raise _build_error("its key belongs to another person")
    if signed_statements.verify_key_signature(signed, key) is None:
        raise _build_error("its signature is wrong")
    return key


def _decode_payload(envelope: dsse.DsseEnvelope) -> _SignInWire:
    """Decode the payload of an envelope.

    Raises:
        VerificationError: It is of another type, or not in canonical form.
    """
    if envelope.payload_type != SIGN_IN:
        raise _build_error(f"it is no signature of the type {SIGN_IN}")
    try:
        said = _decoder.decode(envelope.payload)
        same = _encoder.encode(said) == envelope.payload
    except (ValueError, RecursionError):
        same = False
    if not same:
        raise _build_error("its text is not in the expected form")
    return said


def _build_error(reason: str) -> VerificationError:
    """Build the error of a sign-in that is not valid."""
    return VerificationError(
        f"the sign-in with an owner key is not valid: {reason}",
        "sign in with the printed link, and check the keys at /keys",
    )
