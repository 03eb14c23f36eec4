"""The files of one recorder, and what waits in the spool as a whole.

    SPOOL/RECORDER/000001.jsonl    at most `SEGMENT` bytes and one group; 0600
    SPOOL/worker-N                 name of the recorder that worker N had last

The file that is written to ends with up to `ROOM` zero bytes. Lines that take their
place change neither its length nor where it lies, so syncing them writes them alone:
a longer file is a change of the file system's own journal, several blocks for each
sync, behind which everybody waits who writes to that file system.

The folder of a recorder is locked while its process lives: whoever ships the spool sees
by that whether more may come. A crashed recorder is never written to again.
"""

import contextlib
import errno
import fcntl
import os
from pathlib import Path

from answerable.connectors.gateway.folder import files_of, is_locked
from answerable.evidence.spool import chain_start, read_line
from answerable.model.errors import EnvironmentRefused, ParseError
from answerable.store.disk import (
    FILE_MODE,
    make_folder,
    read_file,
    refuse_foreign,
    refused,
    sync_folder,
    write_all,
    write_file,
)

SEGMENT = 8 << 20
ROOM = 256 << 10
SUFFIX = ".jsonl"
# What a process lacks for a moment: it cannot look, so nothing was seen to be gone.
LACKING = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})


def is_written(spool: Path) -> bool:
    """Tell whether a process records in a spool now; yes where we may not look."""
    try:
        folders = [each for each in spool.iterdir() if each.is_dir()]
        return any(map(is_locked, folders))
    except FileNotFoundError:
        return False
    except (OSError, EnvironmentRefused):
        return True


class Segments:
    """Writes the files of one recorder; used by one thread at a time.

    Args:
        spool: Folder of all recorders' folders.
        name: Name of this recorder.
        room: Bytes that a file gets beyond its lines, for those to come.

    Attributes:
        current: Number of the file written to, 0 before the first.

    Raises:
        EnvironmentRefused: The spool cannot be written.
    """

    def __init__(self, spool: Path, name: str, *, room: int = ROOM) -> None:
        for folder in (spool.parent, spool):
            refuse_foreign(folder)
        make_folder(spool)
        self._room = room
        self.folder = spool / name
        self.current = 0
        self.chain = chain_start(name)
        self._handle = -1
        self._size = self._end = 0  # of the lines in the file, and of the file
        # It gets its name once it is locked: unlocked means that its process ended.
        hidden = spool / f".{name}"
        with refused("make", self.folder):
            hidden.mkdir(mode=0o700)
            self._lock = os.open(hidden, os.O_RDONLY | os.O_DIRECTORY)
            fcntl.flock(self._lock, fcntl.LOCK_EX)
            hidden.rename(self.folder)
            sync_folder(spool)

    def write(self, data: bytes, chain: bytes) -> None:
        """Make whole lines durable.

        Args:
            data: Lines.
            chain: Chain hash after them.

        Raises:
            OSError: They may be on disk in part. What failed to sync once is not to be
                trusted again (the kernel drops such pages), so the same lines are to be
                written anew, and go to a file of their own.
        """
        try:
            if self._handle < 0:
                self._open()
            os.lseek(self._handle, self._size, os.SEEK_SET)
            write_all(self._handle, data, "spool-write")
            end = self._size + len(data)
            if end > self._end:
                self._end = end + self._make_room(end, len(data))
            os.fdatasync(self._handle)
        except OSError:
            self._shut()
            raise
        self.chain, self._size = chain, end
        if self._size >= SEGMENT:
            self._shut()

    @property
    def _path(self) -> Path:
        return self.folder / f"{self.current:06d}{SUFFIX}"

    @property
    def room(self) -> int:
        """Bytes at the end of the file that hold nothing yet."""
        return self._end - self._size

    def close(self) -> None:
        """Close the file and let go of the folder."""
        self._shut()
        os.close(self._lock)

    def gone(self, numbers: set[int]) -> set[int]:
        """Tell which of these files are not there any more: they were shipped.

        Raises:
            OSError: It cannot be seen.
        """
        with os.scandir(self.folder) as entries:
            stems = [entry.name.rpartition(SUFFIX) for entry in entries]
        return numbers - {
            int(stem) for stem, _, rest in stems if stem.isdecimal() and not rest
        }

    def _open(self) -> None:
        self.current += 1
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        self._handle = os.open(self._path, flags, FILE_MODE)
        self._size = self._end = 0
        sync_folder(self.folder)

    def _make_room(self, end: int, size: int) -> int:
        """Put zero bytes behind a group of a size; give how many."""
        if size > self._room // 4:  # many such in a second: it would be written twice
            return 0
        with contextlib.suppress(OSError):  # it does without
            return os.pwrite(self._handle, bytes(self._room), end)
        return 0

    def _shut(self) -> None:
        handle, self._handle = self._handle, -1
        self._end = self._size
        if handle < 0:
            return
        # All that counts is synced.
        with contextlib.suppress(OSError):
            os.ftruncate(handle, self._size)
        with contextlib.suppress(OSError):
            os.close(handle)
        if not self._size:  # a full disk is asked again and again
            with contextlib.suppress(OSError):
                self._path.unlink()


def waiting(spool: Path) -> int:
    """Sum the bytes of all recorders' files.

    Folders and files come and go meanwhile: hooks make them, shipping removes them.

    Raises:
        OSError: It cannot be seen, for want of handles or memory.
    """
    return sum(
        _size(file)
        for folder in _entries(spool)
        if folder.is_dir(follow_symlinks=False)
        for file in _entries(folder.path)
        if file.name.endswith(SUFFIX)
    )


def _entries(folder: Path | str) -> list[os.DirEntry[str]]:
    """List what a folder holds, but for what is being made; nothing where it is gone."""
    try:
        with os.scandir(folder) as entries:
            return [entry for entry in entries if not entry.name.startswith(".")]
    except OSError as error:
        if error.errno in LACKING:
            raise
        return []


def _size(file: os.DirEntry[str]) -> int:
    try:
        return file.stat().st_size
    except OSError as error:
        if error.errno in LACKING:
            raise
        return 0  # shipped meanwhile


def succeed(spool: Path, worker: int, name: str) -> tuple[str, int]:
    """Become the recorder of a worker; the folder of `name` is there by now.

    Returns:
        The recorder before it, empty for the first, and how many records that one has
        on disk; 0 where they were shipped.

    Raises:
        EnvironmentRefused: The spool cannot be written.
    """
    place = spool / f"worker-{worker}"
    try:
        previous = read_file(place).decode("ascii", "replace").strip()
    except FileNotFoundError:
        previous = ""
    write_file(place, name.encode() + b"\n")
    return previous, _recorded(spool / previous) if previous else 0


def _recorded(folder: Path) -> int:
    """Give the last sequence number on disk; 0 where it is shipped meanwhile."""
    with contextlib.suppress(FileNotFoundError):
        for path in reversed(files_of(folder)):
            # A crash may have left the end of it out, or a part before its end.
            for line in reversed(read_file(path).splitlines(keepends=True)):
                with contextlib.suppress(ParseError):
                    return read_line(line)[0].sequence
    return 0
