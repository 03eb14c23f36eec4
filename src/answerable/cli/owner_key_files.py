"""Write and read owner key files: PKCS#8 encrypted with a passphrase.

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

from answerable.cli.settings import find_home
from answerable.connectors.regular_file import open_named_file
from answerable.model.errors import EnvironmentFailure, UsageError
from answerable.model.ids import PersonId

if TYPE_CHECKING:
    from answerable.services.statements.owner_keys import LocalSigner

MIN_PASSPHRASE_LENGTH = 8  # characters of a passphrase
_NEW_KEY_HINT = "create a key: answerable owner-keys new --person PERSON"
_PEM_LABEL = "ENCRYPTED PRIVATE KEY"  # PKCS#8 under a passphrase, RFC 7468, section 11
_MAX_FILE_BYTES = 1 << 16  # bytes of a key file
_COST, _BLOCK, _PARALLEL = 1 << 14, 8, 8  # 16 MiB: the limit of OpenSSL's default
_PBES2 = bytes.fromhex("06092a864886f70d01050d")
_SCRYPT = bytes.fromhex("06092b06010401da47040b")
_AES_256_CBC = bytes.fromhex("060960864801650304012a")


def default_key_file(person: PersonId) -> Path:
    """Return the default file of a person's key."""
    configured = os.environ.get("XDG_CONFIG_HOME", "")
    # As for the store: a relative path would include the working directory.
    absolute = configured and Path(configured).is_absolute()
    folder = Path(configured) if absolute else find_home() / ".config"
    name = quote(person.removeprefix("person:"), safe="@+")
    return folder / "answerable" / "owner-keys" / f"{name}.pem"


def check_key_file_writable(path: Path) -> None:
    """Refuse a key file that exists or cannot be created, before the prompt.

    Raises:
        UsageError: One of the two files exists.
        EnvironmentFailure: The folder cannot be written, or created.
    """
    for half in (path, _get_public_key_path(path)):
        if os.path.lexists(half):
            raise _build_key_file_exists_error(str(half))
    # A dangling link exists, too: no folder can be created in its place.
    nearest = next(each for each in path.absolute().parents if os.path.lexists(each))
    try:
        facts = os.stat(nearest)
    except OSError as error:
        why = f"the link {nearest} cannot be followed ({error.strerror})"
        raise _build_key_file_write_error(path, why) from None
    if not stat.S_ISDIR(facts.st_mode):
        raise _build_key_file_write_error(path, os.strerror(errno.ENOTDIR))
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise _build_key_file_write_error(path, os.strerror(errno.EACCES))


def write_key_pair(path: Path, passphrase: str) -> "tuple[LocalSigner, Path]":
    """Generate a key and write its two halves: `FILE` and `FILE.pub`.

    Args:
        path: File of the key; it must not exist.
        passphrase: Passphrase of the private half.

    Returns:
        The key, and the file of the public half.

    Raises:
        UsageError: A key file exists.
        EnvironmentFailure: The disk cannot be written.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from answerable.services.statements.owner_keys import LocalSigner

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
    beside = _get_public_key_path(path)
    check_key_file_writable(path)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write_new_file(
            path, _encode_pem(_PEM_LABEL, _encrypt_pkcs8(plain, passphrase)), 0o600
        )
        _write_new_file(beside, told, 0o644)
    except FileExistsError as error:
        raise _build_key_file_exists_error(str(error.filename)) from None
    except OSError as error:
        raise _build_key_file_write_error(path, error.strerror) from None
    return LocalSigner(public.public_bytes_raw(), key.private_bytes_raw()), beside


def read_private_key(path: Path, passphrase: Callable[[], str]) -> "LocalSigner":
    """Read and decrypt a private key.

    Args:
        passphrase: Returns the passphrase; called once the file is known to be
            complete.

    Raises:
        UsageError: It is missing, cut off, not encrypted, or has another passphrase.
        EnvironmentFailure: It cannot be read, or other users can read it.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    from answerable.services.statements.owner_keys import LocalSigner

    data = read_private_file(path, "key")
    _check_encrypted_key(path, data)
    phrase = passphrase()
    try:
        key = load_pem_private_key(data, phrase.encode("utf-8"))
    except (ValueError, UnsupportedAlgorithm):
        # No chained cause: the library's message could contain secrets.
        raise UsageError(
            f"wrong passphrase for {path}", "try again; nothing was signed"
        ) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise UsageError(f"{path} is not an Ed25519 key", _NEW_KEY_HINT)
    return LocalSigner(key.public_key().public_bytes_raw(), key.private_bytes_raw())


def _check_encrypted_key(path: Path, data: bytes) -> None:
    """Check that a file holds a complete encrypted key, before the passphrase prompt.

    Raises:
        UsageError: It does not.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    is_sealed, is_whole = f"-----BEGIN {_PEM_LABEL}-----".encode() in data, True
    try:
        load_pem_private_key(data, None)
        is_sealed = False
    except TypeError:
        pass  # only the passphrase is missing
    except (ValueError, UnsupportedAlgorithm):
        is_whole = False
    if not is_sealed:
        raise UsageError(
            f"{path} is not an encrypted private key (expected encrypted PKCS#8)",
            _NEW_KEY_HINT,
        )
    if not is_whole:
        raise UsageError(
            f"the private key in {path} is truncated or damaged (expected complete "
            "PKCS#8)",
            "restore the file from a copy, or " + _NEW_KEY_HINT,
        )


def read_public_key(path: Path) -> bytes:
    """Read a person's Ed25519 public key: 32 bytes.

    Raises:
        UsageError: It is no public key.
        EnvironmentFailure: The file cannot be read.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    wrong = UsageError(
        f"{path} is not a public Ed25519 key (expected PEM, BEGIN PUBLIC KEY)",
        "use the .pub file next to the person's private key",
    )
    try:
        with open_named_file(path) as file:
            data = file.read(_MAX_FILE_BYTES)
    except OSError as error:
        raise EnvironmentFailure(
            f"cannot read {path}: {error.strerror}",
            "PUB is the .pub file next to the person's private key",
        ) from None
    try:
        key = load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm):
        raise wrong from None
    if not isinstance(key, Ed25519PublicKey):
        raise wrong
    return key.public_bytes_raw()


def read_private_file(path: Path, description: str) -> bytes:
    """Read a file that only its user may read.

    Raises:
        EnvironmentFailure: It cannot be read, or other users can read it.
    """
    try:
        with open_named_file(path) as file:
            facts = os.fstat(file.fileno())
            data = file.read(_MAX_FILE_BYTES)
    except OSError as error:
        raise EnvironmentFailure(
            f"cannot read the {description} file {path}: {error.strerror}",
            "check that the file exists and belongs to you",
        ) from None
    regular = stat.S_ISREG(facts.st_mode)
    if regular and (facts.st_uid != os.geteuid() or facts.st_mode & 0o077):
        raise EnvironmentFailure(
            f"{path} belongs to another user, or others can read it",
            f"make the file readable only by you: chmod 600 {path}",
        )
    return data


def _get_public_key_path(path: Path) -> Path:
    """Return the path of the public key next to a private key file."""
    return path.with_name(path.name + ".pub")


def _build_key_file_exists_error(path: str) -> UsageError:
    """Build the error for a key file that exists already."""
    return UsageError(
        f"{path} exists; keys are never overwritten",
        "name another file with --key, or use the existing key",
    )


def _build_key_file_write_error(path: Path, reason: str | None) -> EnvironmentFailure:
    """Build the error for a key file that cannot be written."""
    return EnvironmentFailure(
        f"cannot write {path}: {reason}", "name another file with --key"
    )


def _write_new_file(path: Path, data: bytes, mode: int) -> None:
    """Create a file with these permissions and sync it; fail if it exists."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    with os.fdopen(file, "wb") as opened:
        opened.write(data)
        opened.flush()
        os.fsync(opened.fileno())


def _encrypt_pkcs8(plain: bytes, passphrase: str) -> bytes:
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
    numbers = b"".join(_encode_integer(each) for each in (_COST, _BLOCK, _PARALLEL))
    derivation = _encode_sequence(
        _SCRYPT, _encode_sequence(_encode_octets(salt), numbers)
    )
    cipher = _encode_sequence(_AES_256_CBC, _encode_octets(start))
    scheme = _encode_sequence(_PBES2, _encode_sequence(derivation, cipher))
    return _encode_sequence(scheme, _encode_octets(sealed))


def _encode_der(tag: int, content: bytes) -> bytes:
    """Encode a DER element: tag, length and content."""
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content


def _encode_sequence(*parts: bytes) -> bytes:
    """Encode DER elements as a SEQUENCE."""
    return _encode_der(0x30, b"".join(parts))


def _encode_octets(data: bytes) -> bytes:
    """Encode bytes as a DER OCTET STRING."""
    return _encode_der(0x04, data)


def _encode_integer(value: int) -> bytes:
    """Encode an integer as a DER INTEGER."""
    return _encode_der(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def _encode_pem(label: str, der: bytes) -> bytes:
    """Encode DER bytes as a PEM block."""
    import base64

    body = base64.b64encode(der).decode("ascii")
    lines = [body[at : at + 64] for at in range(0, len(body), 64)]
    return "\n".join(
        (f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", "")
    ).encode("ascii")
