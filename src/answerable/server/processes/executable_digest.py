"""Read the executable of a process: its path, and the digest of its file.

A digest distinguishes two interpreters and not their scripts, so no decision uses it.
"""

import hashlib
import os
import stat
import threading
from collections import OrderedDict
from pathlib import Path
from typing import BinaryIO

MAX_EXECUTABLE = 512 * 1024 * 1024  # bytes; what is larger has no digest
_MAX_CACHED = 256
_CHUNK_SIZE = 1024 * 1024

# The change time is included, since a file's owner may set its modification time.
_FileVersion = tuple[int, int, int, int, int]


class ExecutableDigests:
    """Thread-safe cache of executable digests."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._digests: OrderedDict[_FileVersion, str] = OrderedDict()

    def read_path_and_digest(self, proc_folder: Path) -> tuple[str, str]:
        """Return path and SHA-256 of a process's executable.

        Args:
            proc_folder: Its folder in /proc.

        Returns:
            Path and hex digest; empty where it is not readable, or the digest alone
            where the file is too large. A removed file has ` (deleted)` after its path.
        """
        try:
            file = (proc_folder / "exe").open("rb", buffering=0)
        except PermissionError:
            return "", ""
        with file:
            path = os.readlink(f"/proc/self/fd/{file.fileno()}")
            return path, self._cached_digest(file)

    def _cached_digest(self, file: BinaryIO) -> str:
        """Return the SHA-256 of a file, cached until it changes; empty if too large."""
        facts = os.fstat(file.fileno())
        if not stat.S_ISREG(facts.st_mode) or facts.st_size > MAX_EXECUTABLE:
            return ""
        version = _file_version(facts)
        with self._lock:
            if version in self._digests:
                self._digests.move_to_end(version)
                return self._digests[version]
        digest = hashlib.sha256()
        left = facts.st_size + 1
        while left > 0 and (piece := file.read(min(_CHUNK_SIZE, left))):
            digest.update(piece)
            left -= len(piece)
        # Changed while it was read, although a running executable is write-protected.
        if left != 1 or _file_version(os.fstat(file.fileno())) != version:
            return ""
        with self._lock:
            self._digests[version] = digest.hexdigest()
            if len(self._digests) > _MAX_CACHED:
                self._digests.popitem(last=False)
        return digest.hexdigest()


def _file_version(file_status: os.stat_result) -> _FileVersion:
    """Return the fields of a stat result that change with the file."""
    return (
        file_status.st_dev,
        file_status.st_ino,
        file_status.st_mtime_ns,
        file_status.st_ctime_ns,
        file_status.st_size,
    )
