"""WebAuthn assertions: signatures of security keys over a challenge.

A security key signs its own data, with a challenge in it. Here the challenge is the
SHA-256 of the bytes that an Ed25519 key would sign, so the assertion covers exactly
them. Only ES256 (P-256), which every security key supports, and only assertions without
extensions are accepted.
"""

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from urllib.parse import urlsplit

import msgspec

from answerable.model.owner_signing_key import P256_KEY_BYTES, WebAuthnCredential

# Authenticator data without extensions: relying party, flags, counter (WebAuthn 6.1).
_RP_HASH, _DATA_BYTES = 32, 37
_USER_PRESENT, _USER_VERIFIED = 0x01, 0x04
_BOTH = _USER_PRESENT | _USER_VERIFIED
_EXTENDED = 0x40 | 0x80  # attested credential data, extensions
MAX_CREDENTIAL_ID = 1023  # bytes, WebAuthn 4


class _AssertionWire(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """The signature's bytes: members of WebAuthn's AuthenticatorAssertionResponseJSON."""

    authenticator_data: str
    client_data: str = msgspec.field(name="clientDataJSON")
    signature: str


class _ClientDataWire(msgspec.Struct, rename="camel"):
    """Client data (WebAuthn 5.8.1); browsers may add members."""

    type: str
    challenge: str
    origin: str
    cross_origin: bool = False


@dataclass(frozen=True, slots=True)
class VerifiedAssertion:
    """Assertion with a valid signature, of a verified and present user.

    Attributes:
        sign_count: Signature counter of the security key; 0 if it has none.
    """

    sign_count: int


_assertion_decoder = msgspec.json.Decoder(_AssertionWire, strict=True)
_client_data_decoder = msgspec.json.Decoder(_ClientDataWire, strict=True)


def is_valid_p256_key(public: bytes) -> bool:
    """Return whether bytes are an uncompressed point of the curve P-256."""
    from cryptography.hazmat.primitives.asymmetric import ec

    if len(public) != P256_KEY_BYTES:
        return False
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public)
    except ValueError:
        return False
    return True


def verify_assertion(
    assertion: bytes, public: bytes, credential: WebAuthnCredential, signed: bytes
) -> VerifiedAssertion | None:
    """Verify an assertion over some bytes (WebAuthn 7.2, steps 10 to 22).

    The caller checks that the bytes are new, and compares the counter.

    Args:
        assertion: JSON with `authenticatorData`, `clientDataJSON` and `signature`.
        public: Enrolled key, 65 bytes.
        signed: Bytes whose SHA-256 is the challenge.

    Returns:
        None if it is malformed, for another challenge or origin, without user
        verification, or not signed by this key.
    """
    try:
        wire = _assertion_decoder.decode(assertion)
        data = _decode_base64url(wire.authenticator_data)
        client_data = _decode_base64url(wire.client_data)
        signature = _decode_base64url(wire.signature)
        client = _client_data_decoder.decode(client_data)
    except (ValueError, RecursionError):
        return None
    expected = urlsafe_b64encode(hashlib.sha256(signed).digest()).rstrip(b"=").decode()
    is_ours = (
        client.type == "webauthn.get"
        and hmac.compare_digest(client.challenge.encode(), expected.encode())
        and client.origin == credential.origin
        and not client.cross_origin
        and _is_user_verified_at(data, credential.origin)
    )
    covered = data + hashlib.sha256(client_data).digest()
    if not is_ours or not _verify_es256(public, signature, covered):
        return None
    return VerifiedAssertion(int.from_bytes(data[_RP_HASH + 1 :], "big"))


def _is_user_verified_at(data: bytes, origin: str) -> bool:
    """Return whether authenticator data names this origin's host and a verified user."""
    host = urlsplit(origin).hostname or ""
    rp_hash = hashlib.sha256(host.encode("utf-8")).digest()
    if len(data) != _DATA_BYTES or not hmac.compare_digest(data[:_RP_HASH], rp_hash):
        return False
    flags = data[_RP_HASH]
    return flags & _BOTH == _BOTH and not flags & _EXTENDED


def _verify_es256(public: bytes, signature: bytes, data: bytes) -> bool:
    """Return whether a P-256 key made this DER signature over the data."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    try:
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public)
        key.verify(signature, data, ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, ValueError):
        return False
    return True


def _decode_base64url(text: str) -> bytes:
    """Decode base64url without padding; ValueError if it is not canonical."""
    data = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    if urlsafe_b64encode(data).rstrip(b"=") != text.encode("ascii"):
        raise ValueError
    return data
