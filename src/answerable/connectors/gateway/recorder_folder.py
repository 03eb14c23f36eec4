"""Read a recorder's folder in a spool: its files, shipping progress and liveness.

RECORDER/000001.jsonl ...   as the recorder wrote them; zero bytes at the end are
                            reserved space for later lines
RECORDER/shipped.json       shipping progress, with the decisions that wait for
                            their end

The last file of a running recorder is read while it is written. Lines replace reserved
zero bytes between two reads, so a read may return part of a line followed by zeros. No
line contains a zero byte: the first one marks the end of the data.
"""

import contextlib
import fcntl
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from answerable.connectors.gateway.parse.recorder_lines import (
    ReadProgress,
    RecorderLines,
)
from answerable.model.errors import EnvironmentFailure, ParseError
from answerable.model.event import AuditEvent, QuarantinedRecord
from answerable.model.sighting import ReadProblem, ReadProblemKind

SUFFIX = ".jsonl"
SHIPPED_FILE = "shipped.json"
RESERVED_BYTES = b"\0"
_FILE_NUMBER = re.compile("[0-9]{6}|[1-9][0-9]{6,}")  # a recorder counts its files
_MAX_LINE_BYTES = (
    16 << 20
)  # bytes of a line; it names no more than a message does (4 MiB)
_KEPT = 64 << 10  # of what cannot be read


class LineResult(NamedTuple):
    """Result of one line.

    Attributes:
        event: Event completed by the line, or None.
        quarantined: The unreadable line, or None.
        size: Size of the line, bytes.
    """

    event: AuditEvent | None
    quarantined: QuarantinedRecord | None
    size: int


class RecorderFolder:
    """Reader of one recorder folder, from the last shipped position.

    Args:
        path: The folder.

    Attributes:
        problems: Missing, torn or invalid records.

    Raises:
        EnvironmentFailure: It is not readable.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        # First, and the files after: of a recorder that has ended no more can come.
        self.alive = is_recorder_alive(path)
        self._files = list_record_files(path)
        self.progress = _load_progress(path)
        self._lines = RecorderLines(path.name, self.progress)
        self._torn: list[ReadProblem] = []

    @property
    def size(self) -> int:
        """Size of its files, including shipped bytes and reserved space."""
        total = 0
        for path in self._files:
            with contextlib.suppress(FileNotFoundError):
                total += path.stat().st_size
        return total

    @property
    def problems(self) -> tuple[ReadProblem, ...]:
        """Missing, torn or invalid records found so far."""
        place = str(self.path)
        told = [
            ReadProblem(ReadProblemKind.INVALID, place, t) for t in self._lines.problems
        ]
        return (*self._torn, *told)

    @property
    def lifecycle_count(self) -> int:
        """Number of recorder starts and ends read so far."""
        return self._lines.starts

    def read_lines(self) -> Iterator[LineResult]:
        """Yield new lines, and at the end the calls that will never be completed."""
        for path in self._files:
            number = int(path.stem)
            if number < self.progress.file:
                continue
            if number > self.progress.file:
                self.progress.file, self.progress.offset = number, 0
            yield from self._read_file(path, last=path == self._files[-1])
        if not self.alive:
            for event in self._lines.unfinished_calls():
                yield LineResult(event, None, 0)

    def remove_shipped(self) -> None:
        """Save the progress, and remove files that are in the store.

        Call it after every event and line of `read_lines` is durable. A crash at any step
        is harmless: a repeated read builds the same events, and removed files are known
        to have been read.
        """
        self._save_progress()
        if self.alive:
            _delete_files([p for p in self._files if int(p.stem) < self.progress.file])
            return
        _delete_files(self._files)
        (self.path / SHIPPED_FILE).unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # something foreign lies in it
            self.path.rmdir()

    def _read_file(self, path: Path, *, last: bool) -> Iterator[LineResult]:
        """Yield the complete lines of a file after the saved offset."""
        written_to = last and self.alive
        # Where it is gone it held no whole line: a full disk took nothing of it.
        with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
            file.seek(self.progress.offset)
            while line := file.readline(_MAX_LINE_BYTES):
                if written_to and RESERVED_BYTES in line:
                    return
                if not line.endswith(b"\n"):
                    if len(line) == _MAX_LINE_BYTES:
                        raise EnvironmentFailure(
                            f"{path} is not a file of a gateway's spool",
                            "name the spool of a gateway: STATE/spool",
                        )
                    cut = len(line.rstrip(RESERVED_BYTES))
                    if cut and not written_to:
                        self._report_truncated_line(path, cut)
                    return
                yield self._parse_line(path, line)

    def _parse_line(self, path: Path, line: bytes) -> LineResult:
        """Parse a line of the audit spool; an invalid one is quarantined."""
        offset = self.progress.offset
        self.progress.offset += len(line)
        try:
            return LineResult(self._lines.parse_line_to_event(line), None, len(line))
        except ParseError as error:
            raw = line[:_KEPT]
            aside = QuarantinedRecord(str(path), offset, error.reason, raw)
            return LineResult(None, aside, len(line))

    def _report_truncated_line(self, path: Path, size: int) -> None:
        """Add a problem for a line that was cut off."""
        what = f"its last {size} bytes are an incomplete record"
        self._torn.append(ReadProblem(ReadProblemKind.INVALID, str(path), what))

    def _save_progress(self) -> None:
        """Save the shipping progress durably, by atomic rename."""
        self._lines.save_unfinished_calls()
        data = msgspec.json.encode(self.progress)
        temp_path = self.path / f".{SHIPPED_FILE}.new"
        handle = os.open(temp_path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(handle)
        temp_path.replace(self.path / SHIPPED_FILE)
        with open_folder(self.path) as folder:
            os.fsync(folder)


def list_record_files(path: Path) -> list[Path]:
    """List a recorder's files in order, ignoring others."""
    found = (
        each for each in path.glob(f"*{SUFFIX}") if _FILE_NUMBER.fullmatch(each.stem)
    )
    return sorted(found, key=lambda each: int(each.stem))


def is_recorder_alive(path: Path) -> bool:
    """Return whether the recorder's process is alive: it holds a lock on its folder."""
    with open_folder(path) as handle:
        return not try_lock(handle, fcntl.LOCK_SH)


def try_lock(handle: int, lock_mode: int) -> bool:
    """Try to lock an open folder; False if another process holds the lock."""
    try:
        fcntl.flock(handle, lock_mode | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _load_progress(path: Path) -> ReadProgress:
    """Load the shipping progress, empty if none is saved."""
    try:
        return msgspec.json.decode(
            (path / SHIPPED_FILE).read_bytes(), type=ReadProgress
        )
    except FileNotFoundError:
        return ReadProgress()
    except (OSError, msgspec.MsgspecError) as error:
        raise EnvironmentFailure(
            f"cannot be read: {path / SHIPPED_FILE} ({type(error).__name__})",
            "remove it: all records in the spool are then read again",
        ) from None


def _delete_files(files: list[Path]) -> None:
    """Delete files, ignoring missing ones."""
    for path in files:
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def open_folder(path: Path) -> Iterator[int]:
    """Open a folder as a descriptor, to lock or fsync it.

    Raises:
        EnvironmentFailure: It is not readable.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise EnvironmentFailure(
            f"cannot read {path} ({error.strerror})",
            "run the command as the gateway's user",
        ) from None
    try:
        yield handle
    finally:
        os.close(handle)
