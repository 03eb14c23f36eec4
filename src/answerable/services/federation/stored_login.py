"""Store the ID token of a signed-in person in a private file until it expires.

The token alone grants nothing: the token service accepts it together with an attested
agent, under a rule that lets the agent act for persons of that issuer. Refresh tokens
are neither requested nor kept (docs/decisions/0020-login-without-refresh-tokens.md).
"""

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from answerable.model.errors import EnvironmentFailure, UsageError
from answerable.model.ids import PersonId, build_person_id
from answerable.store.durable_files import FOLDER_MODE, make_private_folder, write_file

FILE_NAME = "login.json"
_SCHEMA = "answerable/login-kept/v1"
_MAX_BYTES = 64 * 1024
_SIGN_IN_AGAIN = "remove it with answerable logout, then sign in again"


@dataclass(frozen=True, slots=True)
class StoredLogin:
    """Signed-in person with the ID token.

    Attributes:
        issuer: Name of the issuer in the configuration, or its address if the person
            named it on the command line.
        iss: Its `iss`.
        person: Person according to the file, which its user may have edited: the token
            service reads the person from the token.
        expires: NumericDate of the ID token's `exp`.
        id_token: Subject token of the person (RFC 8693 2.1).
    """

    issuer: str
    iss: str
    person: PersonId
    expires: int
    id_token: str = field(repr=False)


class _LoginFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Content of the login file."""

    schema: str
    issuer: str
    iss: str
    person: str
    expires: int
    id_token: str

    def __repr__(self) -> str:
        """Show none of it."""
        return "_Kept()"


def find_login_folder(environ: Mapping[str, str], home: Path) -> Path:
    """Find the folder that the ID token is stored in.

    `$XDG_RUNTIME_DIR/answerable`, in memory and removed when the person logs out of the
    machine; else `$XDG_STATE_HOME/answerable`, else `~/.local/state/answerable`.
    Relative paths are ignored, as the XDG specification has it.
    """
    runtime = Path(environ.get("XDG_RUNTIME_DIR", ""))
    # `su` keeps the variable: another user's folder is ignored.
    if runtime.is_absolute() and _is_private_folder(runtime):
        return runtime / "answerable"
    state = Path(environ.get("XDG_STATE_HOME", ""))
    if not state.is_absolute():
        state = home / ".local" / "state"
    return state / "answerable"


def store_login(folder: Path, login: StoredLogin) -> None:
    """Store a sign-in, readable by its user only; it replaces the previous one.

    Raises:
        EnvironmentFailure: The folder cannot be used, or other users can read it.
    """
    kept = _LoginFile(
        _SCHEMA,
        login.issuer,
        login.iss,
        login.person,
        login.expires,
        login.id_token,
    )
    try:
        make_private_folder(folder)
        if not _is_private_folder(folder):
            raise EnvironmentFailure(f"other users can read {folder}")
        write_file(folder / FILE_NAME, msgspec.json.encode(kept), private=True)
    except EnvironmentFailure as refused:
        raise EnvironmentFailure(
            refused.message, f"restrict {folder} to yourself: chmod 700"
        ) from None


def load_login(folder: Path, now: int) -> StoredLogin | None:
    """Load the current sign-in, whose ID token is the person's subject token.

    Args:
        folder: Folder from `find_login_folder`.
        now: NumericDate.

    Returns:
        None if no person is signed in, or the token has expired.

    Raises:
        EnvironmentFailure: The file belongs to another user, other users can read it,
            or it is malformed.
    """
    kept = _read_login_file(folder / FILE_NAME)
    if kept is None or now >= kept.expires:
        return None
    return StoredLogin(
        kept.issuer, kept.iss, build_person_id(kept.person), kept.expires, kept.id_token
    )


def remove_login(folder: Path) -> bool:
    """Remove the sign-in; return whether there was one.

    Raises:
        EnvironmentFailure: It cannot be removed.
    """
    try:
        (folder / FILE_NAME).unlink()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise EnvironmentFailure(
            f"cannot remove {folder / FILE_NAME} ({error.strerror})",
            "remove the file yourself: until it expires, it can be used to act for you",
        ) from None
    return True


def _is_private_folder(folder: Path) -> bool:
    """Return whether a folder is the user's own and closed to others."""
    try:
        facts = folder.lstat()
    except OSError:
        return False
    ours = stat.S_ISDIR(facts.st_mode) and facts.st_uid == os.geteuid()
    return ours and not stat.S_IMODE(facts.st_mode) & ~FOLDER_MODE


def _read_login_file(path: Path) -> _LoginFile | None:
    """Read the login file; None if missing, an error if others could read it."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise _build_unusable_error(
            path, error.strerror or "permission denied"
        ) from None
    with os.fdopen(handle, "rb") as opened:
        facts = os.fstat(handle)
        ours = stat.S_ISREG(facts.st_mode) and facts.st_uid == os.geteuid()
        if not ours or stat.S_IMODE(facts.st_mode) & 0o077:
            raise _build_unusable_error(
                path, "the file belongs to another user, or other users can read it"
            )
        data = opened.read(_MAX_BYTES + 1)
    try:
        kept = msgspec.json.decode(data, type=_LoginFile)
        build_person_id(kept.person)
    except (ValueError, RecursionError, UsageError):
        raise _build_unusable_error(path, "the file has an invalid format") from None
    if kept.schema != _SCHEMA or len(data) > _MAX_BYTES:
        raise _build_unusable_error(
            path, "the file was written by another version of answerable"
        )
    return kept


def _build_unusable_error(path: Path, reason: str) -> EnvironmentFailure:
    """Build the error for a stored login that cannot be read or used."""
    return EnvironmentFailure(f"cannot use {path} ({reason})", _SIGN_IN_AGAIN)
