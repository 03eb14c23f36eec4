"""Encode an object as its difference from an earlier object.

Two scans of a source differ in a few entities and in the time of the scan. The earlier
content, with its time replaced, is split where one JSON object of a list ends and the next
begins. The difference has the pieces that are copied, and the other pieces themselves. The
earlier object is stored whole, so an object is at most one difference away from it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec
import zstandard

from answerable.store.object_store import DIFFERENCE_HEADER

_BETWEEN = b"},{"
_LITERAL = -1
_LEVEL = 3
_MIN_BYTES, _MAX_BYTES = 64 << 10, 64 << 20  # of contents; it needs 4x as much memory
_MIN_SAVING = 2  # a difference needs at most this part of the whole object


@dataclass(frozen=True, slots=True)
class EarlierObject:
    """Object that is stored whole, and from which another one differs.

    Attributes:
        digest: SHA-256 of its content, hex.
        content: Its content.
        old: Text that the other object replaces, e.g. the time of the scan.
        new: Text of the other object in its place.
    """

    digest: str
    content: bytes
    old: str
    new: str


class _Parts(msgspec.Struct, forbid_unknown_fields=True):
    """First line of a difference.

    Attributes:
        base: Digest of the earlier object.
        old: Text that is replaced in its content.
        new: Text in its place.
        parts: Pairs (first piece, number of pieces) of the earlier content; the first
            is -1 for the next pieces of the difference itself.
    """

    base: str
    old: str
    new: str
    parts: list[tuple[int, int]]


_DECODER = msgspec.json.Decoder(_Parts)


def encode_difference(data: bytes, earlier: EarlierObject) -> bytes | None:
    """Encode content as a difference; None if that would save too little.

    Args:
        data: Content of the new object.
        earlier: The earlier object.
    """
    sizes = (len(data), len(earlier.content))
    if min(sizes) < _MIN_BYTES or max(sizes) > _MAX_BYTES:
        return None
    before = _split_replaced(earlier.content, earlier.old, earlier.new)
    pieces = data.split(_BETWEEN)
    parts = list(_match_pieces(before, pieces))
    literals, at = [], 0
    for start, count in parts:
        if start == _LITERAL:
            literals += pieces[at : at + count]
        at += count
    if sum(map(len, literals)) * _MIN_SAVING > len(data):
        return None
    head = msgspec.json.encode(_Parts(earlier.digest, earlier.old, earlier.new, parts))
    content = head + b"\n" + _BETWEEN.join(literals)
    compressor = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True)
    return DIFFERENCE_HEADER + compressor.compress(content)


def read_base_digest(packed: bytes) -> str:
    """Read the digest of the earlier object; empty for an object that is whole.

    Raises:
        ValueError: The difference is malformed.
    """
    if not packed.startswith(DIFFERENCE_HEADER):
        return ""
    return _decode(packed)[0].base


def apply_difference(packed: bytes, base: bytes) -> bytes:
    """Compute the content of an object from its difference.

    Args:
        packed: File of the object.
        base: Content of the earlier object.

    Raises:
        ValueError: The difference is malformed.
    """
    head, rest = _decode(packed)
    before = _split_replaced(base, head.old, head.new)
    literals = rest.split(_BETWEEN)
    pieces: list[bytes] = []
    at = 0
    for start, count in head.parts:
        source, first = (literals, at) if start == _LITERAL else (before, start)
        taken = source[first : first + count]
        if first < 0 or count < 1 or len(taken) != count:
            raise ValueError("the difference names pieces that do not exist")
        at += count if start == _LITERAL else 0
        pieces += taken
    return _BETWEEN.join(pieces)


def _decode(packed: bytes) -> tuple[_Parts, bytes]:
    """Decode the first line of a difference, and return the rest.

    Raises:
        ValueError: It is malformed.
    """
    reader = zstandard.ZstdDecompressor().decompressobj()
    try:
        content = reader.decompress(packed.removeprefix(DIFFERENCE_HEADER))
        line, _, rest = content.partition(b"\n")
        head = _DECODER.decode(line)
    except (zstandard.ZstdError, msgspec.DecodeError, UnicodeError) as error:
        raise ValueError("the difference cannot be decoded") from error
    if not reader.eof or reader.unused_data:
        raise ValueError("the difference has another length")
    return head, rest


def _split_replaced(content: bytes, old: str, new: str) -> list[bytes]:
    """Replace a text in a content, and split the content into pieces."""
    if old:
        content = content.replace(old.encode(), new.encode())
    return content.split(_BETWEEN)


def _match_pieces(
    before: Sequence[bytes], pieces: Sequence[bytes]
) -> Iterator[tuple[int, int]]:
    """Yield runs of equal pieces, and of pieces that are only in the new content."""
    where = {piece: index for index, piece in reversed(list(enumerate(before)))}
    start, count = _LITERAL, 0
    for piece in pieces:
        following = start + count
        if start != _LITERAL and before[following : following + 1] == [piece]:
            count += 1
            continue
        found = where.get(piece, _LITERAL)
        if found == start == _LITERAL:
            count += 1
            continue
        if count:
            yield start, count
        start, count = found, 1
    yield start, count
