"""The secret that the workers of one gateway share: a file in their state folder.

What it makes (session ids, DPoP nonces) is checked by the gateway alone. Whoever takes
the file away ends every session, and no more.
"""

import hmac
import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

from answerable.model.errors import EnvironmentRefused

NAME = "shared.key"
SIZE = 32  # bytes


def shared_secret(state: Path) -> bytes:
    """Read the secret, made by the first who asks.

    Args:
        state: The gateway's own folder; made, for its user alone, if it is missing.

    Returns:
        32 bytes, the same for every process that asks.

    Raises:
        EnvironmentRefused: The folder or the file cannot be used, others may write the
            folder, or the file is open to them.
    """
    path = state / NAME
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        _check_folder(state)
        if not path.exists():
            _make(path)
        return _read(path)
    except OSError as error:
        raise EnvironmentRefused(
            f"cannot use {path} ({error.strerror})",
            "give the state folder to the user that runs the gateway",
        ) from None


def derived(secret: bytes, use: str) -> bytes:
    """Give the key for one use, so that no use can stand in for another."""
    return hmac.digest(secret, use.encode("ascii"), "sha256")


def _check_folder(state: Path) -> None:
    """Refuse a folder in which others could put a secret, kills or sockets of theirs."""
    facts = state.stat()
    if facts.st_uid != os.geteuid() or stat.S_IMODE(facts.st_mode) & 0o022:
        raise EnvironmentRefused(
            f"{state} belongs to another user, or others may write it",
            "give it to the user that runs the gateway, and to nobody else (mode 0700)",
        )


def _make(path: Path) -> None:
    """Write a new secret whole, or leave the one that another process wrote first."""
    draft = path.with_name(f"{NAME}.{secrets.token_hex(8)}")
    file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(file, "wb") as written:
            written.write(secrets.token_bytes(SIZE))
            written.flush()
            os.fsync(written.fileno())
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()


def _read(path: Path) -> bytes:
    file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    with os.fdopen(file, "rb") as opened:
        facts = os.fstat(opened.fileno())
        if facts.st_uid != os.geteuid() or stat.S_IMODE(facts.st_mode) & 0o077:
            raise EnvironmentRefused(
                f"{path} belongs to another user, or others may read it",
                "remove it, and a new one is made; sessions then begin anew",
            )
        secret = opened.read(SIZE + 1)
    if len(secret) != SIZE:
        raise EnvironmentRefused(
            f"{path} is not {SIZE} bytes long",
            "remove it, and a new one is made; sessions then begin anew",
        )
    return secret
