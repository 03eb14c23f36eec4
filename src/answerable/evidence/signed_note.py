"""Sign and verify signed notes (C2SP signed-note) with Ed25519 keys.

A note is text that ends in a newline, an empty line, and signature lines `— NAME
BASE64(key hash || signature)`. The cryptography library is imported lazily, so a
program that signs nothing never loads it.
"""

import base64
import binascii
import hashlib
from dataclasses import dataclass

from answerable.model.errors import UsageError, VerificationError

_ED25519 = b"\x01"
_DASH = "\u2014 "
_HASH = 4
_SIGNATURE = 64


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A key that verifies notes.

    Attributes:
        name: Key name; no spaces and no plus sign.
        raw: 32 bytes, RFC 8032.
    """

    name: str
    raw: bytes

    @property
    def key_hash(self) -> bytes:
        """Return the key hash: SHA-256(name || 0x0A || 0x01 || key), first four bytes."""
        text = self.name.encode() + b"\n" + _ED25519 + self.raw
        return hashlib.sha256(text).digest()[:_HASH]

    def __str__(self) -> str:
        body = base64.b64encode(_ED25519 + self.raw).decode("ascii")
        return f"{self.name}+{self.key_hash.hex()}+{body}"

    @classmethod
    def parse(cls, text: str) -> "VerifierKey":
        """Parse a verifier key, `NAME+HASH+BASE64`.

        Raises:
            UsageError: The text is not an Ed25519 verifier key.
        """
        parts = text.strip().split("+", 2)
        wrong = UsageError(
            "not a verifier key (expected NAME+HASH+BASE64, as in keys/log.pub)",
            "use the file keys/log.pub of the store, or its text",
        )
        if len(parts) != 3 or not _is_key_name(parts[0]):
            raise wrong
        body = decode_base64(parts[2])
        if body is None:
            raise wrong
        key = cls(parts[0], body[1:])
        if body[:1] != _ED25519 or len(body) != 33 or key.key_hash.hex() != parts[1]:
            raise wrong
        return key


def decode_base64(text: str) -> bytes | None:
    """Decode base64; None unless it is the canonical encoding of its bytes.

    Decoders ignore unused bits in the last letter; a change there must be detected.
    """
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return data if base64.b64encode(data).decode("ascii") == text else None


def _is_key_name(name: str) -> bool:
    """Return whether a text is a valid key name: no plus sign, no space."""
    return bool(name) and "+" not in name and not any(c.isspace() for c in name)


def derive_verifier_key(name: str, seed: bytes) -> VerifierKey:
    """Derive the public key of an Ed25519 seed (32 bytes)."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    private = Ed25519PrivateKey.from_private_bytes(seed)
    return VerifierKey(name, private.public_key().public_bytes_raw())


def sign_bytes(seed: bytes, data: bytes) -> bytes:
    """Sign with an Ed25519 seed: 64 bytes."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(seed).sign(data)


def verify_bytes(key: VerifierKey, signature: bytes, data: bytes) -> bool:
    """Return whether a key made this signature over the data."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(key.raw).verify(signature, data)
    except (InvalidSignature, ValueError):
        return False
    return True


def sign_note(text: str, key: VerifierKey, seed: bytes) -> bytes:
    """Sign a text, which must end in a newline, as a C2SP note.

    Raises:
        ValueError: The text does not end in a newline.
    """
    if not text.endswith("\n"):
        raise ValueError("the text of a note must end with a newline")
    signature = sign_bytes(seed, text.encode())
    body = base64.b64encode(key.key_hash + signature).decode("ascii")
    return f"{text}\n{_DASH}{key.name} {body}\n".encode()


def verify_note(note: bytes, key: VerifierKey) -> str:
    """Return the text of a note that the key signed; other signatures are ignored.

    Raises:
        VerificationError: The note is malformed, or the key did not sign it.
    """
    text, lines = _split_text_and_signatures(note)
    for line in lines:
        name, blob = _split_signature(line)
        if name != key.name or blob[:_HASH] != key.key_hash:
            continue
        if verify_bytes(key, blob[_HASH:], text.encode()):
            return text
        raise VerificationError("the signature of the checkpoint is invalid")
    raise VerificationError("the checkpoint is not signed by the key")


def parse_unverified_note(note: bytes) -> str:
    """Return the text of a note without verifying its signatures.

    A signature may be wrong, but each is there as a whole: the one of the origin, which
    is the first line of the text, has the size of an Ed25519 signature.

    Raises:
        VerificationError: The note is malformed.
    """
    text, lines = _split_text_and_signatures(note)
    origin = text.split("\n", 1)[0]
    sizes: dict[str, int] = {}
    for line in lines:
        name, blob = _split_signature(line)
        sizes.setdefault(name, len(blob) - _HASH)
    if sizes.get(origin) != _SIGNATURE or min(sizes.values()) < 1:
        raise VerificationError("a signature of the signed note is incomplete")
    return text


def _split_signature(line: str) -> tuple[str, bytes]:
    """Split a signature line into the name of the key, and key hash and signature.

    Raises:
        VerificationError: The line is malformed.
    """
    name, _, body = line.removeprefix(_DASH).partition(" ")
    blob = decode_base64(body)
    if blob is None:
        raise VerificationError("a signed note is malformed")
    return name, blob


def _split_text_and_signatures(note: bytes) -> tuple[str, list[str]]:
    """Split a note into its text and its signature lines."""
    try:
        whole = note.decode("utf-8")
    except UnicodeDecodeError:
        raise VerificationError("a signed note is not UTF-8") from None
    text, gap, tail = whole.rpartition("\n\n")
    lines = tail.split("\n")
    if not gap or lines.pop() != "" or not lines:
        raise VerificationError("a signed note is malformed")
    if any(not line.startswith(_DASH) for line in lines):
        raise VerificationError("a signed note is malformed")
    return text + "\n", lines
