"""Compute a server's identity (TLS key or program) to detect a replaced server.

| reached by | identity |
|---|---|
| https | SHA-256 of the public key of its certificate (SPKI, RFC 7469 2.4) |
| http | its URL |
| command | SHA-256 of the words of the command, and of the program that it runs |
"""

import hashlib
import os
import shutil
import ssl
from collections.abc import Callable, Sequence
from functools import lru_cache

import msgspec

_CHUNK_SIZE = 1 << 20

IdentityCheck = Callable[[str], bool]
ServerIdentityCheck = Callable[[str, str], bool]


def accept_any_identity(identity: str) -> bool:
    """Accept any server identity: the check of a server that pins none."""
    return True


def accept_any_server(server: str, identity: str) -> bool:
    """Accept any identity of any server."""
    return True


def tls_key_identity(tls: ssl.SSLObject) -> str:
    """Return the identity of a server by its TLS key."""
    certificate = tls.getpeercert(binary_form=True)
    return _spki_identity(certificate or b"")


@lru_cache(maxsize=1024)
def _spki_identity(certificate: bytes) -> str:
    """Return the SHA-256 of a certificate's public key (SPKI)."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
    from cryptography.x509 import load_der_x509_certificate

    key = load_der_x509_certificate(certificate).public_key()
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return f"tls-key sha256:{hashlib.sha256(spki).hexdigest()}"


def command_identity(argv: Sequence[str], path: str) -> str:
    """Return the identity of a server by its command and program file.

    Args:
        argv: Words of the command; only their digest is kept.
        path: PATH in which the program is searched.
    """
    words = hashlib.sha256(msgspec.json.encode(list(argv))).hexdigest()
    found = shutil.which(argv[0], path=path)
    try:
        program = (
            "missing" if found is None else _program_digest(os.path.realpath(found))
        )
    except OSError:
        program = "unreadable"
    return f"command sha256:{words}, program sha256:{program}"


def _program_digest(path: str) -> str:
    """Return the digest of a program file."""
    facts = os.stat(path)
    return _file_digest(path, facts.st_ino, facts.st_mtime_ns, facts.st_size)


@lru_cache(maxsize=256)
def _file_digest(path: str, inode: int, modified: int, size: int) -> str:
    """Digest a program file; cached by inode, modification time and size."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(_CHUNK_SIZE):
            digest.update(piece)
    return digest.hexdigest()
