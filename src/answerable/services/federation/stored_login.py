"""Stored sign-in of a person: the ID token, kept until it expires.

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

from answerable.model.documents.core import Document
from answerable.model.documents.login import LoginItem
from answerable.model.errors import EnvironmentRefused, UsageError
from answerable.model.ids import PersonId, person_id
from answerable.presentation.inventory_lists import no_coverage, spelled_time
from answerable.store.durable_files import FOLDER_MODE, make_folder, write_file

NAME = "login.json"
_SCHEMA = "answerable/login-kept/v1"
_MAX_BYTES = 64 * 1024
_ANEW = "answerable logout removes it; then sign in again"


@dataclass(frozen=True, slots=True)
class LoggedIn:
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


class _Kept(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
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


def login_folder(environ: Mapping[str, str], home: Path) -> Path:
    """Find the folder that the ID token is stored in.

    `$XDG_RUNTIME_DIR/answerable`, in memory and removed when the person logs out of the
    machine; else `$XDG_STATE_HOME/answerable`, else `~/.local/state/answerable`.
    Relative paths are ignored, as the XDG specification has it.
    """
    runtime = Path(environ.get("XDG_RUNTIME_DIR", ""))
    # `su` keeps the variable: another user's folder is ignored.
    if runtime.is_absolute() and _is_ours_alone(runtime):
        return runtime / "answerable"
    state = Path(environ.get("XDG_STATE_HOME", ""))
    if not state.is_absolute():
        state = home / ".local" / "state"
    return state / "answerable"


def keep(folder: Path, logged_in: LoggedIn) -> None:
    """Store a sign-in, readable by its user only; it replaces the previous one.

    Raises:
        EnvironmentRefused: The folder cannot be used, or other users can read it.
    """
    kept = _Kept(
        _SCHEMA,
        logged_in.issuer,
        logged_in.iss,
        logged_in.person,
        logged_in.expires,
        logged_in.id_token,
    )
    try:
        make_folder(folder)
        if not _is_ours_alone(folder):
            raise EnvironmentRefused(f"others may look into {folder}")
        write_file(folder / NAME, msgspec.json.encode(kept))
    except EnvironmentRefused as refused:
        raise EnvironmentRefused(
            refused.message, f"make {folder} yours alone: chmod 700"
        ) from None


def current_id_token(folder: Path, now: int) -> LoggedIn | None:
    """Load the current sign-in, whose ID token is the person's subject token.

    Args:
        folder: Folder from `login_folder`.
        now: NumericDate.

    Returns:
        None if nobody is signed in, or the token has expired.

    Raises:
        EnvironmentRefused: The file belongs to another user, other users can read it,
            or it is malformed.
    """
    kept = _read(folder / NAME)
    if kept is None or now >= kept.expires:
        return None
    return LoggedIn(
        kept.issuer, kept.iss, person_id(kept.person), kept.expires, kept.id_token
    )


def forget(folder: Path) -> bool:
    """Remove the sign-in; return whether there was one.

    Raises:
        EnvironmentRefused: It cannot be removed.
    """
    try:
        (folder / NAME).unlink()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise EnvironmentRefused(
            f"cannot remove {folder / NAME} ({error.strerror})"
        ) from None
    return True


def status(folder: Path, now: int) -> Document:
    """Show who is signed in, at which issuer and until when; never the token."""
    logged_in = current_id_token(folder, now)
    items: list[LoginItem] = []
    if logged_in is not None:
        items.append(
            {
                "person": logged_in.person,
                "issuer": logged_in.issuer,
                "iss": logged_in.iss,
                "expires_at": spelled_time(logged_in.expires * 1_000_000_000),
                "place": str(folder / NAME),
            }
        )
    return Document("login", items, no_coverage(), failed=not items)


def _is_ours_alone(folder: Path) -> bool:
    try:
        facts = folder.lstat()
    except OSError:
        return False
    ours = stat.S_ISDIR(facts.st_mode) and facts.st_uid == os.geteuid()
    return ours and not stat.S_IMODE(facts.st_mode) & ~FOLDER_MODE


def _read(path: Path) -> _Kept | None:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise _unusable(path, error.strerror or "it may not be read") from None
    with os.fdopen(handle, "rb") as opened:
        facts = os.fstat(handle)
        ours = stat.S_ISREG(facts.st_mode) and facts.st_uid == os.geteuid()
        if not ours or stat.S_IMODE(facts.st_mode) & 0o077:
            raise _unusable(path, "it is another user's, or others may read it")
        data = opened.read(_MAX_BYTES + 1)
    try:
        kept = msgspec.json.decode(data, type=_Kept)
        person_id(kept.person)
    except (ValueError, RecursionError, UsageError):
        raise _unusable(path, "it holds something else") from None
    if kept.schema != _SCHEMA or len(data) > _MAX_BYTES:
        raise _unusable(path, "another version wrote it")
    return kept


def _unusable(path: Path, why: str) -> EnvironmentRefused:
    return EnvironmentRefused(f"cannot use {path} ({why})", _ANEW)
