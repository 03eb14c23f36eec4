"""Store private key files: one for each key, mode 0600, encrypted.

The passphrase comes from a file elsewhere (a systemd credential, a mounted secret) or
the environment; then a copy of the folder, from a backup or a disk, reveals no key.
Without one, a random passphrase is stored next to the keys, which protects only a key
file that is copied alone. Neither protects from root or from this user while the
service runs.
"""

import fcntl
import os
import secrets
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from answerable.federation.jwk import PublicJwk
from answerable.federation.strict_json import encode_base64url
from answerable.model.errors import EnvironmentFailure
from answerable.store.durable_files import (
    make_private_folder,
    read_file,
    translate_os_errors,
    write_file,
)

_PASSPHRASES_PATH = "passphrase"
_REPLICA_FILE = "replica"
_SUFFIX = ".pem"
_MIN_PASSPHRASE = 16  # octets of a passphrase


class KeyStore:
    """The folder `keys` in the state folder.

    Args:
        state: State folder of the token service.
        file: File with the passphrase, empty for none.
        variable: Environment variable with the passphrase, empty for none.

    Raises:
        EnvironmentFailure: The folder is unusable or readable by others, or the named
            passphrase is missing.
    """

    def __init__(
        self,
        state: Path,
        file: str = "",
        variable: str = "",
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._path = state / "keys"
        make_private_folder(self._path)
        _check_file_permissions(self._path)
        if file:
            _check_file_permissions(Path(file))
            self._passphrase = _check_passphrase(_read_required_file(Path(file)), file)
        elif variable:
            text = environ.get(variable, "").encode("utf-8", "surrogateescape")
            self._passphrase = _check_passphrase(text, f"the variable {variable}")
        else:
            default_file = self._path / _PASSPHRASES_PATH
            self._passphrase = _check_passphrase(
                self._read_or_create_secret(default_file), str(default_file)
            )
        self.replica = self._read_or_create_secret(self._path / _REPLICA_FILE)[
            :16
        ].decode("ascii")

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Lock the folder, so that one process of a replica generates a key at a time."""
        with translate_os_errors("lock", self._path):
            handle = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def key_ids(self) -> set[str]:
        """Return the ids (kid) of the stored private keys."""
        with translate_os_errors("read", self._path):
            return {path.stem for path in self._path.glob(f"*{_SUFFIX}")}

    def generate(self) -> tuple[str, PublicJwk]:
        """Generate and store an ES256 key; return its kid and public JWK."""
        private = ec.generate_private_key(ec.SECP256R1())
        jwk = to_public_jwk(private.public_key())
        pem = private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(self._passphrase),
        )
        write_file(self._key_path(jwk.thumbprint), pem, private=True)
        return jwk.thumbprint, jwk

    def load(self, kid: str) -> ec.EllipticCurvePrivateKey:
        """Load the private signing key with this `kid` from its file.

        Raises:
            EnvironmentFailure: It is missing, damaged, readable by others, encrypted
                with another passphrase, or not the key of that kid.
        """
        path = self._key_path(kid)
        _check_file_permissions(path)
        try:
            private = serialization.load_pem_private_key(
                _read_required_file(path), self._passphrase
            )
        except (ValueError, TypeError):
            raise EnvironmentFailure(
                f"{path} cannot be decrypted",
                "use the passphrase that it was created with, or remove it: the "
                "next key replaces it",
            ) from None
        if not (
            isinstance(private, ec.EllipticCurvePrivateKey)
            and isinstance(private.curve, ec.SECP256R1)
            and to_public_jwk(private.public_key()).thumbprint == kid
        ):
            raise EnvironmentFailure(f"{path} contains another key", "remove it")
        return private

    def remove(self, kid: str) -> None:
        """Delete the file of the private signing key with this `kid`."""
        with translate_os_errors("remove", self._key_path(kid)):
            self._key_path(kid).unlink(missing_ok=True)

    def _key_path(self, kid: str) -> Path:
        """Return the path of a private key file."""
        return self._path / f"{kid}{_SUFFIX}"

    def _read_or_create_secret(self, path: Path) -> bytes:
        """Read a random secret, creating it on first use."""
        if not path.exists():
            draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
            write_file(draft, secrets.token_hex(32).encode("ascii") + b"\n")
            with translate_os_errors("make", path):
                try:
                    # link() lets the first one win, where rename lets the last.
                    os.link(draft, path)
                except FileExistsError:
                    pass
                finally:
                    draft.unlink()
        _check_file_permissions(path)
        return _read_required_file(path)


def to_public_jwk(public_key: ec.EllipticCurvePublicKey) -> PublicJwk:
    """Convert an EC public key to a JWK."""
    point = public_key.public_numbers()
    x, y = (
        encode_base64url(number.to_bytes(32, "big")) for number in (point.x, point.y)
    )
    return PublicJwk(
        "EC", "P-256", (("crv", "P-256"), ("kty", "EC"), ("x", x), ("y", y))
    )


def _check_passphrase(text: bytes, source: str) -> bytes:
    """Return a passphrase without its line end, if it is long enough."""
    found = text.strip(b"\r\n")
    if len(found) < _MIN_PASSPHRASE:
        raise EnvironmentFailure(
            f"{source} has no passphrase of at least {_MIN_PASSPHRASE} bytes",
            "create a passphrase: openssl rand -hex 32",
        )
    return found


def _read_required_file(path: Path) -> bytes:
    """Read a file that must exist."""
    try:
        return read_file(path)
    except FileNotFoundError:
        raise EnvironmentFailure(
            f"{path} is missing", "restore it from a backup"
        ) from None


def _check_file_permissions(path: Path) -> None:
    """Check that only the file's owner, which is us or root, can read it."""
    with translate_os_errors("read", path):
        facts = path.stat()
    if facts.st_uid not in (os.geteuid(), 0) or stat.S_IMODE(facts.st_mode) & 0o077:
        raise EnvironmentFailure(
            f"{path} belongs to another user, or others can read it",
            f"make the user that runs the token service its owner: chmod go= {path}",
        )
