"""Log files of a location: folder walk and bounded decompression."""

import os
import stat
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import zstandard

from answerable.connectors.named_file import check_regular, open_named
from answerable.connectors.user_path import expanded
from answerable.model.errors import EnvironmentRefused, UsageError
from answerable.model.sighting import Problem, ProblemKind

CHUNK = 1 << 20
NAMES = (".json", ".jsonl", ".ndjson")
PACKED = ("", ".gz", ".zst")
# A log compresses 10 to 60 times. What unfolds further than this, and to more than a
# small file, is a bomb.
RATIO = 100
SMALL = 32 << 20
_SLICE = 1024
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"


class UnreadableError(Exception):
    """Unreadable rest of a file; the message gives the reason."""


@dataclass(frozen=True, slots=True)
class Found:
    """Log files found at a location.

    Attributes:
        files: Files in reading order; `-` is standard input.
        total: Their size on disk, 0 when not known.
        problems: Folders without listing permission.
        skipped: One reason for each file whose name is not a log's.
    """

    files: tuple[str, ...]
    total: int
    problems: tuple[Problem, ...]
    skipped: tuple[str, ...]


def find(location: str) -> Found:
    """List the files of a location.

    Raises:
        UsageError: It does not exist, or is a folder without such files.
        EnvironmentRefused: It is not readable.
    """
    if location == "-":
        return Found(("-",), 0, (), ())
    path = expanded(location)
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        raise UsageError(
            f"no such file or folder (got {location!r})",
            "name a CloudTrail file, a folder of them, or - for standard input",
        ) from None
    except OSError as refusal:
        raise EnvironmentRefused(
            f"may not be read: {location} ({refusal.strerror})"
        ) from None
    if not stat.S_ISDIR(mode):
        check_regular(path)
        return Found((str(path),), path.stat().st_size, (), ())
    return _walk(path, location)


def _walk(top: Path, location: str) -> Found:
    files: list[tuple[str, int]] = []
    problems: list[Problem] = []
    skipped: list[str] = []

    def refused(error: OSError) -> None:
        if error.filename == str(top):
            raise EnvironmentRefused(
                f"may not be listed: {location} ({error.strerror})"
            )
        what = f"the folder may not be listed ({error.strerror})"
        problems.append(Problem(ProblemKind.PERMISSION, str(error.filename), what))

    for folder, folders, names in os.walk(top, onerror=refused):
        folders.sort()
        for name in sorted(names):
            path = os.path.join(folder, name)
            try:
                about = os.lstat(path)
                if stat.S_ISLNK(about.st_mode):
                    about = os.stat(path)
            except OSError as error:
                what = error.strerror or "cannot be opened"
                problems.append(Problem(ProblemKind.UNREADABLE, path, what))
                continue
            if stat.S_ISREG(about.st_mode) and is_log_name(name):
                files.append((path, about.st_size))
            else:
                skipped.append("not a .json, .jsonl or .ndjson file")
    if not files and not problems:
        raise UsageError(
            f"no .json, .jsonl or .ndjson file in the folder (got {location!r})",
            "compressed ones end in .gz or .zst",
        )
    files.sort()
    total = sum(size for _, size in files)
    return Found(
        tuple(path for path, _ in files), total, tuple(problems), tuple(skipped)
    )


def is_log_name(name: str) -> bool:
    """Tell whether a file in a folder may be a log by its name."""
    return name.lower().endswith(tuple(n + p for n in NAMES for p in PACKED))


class Source:
    """Stream of one file, decompressed chunk by chunk.

    Args:
        place: Path, or `-`.
    """

    def __init__(self, place: str) -> None:
        self._place = place
        self.packed = 0
        self._unpacked = 0

    def chunks(self) -> Iterator[bytes]:
        """Yield the decompressed bytes.

        Raises:
            UnreadableError: Reading ended early.
        """
        try:
            if self._place == "-":
                yield from self._unpack(sys.stdin.buffer)
                return
            with open_named(self._place) as file:
                yield from self._unpack(file)
        except OSError as error:
            raise UnreadableError(error.strerror or "cannot be read") from None
        except (zlib.error, zstandard.ZstdError):
            raise UnreadableError("the compressed data is damaged") from None

    def _unpack(self, file: BinaryIO) -> Iterator[bytes]:
        first = file.read(CHUNK)
        self.packed = len(first)
        if first.startswith(_GZIP):
            chunks = self._gzip(first, file)
        elif first.startswith(_ZSTD):
            chunks = self._zstd(first, file)
        else:
            chunks = self._plain(first, file)
        for chunk in chunks:
            self._unpacked += len(chunk)
            if self._unpacked > max(SMALL, RATIO * self.packed):
                raise UnreadableError(f"it unfolds to more than {RATIO} times its size")
            yield chunk

    def _more(self, file: BinaryIO) -> bytes:
        data = file.read(CHUNK)
        self.packed += len(data)
        return data

    def _plain(self, first: bytes, file: BinaryIO) -> Iterator[bytes]:
        while first:
            yield first
            first = self._more(file)

    def _gzip(self, data: bytes, file: BinaryIO) -> Iterator[bytes]:
        while data:
            member = zlib.decompressobj(wbits=31)
            while True:
                chunk = member.decompress(data, CHUNK)
                if chunk:
                    yield chunk
                if member.eof:
                    break
                data = member.unconsumed_tail
                if not data and len(chunk) < CHUNK:
                    data = self._more(file)
                    if not data:
                        raise UnreadableError("the compressed data ends too early")
            data = member.unused_data or self._more(file)
            if data and not data.startswith(_GZIP[: len(data)]):
                data = data.lstrip(b"\0")  # padding of tapes and disks
                if data:
                    raise UnreadableError("bytes follow the compressed data")

    def _zstd(self, data: bytes, file: BinaryIO) -> Iterator[bytes]:
        packer = zstandard.ZstdDecompressor(max_window_size=1 << 27)
        frame = packer.decompressobj()
        fresh = True
        while data:
            # Four bytes can stand for 128 KiB: small slices keep memory flat.
            for at in range(0, len(data), _SLICE):
                piece = data[at : at + _SLICE]
                while piece:
                    fresh = False
                    if chunk := frame.decompress(piece):
                        yield chunk
                    piece = frame.unused_data if frame.eof else b""
                    if frame.eof:
                        frame, fresh = packer.decompressobj(), True
            data = self._more(file)
        if not fresh:
            raise UnreadableError("the compressed data ends too early")
