"""Executable of a process: its path, and the digest of its file.

A digest distinguishes two interpreters and not their scripts, so no decision uses it.
"""

import hashlib
import os
import stat
import threading
from collections import OrderedDict
from pathlib import Path
from typing import BinaryIO

LARGEST = 512 * 1024 * 1024  # bytes; what is larger has no digest
_KEPT = 256
_PIECE = 1024 * 1024

# The change time is included, since a file's owner may set its modification time.
_Version = tuple[int, int, int, int, int]


class Executables:
    """Thread-safe cache of executable digests."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._digests: OrderedDict[_Version, str] = OrderedDict()

    def of(self, folder: Path) -> tuple[str, str]:
        """Return path and SHA-256 of a process's executable.

        Args:
            folder: Its folder in /proc.

        Returns:
            Path and hex digest; empty where it is not readable, or the digest alone
            where the file is too large. A removed file has ` (deleted)` after its path.
        """
        try:
            file = (folder / "exe").open("rb", buffering=0)
        except PermissionError:
            return "", ""
        with file:
            path = os.readlink(f"/proc/self/fd/{file.fileno()}")
            return path, self._digest(file)

    def _digest(self, file: BinaryIO) -> str:
        facts = os.fstat(file.fileno())
        if not stat.S_ISREG(facts.st_mode) or facts.st_size > LARGEST:
            return ""
        version = _version(facts)
        with self._lock:
            if version in self._digests:
                self._digests.move_to_end(version)
                return self._digests[version]
        digest = hashlib.sha256()
        left = facts.st_size + 1
        while left > 0 and (piece := file.read(min(_PIECE, left))):
            digest.update(piece)
            left -= len(piece)
        # Changed while it was read, although a running executable is write-protected.
        if left != 1 or _version(os.fstat(file.fileno())) != version:
            return ""
        with self._lock:
            self._digests[version] = digest.hexdigest()
            if len(self._digests) > _KEPT:
                self._digests.popitem(last=False)
        return digest.hexdigest()


def _version(facts: os.stat_result) -> _Version:
    return (
        facts.st_dev,
        facts.st_ino,
        facts.st_mtime_ns,
        facts.st_ctime_ns,
        facts.st_size,
    )
