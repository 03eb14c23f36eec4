"""Write files crash-safely (write, fsync, rename), with one-line errors.

`mark_crash_point` marks each step between two durable states. A test installs a hook there that
raises or ends the process, to prove that recovery works after a crash at any step.
"""

import contextlib
import errno
import os
import pwd
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import get_native_id
from typing import BinaryIO

from answerable.model.errors import EnvironmentFailure

FILE_MODE = 0o600
FOLDER_MODE = 0o700

# Called at each named step and before each write, where a test puts one here.
crash_hook: Callable[[str], None] | None = None


def mark_crash_point(step: str) -> None:
    """Mark a step between two durable states, where a test may simulate a crash."""
    if crash_hook is not None:
        crash_hook(step)


ERRNO_HINTS = {
    errno.ENOSPC: "free some space and run it again: nothing acknowledged is lost",
    errno.EDQUOT: "free some space and run it again: nothing acknowledged is lost",
    errno.EROFS: "the file system is read-only: name another store with --store",
    errno.EACCES: "use --store to name a store with write access",
    errno.EPERM: "use --store to name a store with write access",
}


@contextlib.contextmanager
def translate_os_errors(operation: str, path: Path) -> Iterator[None]:
    """Translate an operating-system error into a one-line `EnvironmentFailure`."""
    try:
        yield
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else str(error)
        raise EnvironmentFailure(
            f"cannot {operation} {path}: {why}",
            ERRNO_HINTS.get(error.errno or 0, "check the store: answerable doctor"),
        ) from error


def make_private_folder(path: Path) -> None:
    """Create a folder and its parents, readable by the owner alone."""
    with translate_os_errors("make", path):
        missing = []
        while not path.is_dir():
            missing.append(path)
            path = path.parent
        # One by one: mkdir gives its mode to the last folder alone.
        for folder in reversed(missing):
            folder.mkdir(mode=FOLDER_MODE, exist_ok=True)
            sync_folder(folder.parent)


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
            f"run it as that user: sudo -u {name} answerable ...",
        )


def get_user_name(uid: int) -> str:
    """Return the name of a user of this machine, or the number without a name."""
    try:
        return pwd.getpwuid(uid).pw_name
    except (KeyError, OverflowError):
        return f"#{uid}"


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
    data: bytes,
    *,
    sync: bool = True,
    owner: tuple[int, int] | None = None,
) -> None:
    """Replace a file atomically: write a temporary file, fsync, rename.

    Args:
        path: The file.
        data: Complete content.
        sync: Make it durable.
        owner: User and group of the file; None for our own. Others may then write to
            the folder, so no link there is followed.

    Raises:
        EnvironmentFailure: The disk is full or fails; the old file is unchanged.
    """
    with translate_os_errors("write", path):
        temp_path = path.with_name(f".{path.name}.{get_native_id()}.new")
        how = os.O_TRUNC
        if owner is not None:
            temp_path.unlink(missing_ok=True)
            how = os.O_EXCL
        handle = os.open(temp_path, os.O_WRONLY | os.O_CREAT | how, FILE_MODE)
        try:
            if owner is not None:
                os.fchown(handle, *owner)
            write_all(handle, data, "write")
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
