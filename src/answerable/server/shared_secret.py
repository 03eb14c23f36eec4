"""Share one secret among the workers of a gateway: a file in their state folder.

Its products (session ids, DPoP nonces) are checked by the gateway alone. Removing the
file ends every session, and has no other effect.
"""

import hmac
import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

from answerable.model.errors import EnvironmentFailure

FILE_NAME = "shared.key"
SECRET_BYTES = 32  # bytes


def load_shared_secret(state_folder: Path) -> bytes:
    """Read the shared secret; create it if it does not exist yet.

    Args:
        state_folder: State folder of the gateway; created, for its user alone, if it is
            missing.

    Returns:
        32 bytes, the same for every process.

    Raises:
        EnvironmentFailure: The folder or the file cannot be used, or is accessible to
            other users.
    """
    path = state_folder / FILE_NAME
    try:
        state_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _check_folder_permissions(state_folder)
        if not path.exists():
            _create_secret(path)
        return _read_secret(path)
    except OSError as error:
        raise EnvironmentFailure(
            f"cannot use {path} ({error.strerror})",
            "make the user that runs the gateway the owner of the state folder",
        ) from None


def derive_key(secret: bytes, purpose: str) -> bytes:
    """Derive the key for one purpose from the shared secret."""
    return hmac.digest(secret, purpose.encode("ascii"), "sha256")


def _check_folder_permissions(state: Path) -> None:
    """Refuse a folder that other users can write to."""
    facts = state.stat()
    if facts.st_uid != os.geteuid() or stat.S_IMODE(facts.st_mode) & 0o022:
        raise EnvironmentFailure(
            f"{state} belongs to another user, or others can write it",
            "make it accessible only to the user that runs the gateway (mode 0700)",
        )


def _create_secret(path: Path) -> None:
    """Create a secret atomically, unless another process was first."""
    draft = path.with_name(f"{FILE_NAME}.{secrets.token_hex(8)}")
    file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(file, "wb") as written:
            written.write(secrets.token_bytes(SECRET_BYTES))
            written.flush()
            os.fsync(written.fileno())
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()


def _read_secret(path: Path) -> bytes:
    """Read the secret; refuse a file that other users can read."""
    file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    with os.fdopen(file, "rb") as opened:
        facts = os.fstat(opened.fileno())
        if facts.st_uid != os.geteuid() or stat.S_IMODE(facts.st_mode) & 0o077:
            raise EnvironmentFailure(
                f"{path} belongs to another user, or others can read it",
                "remove it: a new one is created, and all sessions end",
            )
        secret = opened.read(SECRET_BYTES + 1)
    if len(secret) != SECRET_BYTES:
        raise EnvironmentFailure(
            f"{path} is not {SECRET_BYTES} bytes long",
            "remove it: a new one is created, and all sessions end",
        )
    return secret
