"""Save the progress of a long scan, so that a later run can resume it.

One file per scan in `STORE/scans/`, one line per entry. The named objects are stored
already; the file only marks them as part of an unfinished run.
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import msgspec

from answerable.store.durable_files import (
    make_store_folder,
    open_new_file,
    read_regular_file,
    translate_os_errors,
    write_all,
)
from answerable.store.store_layout import StoreLayout


class _CheckpointHeader(msgspec.Struct):
    """First line: key of the scan and its start, UTC nanoseconds."""

    key: str
    started_at: int


@dataclass(frozen=True, slots=True)
class ScanCheckpoint:
    """Entries of one unfinished scan.

    Attributes:
        path: The file.
        started_at: UTC nanoseconds.
        entries: Entries of an earlier run of the same scan.
    """

    path: Path
    started_at: int
    entries: tuple[bytes, ...]

    def add(self, entry: bytes) -> None:
        """Append an entry (a line) durably.

        Raises:
            EnvironmentFailure: The disk failed.
        """
        with translate_os_errors("write", self.path):
            handle = os.open(self.path, os.O_WRONLY | os.O_APPEND)
            try:
                write_all(handle, entry + b"\n", "scan-checkpoint")
                os.fsync(handle)
            finally:
                os.close(handle)

    def remove(self) -> None:
        """Delete the checkpoint file after the scan has ended."""
        with translate_os_errors("remove", self.path):
            self.path.unlink(missing_ok=True)


def resume_or_create_checkpoint(
    layout: StoreLayout, key: str, now: int, max_age: int
) -> ScanCheckpoint:
    """Resume an interrupted scan's saved answers, or start new ones.

    Args:
        layout: Layout of the store.
        key: Identity of the scan: equal keys mean the same scan.
        now: UTC nanoseconds.
        max_age: Maximum age of reused entries, nanoseconds.

    Raises:
        EnvironmentFailure: The disk failed.
    """
    name = hashlib.sha256(key.encode()).hexdigest()[:32]
    folder = layout.root / "scans"
    path = folder / f"{name}.jsonl"
    make_store_folder(folder)
    found = _read_checkpoint(path, key, now - max_age)
    if found is not None:
        return found
    head = msgspec.json.encode(_CheckpointHeader(key, now)) + b"\n"
    with translate_os_errors("write", path):
        handle = open_new_file(path, os.O_WRONLY | os.O_TRUNC)
        try:
            write_all(handle, head, "scan-checkpoint")
        finally:
            os.close(handle)
    return ScanCheckpoint(path, now, ())


def _read_checkpoint(path: Path, key: str, oldest: int) -> ScanCheckpoint | None:
    """Read the checkpoint of this scan; None if there is none, or it is too old."""
    with translate_os_errors("read", path):
        if not path.exists():
            return None
        lines = read_regular_file(path).split(b"\n")
    try:
        head = msgspec.json.decode(lines[0], type=_CheckpointHeader)
    except msgspec.DecodeError:
        return None
    if head.key != key or head.started_at < oldest or len(lines) < 2:
        return None
    # The last piece is empty, or a line that a crash cut short.
    return ScanCheckpoint(path, head.started_at, tuple(lines[1:-1]))
