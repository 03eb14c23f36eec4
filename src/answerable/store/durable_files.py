"""Write files crash-safely (write, fsync, rename), with one-line errors.

`mark_crash_point` marks each step between two durable states. A test installs a hook there that
raises or ends the process, to prove that recovery works after a crash at any step.
"""

import contextlib
import errno
import fcntl
import grp
import os
import pwd
import shlex
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from threading import get_native_id
from typing import BinaryIO

from answerable.model.errors import EnvironmentFailure

_LOCK_POLL = 0.02  # seconds between two attempts, where the wait is limited
BINDING_FILE = "remote.json"  # the folder is journal and cache of object storage
FILE_MODE = 0o600
FOLDER_MODE = 0o700
GROUP_MODE = 0o070
OTHERS_MODE = 0o007

# Called at each named step and before each write, where a test puts one here.
crash_hook: Callable[[str], None] | None = None


def mark_crash_point(step: str) -> None:
    """Mark a step between two durable states, where a test may simulate a crash."""
    if crash_hook is not None:
        crash_hook(step)


_CHECK_STORE = "check the store: answerable doctor"
ERRNO_HINTS = {
    errno.ENOSPC: "free some space and run it again: nothing acknowledged is lost",
    errno.EDQUOT: "free some space and run it again: nothing acknowledged is lost",
    errno.EROFS: "the file system is read-only: name another store with --store",
    errno.EACCES: "use --store to name a store with write access",
    errno.EPERM: "use --store to name a store with write access",
}


@contextlib.contextmanager
def translate_os_errors(
    operation: str, path: Path, hint: str = _CHECK_STORE
) -> Iterator[None]:
    """Translate an operating-system error into a one-line `EnvironmentFailure`.

    Args:
        operation: Verb of what was tried.
        path: The file or folder.
        hint: What to do, for an error that does not say it.
    """
    try:
        yield
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else str(error)
        raise EnvironmentFailure(
            f"cannot {operation} {path}: {why}",
            ERRNO_HINTS.get(error.errno or 0, hint),
        ) from error


def make_private_folder(path: Path, hint: str = _CHECK_STORE) -> None:
    """Create a folder and its parents, readable by the owner alone."""
    with translate_os_errors("make", path, hint):
        missing = []
        while not path.is_dir():
            missing.append(path)
            path = path.parent
        # One by one: mkdir gives its mode to the last folder alone.
        for folder in reversed(missing):
            folder.mkdir(mode=FOLDER_MODE, exist_ok=True)
            sync_folder(folder.parent)


def is_shared_folder(mode: int) -> bool:
    """Return whether a folder is declared as shared with its group, and with no others.

    The set-group-ID bit declares it: new files then belong to the group of the folder.
    """
    return bool(mode & stat.S_ISGID) and not mode & OTHERS_MODE


def choose_file_mode(folder: Path) -> int:
    """Return the mode of a new file: its group may do what it may do in the folder.

    0600 in a folder that is not shared with its group; see `is_shared_folder`.
    """
    mode = folder.stat().st_mode
    return FILE_MODE | (mode & 0o060 if is_shared_folder(mode) else 0)


def make_store_folder(path: Path, *, read_only: bool = False) -> None:
    """Create a folder and its parents, shared with the group of the parent if that is.

    Args:
        path: The folder.
        read_only: The group may read a new folder, but not write to it.

    Raises:
        EnvironmentFailure: It cannot be created.
    """
    if path.is_dir():
        return
    make_store_folder(path.parent)
    with translate_os_errors("make", path):
        above = path.parent.stat().st_mode
        shared = above & GROUP_MODE if is_shared_folder(above) else 0
        mode = FOLDER_MODE | shared & ~(stat.S_IWGRP if read_only else 0)
        path.mkdir(mode=mode, exist_ok=True)
        # A umask removes permissions. Some systems do not inherit the bit.
        if shared and stat.S_IMODE(path.stat().st_mode) != mode | stat.S_ISGID:
            path.chmod(mode | stat.S_ISGID)
        sync_folder(path.parent)


def open_new_file(path: Path, flags: int, *, private: bool = False) -> int:
    """Open a file, created if it is missing: readable by its owner, and a shared group.

    Args:
        path: The file.
        flags: Flags of open(2), without `O_CREAT`.
        private: No group may read it.

    Raises:
        OSError: It cannot be opened.
    """
    mode = FILE_MODE if private else choose_file_mode(path.parent)
    handle = os.open(path, flags | os.O_CREAT, mode)
    if mode != FILE_MODE:
        facts = os.fstat(handle)
        # A umask removes permissions of a new file.
        if facts.st_uid == os.geteuid() and stat.S_IMODE(facts.st_mode) != mode:
            os.fchmod(handle, mode)
    return handle


def refuse_root_in_foreign_folder(folder: Path) -> None:
    """Refuse to write as root into another user's folder, as git and PostgreSQL do.

    The owner could not read the files. A missing folder is allowed. It is also allowed
    where the file system assigns root's files to that user (NFS with root_squash).

    Raises:
        EnvironmentFailure: It belongs to another user.
    """
    if os.geteuid():
        return
    try:
        owner = folder.stat().st_uid
    except OSError:
        return
    if owner and owner != _get_owner_of_new_file(folder):
        name = get_user_name(owner)
        raise EnvironmentFailure(
            f"{folder} belongs to user {name}, who could not read what root writes there",
            f"run it as that user: sudo -u {shlex.quote(name)} answerable ...",
        )


def get_user_name(uid: int) -> str:
    """Return the name of a user of this machine, or the number without a name."""
    try:
        return pwd.getpwuid(uid).pw_name
    except (KeyError, OverflowError):
        return f"#{uid}"


def get_group_name(gid: int) -> str:
    """Return the name of a group of this machine, or the number without a name."""
    try:
        return grp.getgrgid(gid).gr_name
    except (KeyError, OverflowError):
        return f"#{gid}"


def _get_owner_of_new_file(folder: Path) -> int | None:
    """Find the owner of a new file in a folder; None where none can be created."""
    probe = folder / f".owner-{os.urandom(8).hex()}"
    how = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    try:
        handle = os.open(probe, how, FILE_MODE)
    except OSError:
        return None
    try:
        return os.fstat(handle).st_uid
    finally:
        os.close(handle)
        probe.unlink(missing_ok=True)


@contextlib.contextmanager
def act_as_folder_owner(folder: Path) -> Iterator[None]:
    """Act as the owner of a folder within the context, when root (seteuid(2)).

    It affects all threads of the process, so only commands use it.
    """
    try:
        facts = folder.stat()
    except OSError:
        facts = None
    if facts is None or os.geteuid() or not facts.st_uid:
        yield
        return
    group, groups = os.getegid(), os.getgroups()
    os.setgroups([facts.st_gid])
    os.setegid(facts.st_gid)
    os.seteuid(facts.st_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)
        os.setgroups(groups)


def sync_folder(path: Path) -> None:
    """Sync a folder, which makes renames and new names durable."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_all(descriptor: int, data: bytes, step: str) -> None:
    """Write all bytes, repeating after partial writes."""
    mark_crash_point(step)
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def write_file(
    path: Path,
    data: bytes | Iterable[bytes],
    *,
    sync: bool = True,
    owner: tuple[int, int] | None = None,
    private: bool = False,
) -> None:
    """Replace a file atomically: write a temporary file, fsync, rename.

    Args:
        path: The file.
        data: Complete content, or its parts.
        sync: Make it durable.
        owner: User and group of the file; None for our own. Others may then write to
            the folder, so no link there is followed.
        private: Readable by the owner alone, in a shared folder too.

    Raises:
        EnvironmentFailure: The disk is full or fails; the old file is unchanged.
    """
    with translate_os_errors("write", path):
        temp_path = path.with_name(f".{path.name}.{get_native_id()}.new")
        how = os.O_TRUNC
        if owner is not None:
            temp_path.unlink(missing_ok=True)
            how = os.O_EXCL
        handle = open_new_file(temp_path, os.O_WRONLY | how, private=private)
        try:
            if owner is not None:
                os.fchown(handle, *owner)
            for part in (data,) if isinstance(data, bytes) else data:
                write_all(handle, part, "write")
            if sync:
                os.fsync(handle)
        except BaseException:
            with contextlib.suppress(OSError):
                temp_path.unlink()
            raise
        finally:
            os.close(handle)
        temp_path.replace(path)
        if sync:
            sync_folder(path.parent)


def sync_file(path: Path) -> None:
    """Sync a file to disk that another library wrote."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def open_regular_file(path: Path) -> BinaryIO:
    """Open a regular file for reading, without blocking on a pipe or device.

    Raises:
        OSError: It is missing, not a regular file, or not readable.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return os.fdopen(handle, "rb")


def read_regular_file(path: Path) -> bytes:
    """Read a regular file; a missing one raises `FileNotFoundError`.

    Raises:
        OSError: See `open_regular_file`.
    """
    with open_regular_file(path) as file:
        return file.read()


def read_file(path: Path) -> bytes:
    """Read a file; other errors than a missing file become `EnvironmentFailure`.

    Raises:
        EnvironmentFailure: The file is not readable.
        FileNotFoundError: It is missing.
    """
    try:
        return read_regular_file(path)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise EnvironmentFailure(
            f"cannot read {path}: {os.strerror(error.errno or 0)}",
            "check the permissions of the store",
        ) from error


def wait_for_lock(handle: int, timeout: float | None, root: Path) -> None:
    """Lock an open file of a store, within `timeout` seconds where there is one.

    Raises:
        EnvironmentFailure: Another process holds it all that time.
    """
    if timeout is None:
        fcntl.flock(handle, fcntl.LOCK_EX)
        return
    end = time.monotonic() + timeout
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= end:
                raise EnvironmentFailure(
                    f"the store is locked by another process ({root})",
                    "run the command again when it has ended",
                ) from None
        else:
            return
        time.sleep(_LOCK_POLL)
