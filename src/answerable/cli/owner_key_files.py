"""Owner key files: PKCS#8 under a passphrase, readable only by their user.

`cryptography` writes PKCS#8 with 2048 rounds of PBKDF2, too few for a typed passphrase.
So the key is encrypted here with scrypt (RFC 7914, section 7), in a form that it,
OpenSSL and others read.
"""

import errno
import os
import secrets
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from answerable.cli.settings import home
from answerable.connectors.named_file import open_named
from answerable.model.errors import EnvironmentRefused, UsageError
from answerable.model.ids import PersonId

if TYPE_CHECKING:
    from answerable.services.statements.owner_keys import Signer

SHORTEST = 8  # characters of a passphrase
_NEW = "make one with: answerable owner-keys new --person PERSON"
_SEALED = "ENCRYPTED PRIVATE KEY"  # PKCS#8 under a passphrase, RFC 7468, section 11
_LARGEST = 1 << 16  # bytes of a key file
_COST, _BLOCK, _PARALLEL = 1 << 14, 8, 8  # 16 MiB: the limit of OpenSSL's default
_PBES2 = bytes.fromhex("06092a864886f70d01050d")
_SCRYPT = bytes.fromhex("06092b06010401da47040b")
_AES_256_CBC = bytes.fromhex("060960864801650304012a")


def usual_place(person: PersonId) -> Path:
    """Return the default file of a person's key."""
    configured = os.environ.get("XDG_CONFIG_HOME", "")
    # As for the store: a relative path would include the working directory.
    absolute = configured and Path(configured).is_absolute()
    folder = Path(configured) if absolute else home() / ".config"
    name = quote(person.removeprefix("person:"), safe="@+")
    return folder / "answerable" / "owner-keys" / f"{name}.pem"


def check_place(place: Path) -> None:
    """Check that a key can be written to a file, before the passphrase prompt.

    Raises:
        UsageError: One of the two files exists.
        EnvironmentRefused: The folder cannot be written, or created.
    """
    for half in (place, _beside(place)):
        if os.path.lexists(half):
            raise _exists(str(half))
    # A dangling link exists, too: no folder can be created in its place.
    nearest = next(each for each in place.absolute().parents if os.path.lexists(each))
    try:
        facts = os.stat(nearest)
    except OSError as error:
        why = f"the link {nearest} cannot be followed ({error.strerror})"
        raise _unwritten(place, why) from None
    if not stat.S_ISDIR(facts.st_mode):
        raise _unwritten(place, os.strerror(errno.ENOTDIR))
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise _unwritten(place, os.strerror(errno.EACCES))


def write_pair(place: Path, passphrase: str) -> "tuple[Signer, Path]":
    """Generate a key and write its two halves: `FILE` and `FILE.pub`.

    Args:
        place: File of the key; it must not exist.
        passphrase: Passphrase of the private half.

    Returns:
        The key, and the file of the public half.

    Raises:
        UsageError: A key file exists.
        EnvironmentRefused: The disk cannot be written.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from answerable.services.statements.owner_keys import Signer

    key = Ed25519PrivateKey.generate()
    plain = key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    public = key.public_key()
    told = public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    beside = _beside(place)
    check_place(place)
    try:
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write(place, _pem(_SEALED, _wrapped(plain, passphrase)), 0o600)
        _write(beside, told, 0o644)
    except FileExistsError as error:
        raise _exists(str(error.filename)) from None
    except OSError as error:
        raise _unwritten(place, error.strerror) from None
    return Signer(public.public_bytes_raw(), key.private_bytes_raw()), beside


def read_private(place: Path, passphrase: Callable[[], str]) -> "Signer":
    """Read and decrypt a private key.

    Args:
        passphrase: Returns the passphrase; called once the file is known to be
            complete.

    Raises:
        UsageError: It is missing, cut off, not encrypted, or has another passphrase.
        EnvironmentRefused: It cannot be read, or other users can read it.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    from answerable.services.statements.owner_keys import Signer

    data = read_private_file(place, "key")
    _check_sealed(place, data)
    phrase = passphrase()
    try:
        key = load_pem_private_key(data, phrase.encode("utf-8"))
    except (ValueError, UnsupportedAlgorithm):
        # No chained cause: the library's message could contain secrets.
        raise UsageError(
            f"the passphrase does not open {place}", "try again; nothing was signed"
        ) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise UsageError(f"{place} is no Ed25519 key", _NEW)
    return Signer(key.public_key().public_bytes_raw(), key.private_bytes_raw())


def _check_sealed(place: Path, data: bytes) -> None:
    """Check that a file holds a complete encrypted key, before the passphrase prompt.

    Raises:
        UsageError: It does not.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    is_sealed, is_whole = f"-----BEGIN {_SEALED}-----".encode() in data, True
    try:
        load_pem_private_key(data, None)
        is_sealed = False
    except TypeError:
        pass  # only the passphrase is missing
    except (ValueError, UnsupportedAlgorithm):
        is_whole = False
    if not is_sealed:
        raise UsageError(
            f"{place} is no private key under a passphrase (expected PKCS#8, encrypted)",
            _NEW,
        )
    if not is_whole:
        raise UsageError(
            f"the private key in {place} is cut off or damaged (expected PKCS#8 whole)",
            "take it from a copy of the file, or " + _NEW,
        )


def read_public(place: Path) -> bytes:
    """Read a public key: 32 bytes.

    Raises:
        UsageError: It is no public key.
        EnvironmentRefused: The file cannot be read.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    wrong = UsageError(
        f"{place} is no public Ed25519 key (expected PEM, BEGIN PUBLIC KEY)",
        "it is the file that ends in .pub beside the person's key",
    )
    try:
        with open_named(place) as file:
            data = file.read(_LARGEST)
    except OSError as error:
        raise EnvironmentRefused(
            f"cannot read {place}: {error.strerror}",
            "PUB is the file that ends in .pub beside the person's key",
        ) from None
    try:
        key = load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm):
        raise wrong from None
    if not isinstance(key, Ed25519PublicKey):
        raise wrong
    return key.public_bytes_raw()


def read_private_file(place: Path, what: str) -> bytes:
    """Read a file that only its user may read.

    Raises:
        EnvironmentRefused: It cannot be read, or other users can read it.
    """
    try:
        with open_named(place) as file:
            facts = os.fstat(file.fileno())
            data = file.read(_LARGEST)
    except OSError as error:
        raise EnvironmentRefused(
            f"cannot read the {what} file {place}: {error.strerror}",
            "see that it is there and yours",
        ) from None
    regular = stat.S_ISREG(facts.st_mode)
    if regular and (facts.st_uid != os.geteuid() or facts.st_mode & 0o077):
        raise EnvironmentRefused(
            f"{place} is another user's, or others may read it",
            f"give it to yourself alone: chmod 600 {place}",
        )
    return data


def _beside(place: Path) -> Path:
    return place.with_name(place.name + ".pub")


def _exists(place: str) -> UsageError:
    return UsageError(
        f"{place} exists; a key is never written over",
        "name another file with --key, or keep using that key",
    )


def _unwritten(place: Path, why: str | None) -> EnvironmentRefused:
    return EnvironmentRefused(
        f"cannot write {place}: {why}", "name another file with --key"
    )


def _write(place: Path, data: bytes, mode: int) -> None:
    file = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    with os.fdopen(file, "wb") as opened:
        opened.write(data)
        opened.flush()
        os.fsync(opened.fileno())


def _wrapped(plain: bytes, passphrase: str) -> bytes:
    """Encrypt PKCS#8: EncryptedPrivateKeyInfo (RFC 5958, section 3), PBES2."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
    from cryptography.hazmat.primitives.padding import PKCS7

    salt, start = secrets.token_bytes(16), secrets.token_bytes(16)
    key = Scrypt(salt, 32, _COST, _BLOCK, _PARALLEL).derive(passphrase.encode("utf-8"))
    padder = PKCS7(128).padder()
    padded = padder.update(plain) + padder.finalize()
    encryptor = Cipher(algorithms.AES(key), modes.CBC(start)).encryptor()
    sealed = encryptor.update(padded) + encryptor.finalize()
    numbers = b"".join(_integer(each) for each in (_COST, _BLOCK, _PARALLEL))
    derivation = _sequence(_SCRYPT, _sequence(_octets(salt), numbers))
    cipher = _sequence(_AES_256_CBC, _octets(start))
    scheme = _sequence(_PBES2, _sequence(derivation, cipher))
    return _sequence(scheme, _octets(sealed))


def _der(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content


def _sequence(*parts: bytes) -> bytes:
    return _der(0x30, b"".join(parts))


def _octets(data: bytes) -> bytes:
    return _der(0x04, data)


def _integer(value: int) -> bytes:
    return _der(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def _pem(label: str, der: bytes) -> bytes:
    import base64

    body = base64.b64encode(der).decode("ascii")
    lines = [body[at : at + 64] for at in range(0, len(body), 64)]
    return "\n".join(
        (f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", "")
    ).encode("ascii")
