"""Who a server is: what tells it from another one that stands at its place.

| reached | identity |
|---|---|
| https | SHA-256 of the public key of its certificate (SPKI, RFC 7469 2.4) |
| http | its URL |
| by command | SHA-256 of the words of the command, and of the program that it runs |
"""

import hashlib
import os
import shutil
import ssl
from collections.abc import Callable, Sequence
from functools import lru_cache

import msgspec

_PIECE = 1 << 20

Met = Callable[[str], bool]
MetAt = Callable[[str, str], bool]


def anybody(identity: str) -> bool:
    """Take whoever answers."""
    return True


def nowhere(server: str, identity: str) -> bool:
    """Take whoever answers, whichever server it is."""
    return True


def key_identity(tls: ssl.SSLObject) -> str:
    """Name a server by the key that it has just proved to hold."""
    certificate = tls.getpeercert(binary_form=True)
    return _of_certificate(certificate or b"")


@lru_cache(maxsize=1024)
def _of_certificate(certificate: bytes) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
    from cryptography.x509 import load_der_x509_certificate

    key = load_der_x509_certificate(certificate).public_key()
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return f"tls-key sha256:{hashlib.sha256(spki).hexdigest()}"


def command_identity(argv: Sequence[str], path: str) -> str:
    """Name a server by its command and the bytes of its program.

    Args:
        argv: Words of the command; only their digest is kept.
        path: PATH that the program is looked for in.
    """
    words = hashlib.sha256(msgspec.json.encode(list(argv))).hexdigest()
    found = shutil.which(argv[0], path=path)
    try:
        program = "missing" if found is None else _program(os.path.realpath(found))
    except OSError:
        program = "unreadable"
    return f"command sha256:{words}, program sha256:{program}"


def _program(path: str) -> str:
    facts = os.stat(path)
    return _digest(path, facts.st_ino, facts.st_mtime_ns, facts.st_size)


@lru_cache(maxsize=256)
def _digest(path: str, inode: int, modified: int, size: int) -> str:
    """Digest a program; again only where it is another file by now."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()
