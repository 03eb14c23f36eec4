"""Encrypt the keys in a backup with a passphrase: scrypt, then AES-256-GCM."""

import base64
import os
from collections.abc import Mapping

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from answerable.model.errors import UsageError

MIN_PASSPHRASE = 16  # bytes
_SALT, _NONCE = 16, 12  # bytes
# RFC 7914, section 2: n is the cost in processor and memory, 128 * n * r bytes.
_N, _R, _P = 1 << 15, 8, 1
_LABEL = b"answerable/backup-keys/v1"


def _derive_key(passphrase: bytes, salt: bytes) -> bytes:
    """Derive the key of the cipher from the passphrase."""
    if len(passphrase) < MIN_PASSPHRASE:
        raise UsageError(
            f"the passphrase is too short (got {len(passphrase)} bytes, expected at "
            f"least {MIN_PASSPHRASE})",
            "openssl rand -hex 32 > FILE; chmod 600 FILE",
        )
    return Scrypt(salt=salt, length=32, n=_N, r=_R, p=_P).derive(passphrase)


def encrypt_files(files: Mapping[str, bytes], passphrase: bytes) -> bytes:
    """Encrypt files by name.

    Raises:
        UsageError: The passphrase is too short.
    """
    salt, nonce = os.urandom(_SALT), os.urandom(_NONCE)
    packed = {name: base64.b64encode(data).decode() for name, data in files.items()}
    cipher = AESGCM(_derive_key(passphrase, salt))
    return salt + nonce + cipher.encrypt(nonce, msgspec.json.encode(packed), _LABEL)


def decrypt_files(data: bytes, passphrase: bytes) -> dict[str, bytes]:
    """Decrypt files by name.

    Raises:
        UsageError: The passphrase is another one.
    """
    salt, nonce = data[:_SALT], data[_SALT : _SALT + _NONCE]
    cipher = AESGCM(_derive_key(passphrase, salt))
    try:
        plain = cipher.decrypt(nonce, data[_SALT + _NONCE :], _LABEL)
    except InvalidTag:
        raise UsageError(
            "the keys of this backup have another passphrase", "check --passphrase"
        ) from None
    packed = msgspec.json.decode(plain, type=dict[str, str])
    return {name: base64.b64decode(text) for name, text in packed.items()}
