"""Write and measure the segment files of one recorder in its spool folder.

    SPOOL/RECORDER/000001.jsonl    at most `SEGMENT_BYTES` bytes and one group; 0600
    SPOOL/worker-N                 name of the last recorder of worker N

The current file ends with up to `PREALLOCATED` preallocated zero bytes. Lines that replace them
change neither its length nor its blocks, so a sync writes the lines alone: a longer
file is a change of the file system's own journal, several blocks per sync, which delays
all its writers.

The folder of a recorder is locked while its process lives: the shipper sees by that
whether more may come. A crashed recorder is never written to again.
"""

import contextlib
import errno
import fcntl
import os
from pathlib import Path

from answerable.connectors.gateway.recorder_folder import (
    is_recorder_alive,
    list_record_files,
)
from answerable.evidence.spool_format import initial_chain_hash, parse_spool_line
from answerable.model.errors import EnvironmentFailure, ParseError
from answerable.store.durable_files import (
    make_store_folder,
    open_new_file,
    read_file,
    refuse_root_in_foreign_folder,
    sync_folder,
    translate_os_errors,
    write_all,
    write_file,
)

SEGMENT_BYTES = 8 << 20
PREALLOCATED = 256 << 10
SUFFIX = ".jsonl"
# Temporary lack of resources: a failed listing does not mean a missing file.
RESOURCE_ERRORS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})


def is_recorder_running(spool: Path) -> bool:
    """Return whether a process records in a spool now; True if that is unknown."""
    try:
        folders = [each for each in spool.iterdir() if each.is_dir()]
        return any(map(is_recorder_alive, folders))
    except FileNotFoundError:
        return False
    except (OSError, EnvironmentFailure):
        return True


class SegmentWriter:
    """Writer of one recorder's files, for one thread at a time.

    Args:
        spool: Folder of all recorders' folders.
        name: Name of the recorder.
        room: Bytes to preallocate after the lines of a file.

    Attributes:
        current: Number of the current file, 0 before the first.

    Raises:
        EnvironmentFailure: The spool cannot be written.
    """

    def __init__(self, spool: Path, name: str, *, room: int = PREALLOCATED) -> None:
        for folder in (spool.parent, spool):
            refuse_root_in_foreign_folder(folder)
        make_store_folder(spool)
        self._room = room
        self.folder = spool / name
        self.current = 0
        self.chain = initial_chain_hash(name)
        self._handle = -1
        self._size = self._end = 0  # of the lines in the file, and of the file
        # Renamed once it is locked: an unlocked folder's process has ended.
        hidden = spool / f".{name}"
        with translate_os_errors("make", self.folder):
            make_store_folder(hidden)
            self._lock = os.open(hidden, os.O_RDONLY | os.O_DIRECTORY)
            fcntl.flock(self._lock, fcntl.LOCK_EX)
            hidden.rename(self.folder)
            sync_folder(spool)

    def write(self, data: bytes, chain_hash: bytes) -> None:
        """Write complete lines and sync them to disk.

        Args:
            data: Complete lines.
            chain_hash: Chain hash after them.

        Raises:
            OSError: They may be on disk in part. After a failed sync the file is not to
                be trusted (the kernel drops such pages), so the same lines are to be
                written again, and go to a new file.
        """
        try:
            if self._handle < 0:
                self._open_next_segment()
            os.lseek(self._handle, self._size, os.SEEK_SET)
            write_all(self._handle, data, "spool-write")
            end = self._size + len(data)
            if end > self._end:
                self._end = end + self._preallocate_bytes(end, len(data))
            os.fdatasync(self._handle)
        except OSError:
            self._close_segment_file()
            raise
        self.chain, self._size = chain_hash, end
        if self._size >= SEGMENT_BYTES:
            self._close_segment_file()

    @property
    def _current_segment_path(self) -> Path:
        """Path of the segment file that is written now."""
        return self.folder / f"{self.current:06d}{SUFFIX}"

    @property
    def preallocated_bytes(self) -> int:
        """Preallocated bytes at the end of the file."""
        return self._end - self._size

    def close(self) -> None:
        """Close the file and release the folder."""
        self._close_segment_file()
        os.close(self._lock)

    def find_shipped_files(self, segment_numbers: set[int]) -> set[int]:
        """Return those of the files that no longer exist: they were shipped.

        Raises:
            OSError: The folder is not readable.
        """
        with os.scandir(self.folder) as entries:
            stems = [entry.name.rpartition(SUFFIX) for entry in entries]
        return segment_numbers - {
            int(stem) for stem, _, rest in stems if stem.isdecimal() and not rest
        }

    def _open_next_segment(self) -> None:
        """Create the next file of the audit spool."""
        self.current += 1
        flags = os.O_WRONLY | os.O_EXCL
        self._handle = open_new_file(self._current_segment_path, flags)
        self._size = self._end = 0
        sync_folder(self.folder)

    def _preallocate_bytes(self, end: int, size: int) -> int:
        """Preallocate zero bytes after a group; return how many."""
        if size > self._room // 4:  # large groups would double the write volume
            return 0
        with contextlib.suppress(OSError):  # preallocation is optional
            return os.pwrite(self._handle, bytes(self._room), end)
        return 0

    def _close_segment_file(self) -> None:
        """Truncate and close the segment file; remove it if it is empty."""
        handle, self._handle = self._handle, -1
        self._end = self._size
        if handle < 0:
            return
        # All lines are synced.
        with contextlib.suppress(OSError):
            os.ftruncate(handle, self._size)
        with contextlib.suppress(OSError):
            os.close(handle)
        if not self._size:  # a full disk would leave an empty file per retry
            with contextlib.suppress(OSError):
                self._current_segment_path.unlink()


def count_spooled_bytes(spool: Path) -> int:
    """Sum the bytes of all recorders' files.

    Folders and files may appear and disappear meanwhile, by hooks and shipping.

    Raises:
        OSError: It is not readable, for lack of handles or memory.
    """
    return sum(
        _file_size(file)
        for folder in _list_visible_files(spool)
        if folder.is_dir(follow_symlinks=False)
        for file in _list_visible_files(folder.path)
        if file.name.endswith(SUFFIX)
    )


def _list_visible_files(folder: Path | str) -> list[os.DirEntry[str]]:
    """List a folder without hidden entries; empty where it is gone."""
    try:
        with os.scandir(folder) as entries:
            return [entry for entry in entries if not entry.name.startswith(".")]
    except OSError as error:
        if error.errno in RESOURCE_ERRORS:
            raise
        return []


def _file_size(file: os.DirEntry[str]) -> int:
    """Return the size of a file, 0 if it was shipped meanwhile."""
    try:
        return file.stat().st_size
    except OSError as error:
        if error.errno in RESOURCE_ERRORS:
            raise
        return 0  # shipped meanwhile


def replace_worker_recorder(spool: Path, worker: int, new_name: str) -> tuple[str, int]:
    """Register a new recorder of a worker; return the previous one.

    Returns:
        The previous recorder, empty for the first, and its number of records on disk; 0
        where they were shipped.

    Raises:
        EnvironmentFailure: The spool cannot be written.
    """
    place = spool / f"worker-{worker}"
    try:
        previous = read_file(place).decode("ascii", "replace").strip()
    except FileNotFoundError:
        previous = ""
    write_file(place, new_name.encode() + b"\n")
    return previous, _read_last_sequence(spool / previous) if previous else 0


def _read_last_sequence(folder: Path) -> int:
    """Return the last sequence number on disk; 0 where it was shipped meanwhile."""
    with contextlib.suppress(FileNotFoundError):
        for path in reversed(list_record_files(folder)):
            # A crash may have lost its end, or a part before its end.
            for line in reversed(read_file(path).splitlines(keepends=True)):
                with contextlib.suppress(ParseError):
                    return parse_spool_line(line)[0].sequence
    return 0
