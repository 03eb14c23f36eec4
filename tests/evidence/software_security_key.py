"""A security key in software: what a device and its browser make, with every fault."""

import hashlib
import json
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from answerable.evidence import dsse
from answerable.model.owner_signing_key import (
    OwnerKeyId,
    WebAuthnCredential,
    build_owner_key_id,
)

VERIFIED = 0x01 | 0x04  # present, verified


def base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


@dataclass
class SoftwareSecurityKey:
    """A device with one credential, at one origin."""

    origin: str
    secret: int = 7
    count: int = 0
    private: ec.EllipticCurvePrivateKey = field(init=False)

    def __post_init__(self) -> None:
        self.private = ec.derive_private_key(self.secret, ec.SECP256R1())

    @property
    def public(self) -> bytes:
        key = self.private.public_key()
        return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    @property
    def id(self) -> OwnerKeyId:
        return build_owner_key_id(self.public)

    @property
    def credential(self) -> WebAuthnCredential:
        return WebAuthnCredential(b"credential", self.origin)

    def sign(
        self,
        signed: bytes,
        *,
        flags: int = VERIFIED,
        more: bytes = b"",
        rp: str = "",
        count: int | None = None,
        **client: object,
    ) -> bytes:
        """Make an assertion; the members of the client data can be others."""
        self.count += 1
        host = rp or urlsplit(self.origin).hostname or ""
        data = hashlib.sha256(host.encode()).digest() + bytes([flags])
        data += (self.count if count is None else count).to_bytes(4, "big") + more
        said = {
            "type": "webauthn.get",
            "challenge": base64url(hashlib.sha256(signed).digest()),
            "origin": self.origin,
            "crossOrigin": False,
        } | client
        text = json.dumps(said).encode()
        covered = data + hashlib.sha256(text).digest()
        signature = self.private.sign(covered, ec.ECDSA(hashes.SHA256()))
        members = {
            "authenticatorData": base64url(data),
            "clientDataJSON": base64url(text),
            "signature": base64url(signature),
        }
        return json.dumps(members).encode()

    def seal(self, kind: str, payload: bytes, **faults: object) -> bytes:
        """Sign a payload of a type, in an envelope."""
        signed = dsse.pre_authentication_encoding(kind, payload)
        proof = dsse.DsseSignature(self.sign(signed, **faults), self.id)  # type: ignore[arg-type]  # of a test
        return dsse.encode_envelope(dsse.DsseEnvelope(kind, payload, (proof,)))
