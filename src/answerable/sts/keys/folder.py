"""Private keys on disk: a file for each, for this user alone, encrypted.

The passphrase comes from where the operator keeps it: a file of another place (a
credential of systemd, a mounted secret) or the environment. Then whoever has the folder
alone, from a backup or a disk, has no key. Without one, a random passphrase lies beside
the keys: that protects a key file which is copied alone, and nothing from whoever reads
the folder. Neither protects from whoever is this user, or root, while we run.
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

from answerable.federate.jwk import PublicJwk
from answerable.federate.strict import base64url
from answerable.model.errors import EnvironmentRefused
from answerable.store.disk import make_folder, read_file, refused, write_file

_BESIDE = "passphrase"
_REPLICA = "replica"
_ENDING = ".pem"
_LEAST = 16  # octets of a passphrase


class KeyFolder:
    """The folder `keys` in the state folder.

    Args:
        state: State folder of the token service.
        file: File that holds the passphrase, empty for none.
        variable: Environment variable that does, empty for none.
        environ: The environment.

    Raises:
        EnvironmentRefused: It cannot be used, others may read it, or there is no
            passphrase where one was named.
    """

    def __init__(
        self,
        state: Path,
        file: str = "",
        variable: str = "",
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._path = state / "keys"
        make_folder(self._path)
        _check(self._path)
        if file:
            _check(Path(file))
            self._passphrase = _passphrase(_read(Path(file)), file)
        elif variable:
            text = environ.get(variable, "").encode("utf-8", "surrogateescape")
            self._passphrase = _passphrase(text, f"the variable {variable}")
        else:
            beside = self._path / _BESIDE
            self._passphrase = _passphrase(self._once(beside), str(beside))
        self.replica = self._once(self._path / _REPLICA)[:16].decode("ascii")

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the folder: of the processes of a replica, one makes a key at a time."""
        with refused("lock", self._path):
            handle = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def kids(self) -> set[str]:
        """Name the keys whose private half is here."""
        with refused("read", self._path):
            return {path.stem for path in self._path.glob(f"*{_ENDING}")}

    def make(self) -> tuple[str, PublicJwk]:
        """Make a key for ES256, on disk when this returns; gives its kid."""
        private = ec.generate_private_key(ec.SECP256R1())
        jwk = public_jwk(private.public_key())
        pem = private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(self._passphrase),
        )
        write_file(self._file(jwk.thumbprint), pem)
        return jwk.thumbprint, jwk

    def load(self, kid: str) -> ec.EllipticCurvePrivateKey:
        """Read a private key.

        Raises:
            EnvironmentRefused: It is missing or damaged, others may read it, the
                passphrase is another one, or it is not the key of that kid.
        """
        path = self._file(kid)
        _check(path)
        try:
            private = serialization.load_pem_private_key(_read(path), self._passphrase)
        except (ValueError, TypeError):
            raise EnvironmentRefused(
                f"{path} cannot be decrypted",
                "name the passphrase it was made with; or remove it, and the next key "
                "takes its place",
            ) from None
        if not (
            isinstance(private, ec.EllipticCurvePrivateKey)
            and isinstance(private.curve, ec.SECP256R1)
            and public_jwk(private.public_key()).thumbprint == kid
        ):
            raise EnvironmentRefused(f"{path} holds another key", "remove it")
        return private

    def remove(self, kid: str) -> None:
        """Forget a private key."""
        with refused("remove", self._file(kid)):
            self._file(kid).unlink(missing_ok=True)

    def _file(self, kid: str) -> Path:
        return self._path / f"{kid}{_ENDING}"

    def _once(self, path: Path) -> bytes:
        """Read a random word, made by the first who asks."""
        if not path.exists():
            draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
            write_file(draft, secrets.token_hex(32).encode("ascii") + b"\n")
            with refused("make", path):
                try:
                    # link() lets the first one win, where rename lets the last.
                    os.link(draft, path)
                except FileExistsError:
                    pass
                finally:
                    draft.unlink()
        _check(path)
        return _read(path)


def public_jwk(public: ec.EllipticCurvePublicKey) -> PublicJwk:
    """Give the public half as a JWK."""
    point = public.public_numbers()
    x, y = (base64url(number.to_bytes(32, "big")) for number in (point.x, point.y))
    return PublicJwk(
        "EC", "P-256", (("crv", "P-256"), ("kty", "EC"), ("x", x), ("y", y))
    )


def _passphrase(text: bytes, where: str) -> bytes:
    found = text.strip(b"\r\n")
    if len(found) < _LEAST:
        raise EnvironmentRefused(
            f"{where} holds no passphrase of {_LEAST} octets or more",
            "make one: openssl rand -hex 32",
        )
    return found


def _read(path: Path) -> bytes:
    try:
        return read_file(path)
    except FileNotFoundError:
        raise EnvironmentRefused(f"{path} is missing") from None


def _check(path: Path) -> None:
    with refused("read", path):
        facts = path.stat()
    if facts.st_uid not in (os.geteuid(), 0) or stat.S_IMODE(facts.st_mode) & 0o077:
        raise EnvironmentRefused(
            f"{path} belongs to another user, or others may read it",
            f"give it to the user that runs the token service: chmod go= {path}",
        )
