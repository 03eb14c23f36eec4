"""Encode an object as its difference from an earlier object, both read in parts.

Two scans of a source differ in a few entities and in the time of the scan. The earlier
content, with its time replaced, is split where one JSON object of a list ends and the next
begins. The difference has the pieces that are copied, and the other pieces themselves. The
earlier object is stored whole, so an object is at most one difference away from it.
The pieces of the earlier content are compared by their digests, so that neither content is
in memory as a whole.
"""

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass

import msgspec
import zstandard

from answerable.store.object_store import (
    CHECKSUM_HEADER,
    DIFFERENCE_HEADER,
    HEADER,
    is_difference_file,
    unwrap_object_file,
)

_BETWEEN = b"},{"
_LITERAL = -1
_LEVEL = 3
_READ_BYTES = 16 << 10  # of a compressed file, about 20 times as much content
_MIN_BYTES, _MAX_BYTES = 64 << 10, 64 << 20  # of contents
_MIN_SAVING = 2  # a difference needs at most this part of the whole object


@dataclass(frozen=True, slots=True)
class EarlierObject:
    """Object that is stored whole, and from which another one differs.

    Attributes:
        digest: SHA-256 of its content, hex.
        content: Its content, in parts; read once.
        old: Text that the other object replaces, e.g. the time of the scan.
        new: Text of the other object in its place.
    """

    digest: str
    content: Iterable[bytes]
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


class DifferenceEncoder:
    """Encoder of one content as a difference, which receives it in parts."""

    def __init__(self, earlier: EarlierObject) -> None:
        """Read the earlier content.

        Raises:
            VerificationError: It is damaged.
        """
        self._earlier = earlier
        self._before: list[bytes] = []
        self._before_size = 0
        split = _PieceSplitter()
        for part in earlier.content:
            self._before_size += len(part)
            if self._before_size <= _MAX_BYTES:
                self._before += map(self._digest_replaced, split.add(part))
        self._before += map(self._digest_replaced, split.end())
        self._where = {
            digest: index for index, digest in reversed(list(enumerate(self._before)))
        }
        self._split = _PieceSplitter()
        self._size = self._literal_size = 0
        self._literals: list[bytes] = []
        self._parts: list[tuple[int, int]] = []
        self._start, self._count = _LITERAL, 0  # the run of pieces that continues
        self._is_useless = not _MIN_BYTES <= self._before_size <= _MAX_BYTES

    def _digest_replaced(self, piece: bytes) -> bytes:
        """Compute the digest of an earlier piece, with the text replaced."""
        if self._earlier.old:
            old, new = self._earlier.old.encode(), self._earlier.new.encode()
            piece = piece.replace(old, new)
        return _compute_digest(piece)

    def add(self, part: bytes) -> None:
        """Add the next part of the content."""
        self._size += len(part)
        if not self._is_useless:
            self._match_pieces(self._split.add(part))
        limit = max(self._size, self._before_size)
        if self._size > _MAX_BYTES or self._literal_size * _MIN_SAVING > limit:
            self._is_useless = True
            self._literals.clear()

    def encode(self) -> bytes | None:
        """Encode the difference; None if it would save too little."""
        if not self._is_useless:
            self._match_pieces(self._split.end())
            self._end_run()
        too_much = self._literal_size * _MIN_SAVING > self._size
        if self._is_useless or self._size < _MIN_BYTES or too_much:
            return None
        earlier = self._earlier
        head = _Parts(earlier.digest, earlier.old, earlier.new, self._parts)
        content = msgspec.json.encode(head) + b"\n" + _BETWEEN.join(self._literals)
        compressor = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True)
        return wrap_object_file(DIFFERENCE_HEADER + compressor.compress(content))

    def _match_pieces(self, pieces: Iterable[bytes]) -> None:
        """Extend the runs of equal pieces, and of pieces only in the new content."""
        for piece in pieces:
            digest = _compute_digest(piece)
            start, following = self._start, self._start + self._count
            if start == _LITERAL or self._before[following : following + 1] != [digest]:
                start = self._where.get(digest, _LITERAL)
                if start != _LITERAL or self._start != _LITERAL:
                    self._end_run()
            if start == _LITERAL:
                self._literals.append(piece)
                self._literal_size += len(piece)
            if not self._count:
                self._start = start
            self._count += 1

    def _end_run(self) -> None:
        """End the run of pieces."""
        if self._count:
            self._parts.append((self._start, self._count))
        self._count = 0


class _PieceSplitter:
    """Splitter of a content that arrives in parts; a separator may be cut."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._rest = b""

    def add(self, part: bytes) -> list[bytes]:
        """Return the pieces that are complete."""
        *pieces, self._rest = (self._rest + part).split(_BETWEEN)
        return pieces

    def end(self) -> list[bytes]:
        """Return the last piece."""
        return [self._rest]


def _compute_digest(piece: bytes) -> bytes:
    """Compute the digest by which pieces are compared."""
    return hashlib.blake2b(piece, digest_size=16).digest()


def encode_object(
    data: bytes | Iterable[bytes], earlier: EarlierObject | None
) -> tuple[str, bytes, bytes | None]:
    """Return the digest of a content, its file, and the file of a difference if any."""
    encoder = _start_difference(earlier)
    digest, packed = hashlib.sha256(), bytearray()
    whole = len(data) if isinstance(data, bytes) else -1
    compressor = zstandard.ZstdCompressor(level=3).compressobj(size=whole)
    for part in (data,) if isinstance(data, bytes) else data:
        digest.update(part)
        packed += compressor.compress(part)
        if encoder is not None:
            encoder.add(part)
    packed += compressor.flush()
    difference = encoder.encode() if encoder is not None else None
    return digest.hexdigest(), wrap_object_file(bytes(packed)), difference


def wrap_object_file(packed: bytes) -> bytes:
    """Return the file of an object: header, compressed content, checksum."""
    body = HEADER + packed
    return body + CHECKSUM_HEADER + hashlib.sha256(body).digest()


def _start_difference(earlier: EarlierObject | None) -> DifferenceEncoder | None:
    """Start to encode a difference; None if there is no intact earlier object."""
    if earlier is None:
        return None
    with suppress(ValueError):
        return DifferenceEncoder(earlier)
    return None


def iterate_content(packed: bytes, digest: str) -> Iterator[bytes]:
    """Yield the content of a whole object in parts.

    Args:
        packed: File of the object.
        digest: SHA-256 of the content, hex.

    Raises:
        ValueError: The content has another digest.
    """
    packed = unwrap_object_file(packed)
    reader, found = zstandard.ZstdDecompressor().decompressobj(), hashlib.sha256()
    for at in range(0, len(packed), _READ_BYTES):
        try:
            part = reader.decompress(packed[at : at + _READ_BYTES])
        except zstandard.ZstdError as error:
            raise ValueError("the earlier object is damaged") from error
        found.update(part)
        yield part
    if found.hexdigest() != digest:
        raise ValueError("the earlier object is damaged")


def read_base_digest(packed: bytes) -> str:
    """Read the digest of the earlier object; empty for an object that is whole.

    Raises:
        ValueError: The difference is malformed.
    """
    if not is_difference_file(packed):
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
        whole = unwrap_object_file(packed)
        content = reader.decompress(whole.removeprefix(DIFFERENCE_HEADER))
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
