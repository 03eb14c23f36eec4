"""Checkpoint of a long scan: what it has stored so far, for the run that goes on.

One file a scan in `STORE/scans/`, a line an entry. The objects that the entries name are
in the store already; the file only says that they belong to a run that has not ended.
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import msgspec

from answerable.store.disk import (
    FILE_MODE,
    make_folder,
    read_regular,
    refused,
    write_all,
)
from answerable.store.layout import Layout


class _Head(msgspec.Struct):
    """First line: what is scanned, and since when, UTC nanoseconds."""

    key: str
    started_at: int


@dataclass(frozen=True, slots=True)
class ScanCheckpoint:
    """Entries of one scan that was begun.

    Attributes:
        path: The file.
        started_at: UTC nanoseconds.
        entries: Entries that an earlier run of the same scan left.
    """

    path: Path
    started_at: int
    entries: tuple[bytes, ...]

    def add(self, entry: bytes) -> None:
        """Append an entry, which holds no line break, and make it durable.

        Raises:
            EnvironmentRefused: The disk refuses.
        """
        with refused("write", self.path):
            handle = os.open(self.path, os.O_WRONLY | os.O_APPEND)
            try:
                write_all(handle, entry + b"\n", "scan-checkpoint")
                os.fsync(handle)
            finally:
                os.close(handle)

    def remove(self) -> None:
        """Remove the file: the scan has ended."""
        with refused("remove", self.path):
            self.path.unlink(missing_ok=True)


def open_checkpoint(layout: Layout, key: str, now: int, life: int) -> ScanCheckpoint:
    """Go on with the checkpoint of a scan, or begin one.

    Args:
        layout: Of the store.
        key: Everything that makes two scans the same.
        now: UTC nanoseconds.
        life: Nanoseconds after which what an earlier run stored is collected again.

    Raises:
        EnvironmentRefused: The disk refuses.
    """
    name = hashlib.sha256(key.encode()).hexdigest()[:32]
    folder = layout.root / "scans"
    path = folder / f"{name}.jsonl"
    make_folder(folder)
    found = _read(path, key, now - life)
    if found is not None:
        return found
    head = msgspec.json.encode(_Head(key, now)) + b"\n"
    with refused("write", path):
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        handle = os.open(path, flags, FILE_MODE)
        try:
            write_all(handle, head, "scan-checkpoint")
        finally:
            os.close(handle)
    return ScanCheckpoint(path, now, ())


def _read(path: Path, key: str, oldest: int) -> ScanCheckpoint | None:
    with refused("read", path):
        if not path.exists():
            return None
        lines = read_regular(path).split(b"\n")
    try:
        head = msgspec.json.decode(lines[0], type=_Head)
    except msgspec.DecodeError:
        return None
    if head.key != key or head.started_at < oldest or len(lines) < 2:
        return None
    # The last piece is empty, or a line that a crash cut short.
    return ScanCheckpoint(path, head.started_at, tuple(lines[1:-1]))
