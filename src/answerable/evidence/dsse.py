"""Sign, encode and verify DSSE v1 envelopes with Ed25519.

Specification: https://github.com/secure-systems-lab/dsse.

The signature covers the pre-authentication encoding of the payload and its type, so a
payload cannot pass for one of another type. Decoding rejects duplicate members and
non-canonical base64 and ignores unknown members (envelope.md, "Parsing rules").
"""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass

from answerable.evidence.signed_note import VerifierKey, sign_bytes, verify_bytes
from answerable.model.errors import VerificationError
from answerable.model.json_members import build_unique_members

MAX_ENVELOPE_SIZE = 4 << 20  # bytes of an envelope
MAX_SIGNATURES = 16
_URL_SAFE = str.maketrans("-_", "+/")


@dataclass(frozen=True, slots=True)
class DsseSignature:
    """A signature with the hint of the key that made it; the hint is unverified.

    Attributes:
        sig: Its bytes.
        keyid: Which key may have made it: a hint that nothing vouches for.
    """

    sig: bytes
    keyid: str = ""


@dataclass(frozen=True, slots=True)
class DsseEnvelope:
    """A payload with its signatures.

    Attributes:
        payload_type: Media type of the payload.
        signatures: Some may be by unknown keys.
    """

    payload_type: str
    payload: bytes
    signatures: tuple[DsseSignature, ...]


def pre_authentication_encoding(payload_type: str, payload: bytes) -> bytes:
    """Return the pre-authentication encoding (protocol.md, "Signature Definition").

    `DSSEv1 LEN(type) type LEN(body) body`, each length in bytes and in decimal.
    """
    kind = payload_type.encode("utf-8")
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def sign_envelope(
    payload_type: str, payload: bytes, keyid: str, seed: bytes
) -> DsseEnvelope:
    """Sign a payload with an Ed25519 seed (32 bytes)."""
    sig = sign_bytes(seed, pre_authentication_encoding(payload_type, payload))
    return DsseEnvelope(payload_type, payload, (DsseSignature(sig, keyid),))


def find_signers(envelope: DsseEnvelope, keys: Mapping[str, bytes]) -> frozenset[str]:
    """Verify the signatures, and return the ids of the keys that signed.

    The keyid hint only narrows which keys are tried (protocol.md).

    Args:
        keys: Trusted public keys (32 bytes) by key id.
    """
    said = pre_authentication_encoding(envelope.payload_type, envelope.payload)
    found = set()
    for each in envelope.signatures:
        tried = (each.keyid,) if each.keyid else tuple(keys)
        for name in tried:
            raw = keys.get(name)
            if raw is not None and verify_bytes(VerifierKey(name, raw), each.sig, said):
                found.add(name)
                break
    return frozenset(found)


def encode_envelope(envelope: DsseEnvelope) -> bytes:
    """Encode an envelope as JSON, deterministically."""
    signatures = [
        {"keyid": each.keyid, "sig": _encode_base64(each.sig)}
        for each in envelope.signatures
    ]
    document = {
        "payload": _encode_base64(envelope.payload),
        "payloadType": envelope.payload_type,
        "signatures": signatures,
    }
    return json.dumps(document, separators=(",", ":"), ensure_ascii=True).encode()


def decode_envelope(data: bytes) -> DsseEnvelope:
    """Decode an envelope; its signatures are not verified yet.

    Raises:
        VerificationError: The bytes are no envelope, or have more than one reading.
    """
    if len(data) > MAX_ENVELOPE_SIZE:
        raise _build_envelope_error(f"expected at most {MAX_ENVELOPE_SIZE} bytes")
    try:
        document = json.loads(
            data.decode("utf-8"), object_pairs_hook=build_unique_members
        )
    except (ValueError, RecursionError):
        raise _build_envelope_error("expected JSON without duplicate members") from None
    if not isinstance(document, dict):
        raise _build_envelope_error("expected a JSON object")
    kind, listed = document.get("payloadType"), document.get("signatures")
    if not isinstance(kind, str) or not _is_encodable(kind):
        raise _build_envelope_error("expected payloadType to be a string")
    if not isinstance(listed, list) or not 0 < len(listed) <= MAX_SIGNATURES:
        raise _build_envelope_error(f"expected 1 to {MAX_SIGNATURES} signatures")
    payload = _decode_base64(document.get("payload"), "payload")
    return DsseEnvelope(
        kind, payload, tuple(_decode_signature(each) for each in listed)
    )


def _decode_signature(decoded: object) -> DsseSignature:
    """Decode one signature of the envelope's JSON."""
    if not isinstance(decoded, dict):
        raise _build_envelope_error("expected each signature to be an object")
    keyid = decoded.get("keyid", "")
    if not isinstance(keyid, str) or not _is_encodable(keyid):
        raise _build_envelope_error("expected keyid to be a string, if present")
    return DsseSignature(_decode_base64(decoded.get("sig"), "sig"), keyid)


def _is_encodable(text: str) -> bool:
    """Return whether a text has no lone surrogate."""
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


def _encode_base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _decode_base64(text: object, name: str) -> bytes:
    """Decode padded base64 in either alphabet; only the canonical form is accepted."""
    wrong = _build_envelope_error(f"expected {name} in canonical base64")
    if not isinstance(text, str):
        raise wrong
    url_safe = "-" in text or "_" in text
    if url_safe and ("+" in text or "/" in text):
        raise wrong
    plain = text.translate(_URL_SAFE) if url_safe else text
    try:
        data = base64.b64decode(plain, validate=True)
    except (binascii.Error, ValueError):
        raise wrong from None
    if _encode_base64(data) != plain:
        raise wrong
    return data


def _build_envelope_error(expected: str) -> VerificationError:
    return VerificationError(f"not a signed envelope ({expected})")
