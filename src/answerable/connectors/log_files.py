"""Find the log files of a location, and decompress them within a size limit."""

import os
import stat
import sys
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

import zstandard
from isal import isal_zlib

from answerable.connectors.formats.log_format import LogFormat
from answerable.connectors.regular_file import check_regular_file, open_named_file
from answerable.connectors.user_path import expand_user_path
from answerable.model.coverage import ReadProblem, ReadProblemKind
from answerable.model.errors import EnvironmentFailure, UsageError

CHUNK = 1 << 18
COMPRESSED_NAMES = ("", ".gz", ".zst")
# A log compresses 10 to 60 times. What unfolds further than this, and to more than a
# small file, is a bomb.
MAX_COMPRESSION_RATIO = 100
SMALL = 32 << 20
MAX_NAMED_IRREGULAR = 20
_SLICE_BYTES = 1024
# Its type stub says that it is an instance.
_GZIP_ERROR = cast("type[Exception]", isal_zlib.error)
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"


class LogUnreadableError(Exception):
    """Unreadable rest of a file; the message gives the reason."""


@dataclass(frozen=True, slots=True)
class FoundLogFiles:
    """Log files found at a location.

    Attributes:
        files: Files in reading order; `-` is standard input.
        total: Their size on disk, 0 when not known.
        problems: Folders without listing permission, and pipes and devices with the
            name of a log.
        skipped: One reason for each file whose name is not a log's.
    """

    files: tuple[str, ...]
    total: int
    problems: tuple[ReadProblem, ...]
    skipped: tuple[str, ...]


def split_log_location(
    location: str, option_names: Sequence[str]
) -> tuple[str, dict[str, str]]:
    """Split the location of a log into its path and its `NAME=VALUE` options."""
    if not option_names:
        return location, {}
    options: dict[str, str] = {}
    path: list[str] = []
    for part in location.split(","):
        name, mark, value = part.partition("=")
        if mark and name in option_names:
            options[name] = value
        else:
            path.append(part)
    return ",".join(path), options


def find_log_files(
    location: str, log: LogFormat, inodes: Set[int] = frozenset()
) -> FoundLogFiles:
    """List the log files at a location.

    Args:
        location: File, folder, or `-` for standard input.
        log: Format of the log.
        inodes: Inodes of files that were read before. They are listed under any name,
            and next to a single file, so that the rest of a rotated file is read.

    Raises:
        UsageError: It does not exist, or is a folder without such files.
        EnvironmentFailure: It is not readable.
    """
    if location == "-":
        return FoundLogFiles(("-",), 0, (), ())
    path = expand_user_path(location)
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        raise UsageError(
            f"no such file or folder (got {location!r})",
            f"name one {log.noun} file, a folder of them, or - for standard input",
        ) from None
    except OSError as refusal:
        raise EnvironmentFailure(
            f"no permission to read {location} ({refusal.strerror})",
            "run the command as a user that may read it",
        ) from None
    if not stat.S_ISDIR(mode):
        check_regular_file(path)
        files = (*_find_rotated_files(path, inodes), str(path))
        return FoundLogFiles(files, path.stat().st_size, (), ())
    return _walk_folder(path, location, log, inodes)


def _find_rotated_files(path: Path, inodes: Set[int]) -> list[str]:
    """List the other files of a file's folder that were read before."""
    if not inodes:
        return []
    try:
        with os.scandir(path.parent) as entries:
            return sorted(
                each.path
                for each in entries
                if each.inode() in inodes
                and each.name != path.name
                and each.is_file(follow_symlinks=False)
            )
    except OSError:  # a folder that may not be listed: the file itself is still read
        return []


def _walk_folder(
    root_folder: Path, location: str, log: LogFormat, inodes: Set[int]
) -> FoundLogFiles:
    """List the log files below a folder; unreadable folders become problems."""
    files: list[tuple[str, int]] = []
    problems: list[ReadProblem] = []
    skipped: list[str] = []
    irregular: list[str] = []
    endings = tuple(n + p for n in log.suffixes for p in COMPRESSED_NAMES)
    expected = " or ".join(", ".join(log.suffixes).rsplit(", ", 1))

    def refused(error: OSError) -> None:
        if error.filename == str(root_folder):
            raise EnvironmentFailure(
                f"no permission to list {location} ({error.strerror})",
                "run the command as a user that may list it",
            )
        what = f"no permission to list the folder ({error.strerror})"
        problems.append(
            ReadProblem(ReadProblemKind.PERMISSION, str(error.filename), what)
        )

    for folder, folders, names in os.walk(root_folder, onerror=refused):
        folders.sort()
        for path in sorted(os.path.join(folder, name) for name in names):
            try:
                about = os.lstat(path)
                if stat.S_ISLNK(about.st_mode):
                    about = os.stat(path)
            except OSError as error:
                what = error.strerror or "cannot be opened"
                problems.append(ReadProblem(ReadProblemKind.UNREADABLE, path, what))
                continue
            is_log = path.lower().endswith(endings) or about.st_ino in inodes
            is_regular = stat.S_ISREG(about.st_mode)
            if is_log and is_regular:
                files.append((path, about.st_size))
            elif is_log:
                irregular.append(path)
            else:
                skipped.append(f"not a {expected} file")
    problems += _list_irregular_files(irregular, location)
    if not files and not problems:
        raise UsageError(
            f"no {expected} file in the folder (got {location!r})",
            "names of compressed files end in .gz or .zst",
        )
    files.sort()
    total = sum(size for _, size in files)
    return FoundLogFiles(
        tuple(path for path, _ in files), total, tuple(problems), tuple(skipped)
    )


def _list_irregular_files(paths: Sequence[str], location: str) -> Iterator[ReadProblem]:
    """Yield a problem per path with the name of a log that is a pipe or a device.

    Reading one could wait or never end. The first are named, the others counted.
    """
    what = "not a regular file (a pipe, socket or device): it is not read"
    for path in paths[:MAX_NAMED_IRREGULAR]:
        yield ReadProblem(ReadProblemKind.UNREADABLE, path, what)
    more = len(paths) - MAX_NAMED_IRREGULAR
    if more > 0:
        what = f"{more} more are not regular files: they are not read"
        yield ReadProblem(ReadProblemKind.UNREADABLE, location, what)


class LogFileStream:
    """Stream of one file, decompressed chunk by chunk.

    Args:
        place: Path, or `-`.
        start: First offset, of a file that is not compressed.
        end: Offset after the last byte; 0 for the end of the file.
    """

    def __init__(self, place: str, start: int = 0, end: int = 0) -> None:
        self._place, self._start, self._end = place, start, end
        self.packed = 0
        self._unpacked = 0

    def iter_chunks(self) -> Iterator[bytes]:
        """Yield the decompressed bytes.

        Raises:
            LogUnreadableError: Reading ended early.
        """
        try:
            if self._place == "-":
                yield from self._yield_decompressed_chunks(sys.stdin.buffer)
                return
            with open_named_file(self._place) as file:
                if self._end:
                    yield from self._read_part(file)
                else:
                    yield from self._yield_decompressed_chunks(file)
        except OSError as error:
            raise LogUnreadableError(error.strerror or "cannot be read") from None
        except (_GZIP_ERROR, zstandard.ZstdError):
            raise LogUnreadableError("the compressed data is damaged") from None

    def _read_part(self, file: BinaryIO) -> Iterator[bytes]:
        """Yield the bytes between two offsets."""
        file.seek(self._start)
        left = self._end - self._start
        while left:
            chunk = file.read(min(left, CHUNK))
            if not chunk:
                raise LogUnreadableError("it was truncated while it was read")
            self.packed += len(chunk)
            left -= len(chunk)
            yield chunk

    def _yield_decompressed_chunks(self, file: BinaryIO) -> Iterator[bytes]:
        """Yield decompressed chunks; a suspected decompression bomb raises."""
        first = file.read(CHUNK)
        self.packed = len(first)
        if first.startswith(_GZIP):
            chunks = self._iter_gzip(first, file)
        elif first.startswith(_ZSTD):
            chunks = self._iter_zstd(first, file)
        else:
            chunks = self._iter_uncompressed(first, file)
        for chunk in chunks:
            self._unpacked += len(chunk)
            if self._unpacked > max(SMALL, MAX_COMPRESSION_RATIO * self.packed):
                raise LogUnreadableError(
                    f"the file decompresses to more than {MAX_COMPRESSION_RATIO} "
                    "times its size"
                )
            yield chunk

    def _read_chunk(self, file: BinaryIO) -> bytes:
        """Read the next chunk of the file, and count its compressed bytes."""
        data = file.read(CHUNK)
        self.packed += len(data)
        return data

    def _iter_uncompressed(self, first_chunk: bytes, file: BinaryIO) -> Iterator[bytes]:
        """Yield the chunks of a file that is not compressed."""
        while first_chunk:
            yield first_chunk
            first_chunk = self._read_chunk(file)

    def _iter_gzip(self, data: bytes, file: BinaryIO) -> Iterator[bytes]:
        """Yield the chunks of all gzip members in a file."""
        while data:
            member = isal_zlib.decompressobj(wbits=31)
            while True:
                chunk = member.decompress(data, CHUNK)
                if chunk:
                    yield chunk
                if member.eof:
                    break
                data = member.unconsumed_tail
                if not data and len(chunk) < CHUNK:
                    data = self._read_chunk(file)
                    if not data:
                        raise LogUnreadableError("the compressed data is truncated")
            data = member.unused_data or self._read_chunk(file)
            if data and not data.startswith(_GZIP[: len(data)]):
                data = data.lstrip(b"\0")  # padding of tapes and disks
                if data:
                    raise LogUnreadableError("extra bytes after the compressed data")

    def _iter_zstd(self, data: bytes, file: BinaryIO) -> Iterator[bytes]:
        """Yield the chunks of all Zstandard frames in a file."""
        packer = zstandard.ZstdDecompressor(max_window_size=1 << 27)
        frame = packer.decompressobj()
        fresh = True
        while data:
            # Four bytes can stand for 128 KiB: small slices keep memory flat.
            for at in range(0, len(data), _SLICE_BYTES):
                piece = data[at : at + _SLICE_BYTES]
                while piece:
                    fresh = False
                    if chunk := frame.decompress(piece):
                        yield chunk
                    piece = frame.unused_data if frame.eof else b""
                    if frame.eof:
                        frame, fresh = packer.decompressobj(), True
            data = self._read_chunk(file)
        if not fresh:
            raise LogUnreadableError("the compressed data is truncated")
