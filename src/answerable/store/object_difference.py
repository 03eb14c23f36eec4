"""Read an object that is stored as its difference from an earlier object, in parts.

Two scans of a source differ in a few entities and in the time of the scan. The earlier
content, with its time replaced, is split where one JSON object of a list ends and the next
begins. The difference has the pieces that are copied, and the other pieces themselves. The
earlier object is stored whole, so an object is at most one difference away from it.
A role that is new in a list shifts the number in the place of each later one. Such pieces
are copied as well, with the shift.
"""

import hashlib
import io
import itertools
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
import zstandard

from answerable.model.errors import AnswerableError, VerificationError
from answerable.store.object_store import (
    DIFFERENCE_HEADER,
    is_difference_file,
    read_object_base,
    read_packed,
    unwrap_object_file,
)

BETWEEN = b"},{"
LITERAL = -1
_READ_BYTES = 16 << 10  # of a compressed file, about 20 times as much content
# A copied piece is at most so far before the last one copied; a reader keeps more.
MAX_BYTES_BEHIND, _KEPT_BYTES = 32 << 20, 72 << 20
_DROPPED_BYTES = 8 << 20  # at a time
_PIECES_PER_PART = 1_000
_DIGEST = re.compile("[0-9a-f]{64}")
_PLACE = b'"place":"'
_MAX_DIGITS = 15
VERSION = b"2\n"
_VERSIONS = {b"1\n": 2, VERSION: 3}  # with the numbers of a part


class DifferenceParts(msgspec.Struct, forbid_unknown_fields=True):
    """First line of a difference.

    Attributes:
        base: Digest of the earlier object.
        old: Text that is replaced in its content.
        new: Text in its place.
        parts: Triples (first piece, number of pieces, shift) of the earlier content; the
            first is -1 for the next pieces of the difference itself. A shift is added to
            the number in the place of each piece. Differences of version 1 have none.
    """

    base: str
    old: str
    new: str
    parts: list[tuple[int, ...]]


class EarlierObjectError(ValueError):
    """Error of the earlier object of a difference: it is damaged, or another one."""

    def __init__(self) -> None:
        """Build the error with its message."""
        super().__init__("the earlier object is damaged")


_DECODER = msgspec.json.Decoder(DifferenceParts)


def iterate_replaced(content: Iterable[bytes], old: str, new: str) -> Iterator[bytes]:
    """Yield the pieces of an earlier content, with a text replaced."""
    split, before, after = PieceSplitter(), old.encode(), new.encode()
    for part in content:
        pieces = split.add(part)
        yield from [p.replace(before, after) for p in pieces] if old else pieces
    yield from [p.replace(before, after) for p in split.end()] if old else split.end()


def split_at_number(piece: bytes) -> tuple[bytes, bytes, bytes]:
    """Split a piece at the number that its place ends with; empty if there is none."""
    start = piece.find(_PLACE)
    end = piece.find(b'"', start + len(_PLACE)) if start >= 0 else -1
    at = piece.rfind(b"/", start, end) + 1 if end >= 0 else 0
    number = piece[at:end] if at else b""
    if not number.isdigit() or len(number) > _MAX_DIGITS:
        return piece, b"", b""
    if number[:1] == b"0" and number != b"0":  # it could not be written again
        return piece, b"", b""
    return piece[:at], number, piece[end:]


def _shift_number(piece: bytes, shift: int) -> bytes:
    """Add to the number that the place of a piece ends with, if there is one."""
    head, number, tail = split_at_number(piece)
    return b"%b%d%b" % (head, int(number) + shift, tail) if number else piece


class PieceSplitter:
    """Splitter of a content that arrives in parts; a separator may be cut."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._rest = b""

    def add(self, part: bytes) -> list[bytes]:
        """Return the pieces that are complete."""
        *pieces, self._rest = (self._rest + part).split(BETWEEN)
        return pieces

    def end(self) -> list[bytes]:
        """Return the last piece."""
        return [self._rest]


def iterate_content(packed: bytes, digest: str) -> Iterator[bytes]:
    """Yield the content of a whole object in parts.

    Args:
        packed: File of the object.
        digest: SHA-256 of the content, hex.

    Raises:
        ValueError: The content has another digest.
    """
    try:
        packed = unwrap_object_file(packed)
    except ValueError as error:
        raise EarlierObjectError from error
    reader, found = zstandard.ZstdDecompressor().decompressobj(), hashlib.sha256()
    for at in range(0, len(packed), _READ_BYTES):
        try:
            part = reader.decompress(packed[at : at + _READ_BYTES])
        except zstandard.ZstdError as error:
            raise EarlierObjectError from error
        found.update(part)
        yield part
    if found.hexdigest() != digest or reader.unused_data:
        raise EarlierObjectError


def join_parts(parts: Iterable[bytes]) -> bytes:
    """Join the parts of a large content without a second copy of it."""
    joined = io.BytesIO()
    for part in parts:
        joined.write(part)
    return joined.getvalue()


def iterate_object(path: Path, packed: bytes, digest: str) -> Iterator[bytes]:
    """Yield the content of an object in parts; its digest is compared at their end.

    Args:
        path: File of the object; the earlier one is beside it.
        packed: Bytes of the file.
        digest: SHA-256 of the content, hex.

    Raises:
        VerificationError: The object is damaged, or the one from which it differs.
    """
    name = f"{path.parent.name}/{path.name}"
    base, found = digest, hashlib.sha256()
    try:
        if not is_difference_file(packed):
            yield from iterate_content(packed, digest)
            return
        base = read_base_digest(packed)
        place = path.with_name(base)
        if not _DIGEST.fullmatch(base) or read_object_base(place):
            raise ValueError("the earlier object is no whole object")
        before = iterate_content(read_packed(place), base)
        for part in apply_difference(packed, before):
            found.update(part)
            yield part
    except (AnswerableError, EarlierObjectError) as error:
        if base == digest:
            raise VerificationError(f"{name} is damaged") from None
        what = f"{name} differs from {base}, which cannot be read: {error}"
        raise VerificationError(what) from None
    except ValueError:
        raise VerificationError(f"{name} is damaged") from None
    if found.hexdigest() != digest:
        raise VerificationError(f"{name} is damaged")


def read_base_digest(packed: bytes) -> str:
    """Read the digest of the earlier object; empty for an object that is whole.

    Raises:
        ValueError: The difference is malformed.
    """
    if not is_difference_file(packed):
        return ""
    return _decode(packed)[0].base


def apply_difference(packed: bytes, base: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the content of an object from its difference, in parts.

    Args:
        packed: File of the object.
        base: Content of the earlier object, in parts.

    Raises:
        ValueError: The difference is malformed, or the earlier object is damaged.
    """
    head, rest = _decode(packed)
    before = _BaseReader(iterate_replaced(base, head.old, head.new))
    literals = iter(rest.split(BETWEEN))
    lead = b""
    for start, count, *shift in head.parts:
        if count < 1 or start < LITERAL:
            raise ValueError("the difference names pieces that do not exist")
        for first in range(start, start + count, _PIECES_PER_PART):
            number = min(_PIECES_PER_PART, start + count - first)
            if start == LITERAL:
                taken = list(itertools.islice(literals, number))
            else:
                taken = before.read(first, number)
            if len(taken) != number:
                raise ValueError("the difference names pieces that do not exist")
            if any(shift):
                taken = [_shift_number(piece, *shift) for piece in taken]
            yield lead + BETWEEN.join(taken)
            lead = BETWEEN
    before.end()


class _BaseReader:
    """Reader of the pieces of an earlier content, which keeps the last ones."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        """Begin before the first piece."""
        self._pieces = pieces
        self._kept: list[bytes] = []
        self._first = self._size = 0

    def read(self, start: int, count: int) -> list[bytes]:
        """Read some pieces; fewer if they do not exist, or are not kept any more."""
        missing = start + count - self._first - len(self._kept)
        for piece in itertools.islice(self._pieces, max(missing, 0)):
            self._kept.append(piece)
            self._size += len(piece)
        at = start - self._first
        taken = self._kept[at : at + count] if at >= 0 else []
        if self._size > _KEPT_BYTES + _DROPPED_BYTES:
            self._drop()
        return taken

    def _drop(self) -> None:
        """Drop what is too far behind."""
        count = 0
        while self._size > _KEPT_BYTES:
            self._size -= len(self._kept[count])
            count += 1
        del self._kept[:count]
        self._first += count

    def end(self) -> None:
        """Read the rest, at whose end the digest of the earlier content is compared."""
        for _ in self._pieces:
            pass


def _decode(packed: bytes) -> tuple[DifferenceParts, bytes]:
    """Decode the first line of a difference, and return the rest.

    Raises:
        ValueError: It is malformed.
    """
    reader = zstandard.ZstdDecompressor().decompressobj()
    try:
        whole = unwrap_object_file(packed).removeprefix(DIFFERENCE_HEADER)
        content = reader.decompress(whole[len(VERSION) :])
        line, _, rest = content.partition(b"\n")
        head = _DECODER.decode(line)
    except (zstandard.ZstdError, msgspec.DecodeError, UnicodeError) as error:
        raise ValueError("the difference cannot be decoded") from error
    if not reader.eof or reader.unused_data:
        raise ValueError("the difference has another length")
    size = _VERSIONS.get(whole[: len(VERSION)])
    if any(len(part) != size for part in head.parts):
        raise ValueError("the difference has an unknown version, or other parts")
    return head, rest
