"""Plan the parts of log files to read, from the positions of an earlier run.

A file with one record per line is read from its last position if it still begins with
the same bytes and has the same bytes before that position. A renamed file is found by
its inode. Other files, e.g. compressed ones, are read whole whenever they change.
"""

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import BinaryIO

from answerable.connectors.formats.json_records.record_lists import is_valid_json
from answerable.connectors.regular_file import open_named_file
from answerable.model.errors import UsageError
from answerable.model.log_position import FilePosition, LogCursor

# A file that was written this recently may change again within one tick of the file
# system's clock, and keep its size and times (git calls such an entry racily clean).
SETTLING_TIME = 2_000_000_000  # nanoseconds
MAX_LINE = 4 << 20
_DIGEST_BYTES = 4096
_BLOCK = 1 << 16
_BOM = b"\xef\xbb\xbf"


class _FirstLine(Enum):
    COMPLETE = auto()  # a JSON object and a line break
    OPEN = auto()  # the beginning of a JSON object
    OTHER = auto()  # the file is read whole


@dataclass(frozen=True, slots=True)
class FileRead:
    """Part of a log file to read.

    Attributes:
        path: The file; `-` is standard input.
        place: Name of the file in evidence; empty for its path.
        start: First offset.
        end: Offset after the last byte; 0 for the whole file, whatever its size.
        after: Position after the part was read; None if positions are not kept.
        before: Position that remains if the part cannot be read.
        is_unchanged: Nothing is read: there are no new complete lines.
    """

    path: str
    start: int = 0
    end: int = 0
    after: FilePosition | None = None
    before: FilePosition | None = None
    is_unchanged: bool = False
    place: str = ""


def plan_file_reads(
    paths: Sequence[str], cursor: LogCursor, now: int
) -> Iterator[FileRead]:
    """Yield the part of each file to read.

    Args:
        paths: Files in reading order.
        cursor: Positions of an earlier run.
        now: UTC nanoseconds.
    """
    by_inode = {each.inode: each for each in cursor.values()}
    for path in paths:
        try:
            yield _plan_file_read(path, cursor, by_inode, now)
        except (OSError, UsageError):
            yield FileRead(path, before=cursor.get(path))  # the reader says why


def mark_file(about: os.stat_result, now: int) -> tuple[int, ...]:
    """Return the size, inode and times of a file; empty if it changed a moment ago."""
    times = (about.st_mtime_ns, about.st_ctime_ns)
    if now - max(times) < SETTLING_TIME:
        return ()
    return (about.st_size, about.st_ino, *times)


def _plan_file_read(
    path: str, cursor: LogCursor, by_inode: dict[int, FilePosition], now: int
) -> FileRead:
    """Plan the part of one file."""
    about = os.stat(path)
    mark, size = mark_file(about, now), about.st_size
    before = cursor.get(path)
    if before is None or before.inode != about.st_ino:
        before = by_inode.get(about.st_ino)
    if before and mark and before.mark == mark:
        return FileRead(path, after=before, is_unchanged=True)
    with open_named_file(path) as file:
        start, problem = 0, ""
        if before and _is_continued(file, before, size):
            start, problem = before.offset, before.problem
        elif (first := _read_first_line(file)) is not _FirstLine.COMPLETE:
            # A log that was read before may be empty: it was rotated.
            waits = not mark if first is _FirstLine.OPEN else not size and bool(cursor)
            after = FilePosition(about.st_ino, mark)
            return FileRead(path, after=after, before=before, is_unchanged=waits)
        end = _find_line_end(file, start, size)
        tail = _read_at(file, end, size - end).strip() if mark else b""
        if tail.startswith(b"{") and is_valid_json(tail):
            end, tail = size, b""
        after = FilePosition(
            about.st_ino, mark, end, _digest_file(file, end), problem, bool(tail)
        )
    return FileRead(path, start, end, after, before, is_unchanged=start == end)


def _is_continued(file: BinaryIO, before: FilePosition, size: int) -> bool:
    """Return whether a file is the one of a position, with nothing but more bytes."""
    return 0 < before.offset <= size and before.digest == _digest_file(
        file, before.offset
    )


def _digest_file(file: BinaryIO, offset: int) -> str:
    """Compute the digest of the beginning of a file and of the bytes before an offset."""
    head = _read_at(file, 0, min(offset, _DIGEST_BYTES))
    last = max(0, offset - _DIGEST_BYTES)
    return hashlib.sha256(head + _read_at(file, last, offset - last)).hexdigest()


def _read_first_line(file: BinaryIO) -> _FirstLine:
    """Read the first line of a file, and tell whether it is a JSON object."""
    head = b""
    while b"\n" not in head and len(head) <= MAX_LINE:
        block = _read_at(file, len(head), _BLOCK)
        if not block:
            break
        head += block
    line, line_break, _ = head.removeprefix(_BOM).lstrip().partition(b"\n")
    if not line.startswith(b"{"):
        return _FirstLine.OTHER
    if is_valid_json(line):
        return _FirstLine.COMPLETE if line_break else _FirstLine.OTHER
    return _FirstLine.OTHER if line_break else _FirstLine.OPEN


def _find_line_end(file: BinaryIO, start: int, size: int) -> int:
    """Return the offset after the last line break, or `start` without one.

    A line without an end that is too large for a record is not waited for.
    """
    at = size
    while at > start:
        block_start = max(start, at - _BLOCK)
        found = _read_at(file, block_start, at - block_start).rfind(b"\n")
        if found >= 0:
            return block_start + found + 1
        if size - block_start > MAX_LINE:
            return size
        at = block_start
    return start


def _read_at(file: BinaryIO, offset: int, count: int) -> bytes:
    """Read bytes at an offset."""
    file.seek(offset)
    return file.read(count)
