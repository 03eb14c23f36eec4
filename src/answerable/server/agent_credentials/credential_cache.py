"""Cache of issued credentials: one private file for each agent, platform and run.

SDKs ask for a credential at every use in its last 15 minutes, so a command that issued
a new one each time would call the platform at each use. The cache is outside the store,
which contains no secret. A file that another user could have written is ignored.
"""

import fcntl
import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from answerable.model.errors import EnvironmentFailure
from answerable.store.durable_files import (
    make_private_folder,
    translate_os_errors,
    write_file,
)

_SCHEMA = 1
_MAX_BYTES = 64 << 10
_FOLDER = "agent-credentials"
_HINT = "remove it, or name another folder with XDG_CACHE_HOME"


class CachedCredential(msgspec.Struct, frozen=True):
    """Credential in the cache, with the state of the store that it was checked against.

    Attributes:
        stamp: Stamp of the store's log when the policy was last found in force.
        policy: Digest of the policy.
        policy_expires: UTC nanoseconds.
        person: Signer of the policy.
        renew_at: UTC nanoseconds, after which a new one is issued.
        expires: UTC nanoseconds.
        id: `cred:...`.
        notes: What does not hold, a sentence each.
        fields: Fields of the credential; secret.
    """

    stamp: str
    policy: str
    policy_expires: int
    person: str
    renew_at: int
    expires: int
    id: str
    notes: tuple[str, ...]
    fields: Mapping[str, str]
    schema: int = _SCHEMA

    def __repr__(self) -> str:
        """Name the credential, and keep its secret out of messages and tracebacks."""
        return f"CachedCredential({self.id})"

    def is_current(self, stamp: str, now: int) -> bool:
        """Return whether the cached credential may be returned without reading the store."""
        return now < self.renew_at and self.is_usable(stamp, now)

    def is_usable(self, stamp: str, now: int) -> bool:
        """Return whether its policy is in force, and the credential still works."""
        live = now < min(self.expires, self.policy_expires)
        return bool(stamp) and self.stamp == stamp and live


_decode = msgspec.json.Decoder(CachedCredential).decode


def find_cache_folder() -> Path:
    """Find the folder of the cache: of the user's session in memory, else in the home.

    Raises:
        EnvironmentFailure: No home directory is known.
    """
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    if runtime and Path(runtime).is_absolute() and _is_own_folder(Path(runtime)):
        return Path(runtime) / "answerable" / _FOLDER
    cache = os.environ.get("XDG_CACHE_HOME", "")
    if cache and Path(cache).is_absolute():
        return Path(cache) / "answerable" / _FOLDER
    try:
        return Path.home() / ".cache" / "answerable" / _FOLDER
    except RuntimeError:
        raise EnvironmentFailure("no home directory is known", "set HOME") from None


class CredentialCache:
    """Cached credential of one agent, platform, run and store.

    Args:
        folder: Folder of the cache, created on the first write.
        key: Texts that identify the credential.
    """

    def __init__(self, folder: Path, *key: str) -> None:
        digest = hashlib.sha256("\x00".join(key).encode()).hexdigest()
        self._folder = folder
        self._path = folder / f"{digest[:32]}.json"

    def read(self) -> CachedCredential | None:
        """Read the credential; None if there is none that only we could have written."""
        return _read_private_file(self._path) if _is_own_folder(self._folder) else None

    def write(self, credential: CachedCredential) -> None:
        """Replace the credential, readable by our user alone.

        Raises:
            EnvironmentFailure: The folder is another user's, or cannot be written.
        """
        self._require_own_folder()
        write_file(self._path, msgspec.json.encode(credential), sync=False)

    def remove(self) -> None:
        """Remove the credential, if there is one."""
        with translate_os_errors("remove", self._path, _HINT):
            self._path.unlink(missing_ok=True)

    def remove_expired(self, now: int) -> None:
        """Remove the credentials of all agents and runs that have expired."""
        for path in self._folder.glob("*.json"):
            found = _read_private_file(path)
            if found is not None and found.expires <= now:
                with suppress(OSError):
                    path.unlink()

    @contextmanager
    def lock(self, *, wait: bool = True) -> Iterator[bool]:
        """Hold the lock of the folder, so that only one process issues a credential.

        Args:
            wait: Wait for a process that holds it; else yield False.
        """
        self._require_own_folder()
        with translate_os_errors("lock", self._folder, _HINT):
            handle = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            os.close(handle)
            yield False
            return
        try:
            yield True
        finally:
            os.close(handle)

    def _require_own_folder(self) -> None:
        """Create the folder; refuse one that other users can enter."""
        make_private_folder(self._folder, _HINT)
        if not _is_own_folder(self._folder):
            raise EnvironmentFailure(
                f"other users can enter {self._folder}", f"chmod 700 {self._folder}"
            )


def _read_private_file(path: Path) -> CachedCredential | None:
    """Read a credential; None if it is no file that only we could have written."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        facts = os.fstat(handle)
        ours = stat.S_ISREG(facts.st_mode) and facts.st_uid == os.geteuid()
        if not ours or facts.st_mode & 0o077 or facts.st_size > _MAX_BYTES:
            return None
        data = os.read(handle, _MAX_BYTES + 1)
    finally:
        os.close(handle)
    try:
        found = _decode(data)
    except (msgspec.DecodeError, RecursionError):
        return None
    return found if found.schema == _SCHEMA else None


def _is_own_folder(folder: Path) -> bool:
    """Return whether a folder is our user's own and closed to others."""
    try:
        facts = folder.lstat()
    except OSError:
        return False
    ours = stat.S_ISDIR(facts.st_mode) and facts.st_uid == os.geteuid()
    return ours and not facts.st_mode & 0o077
