"""Encode an object as its difference from an earlier object, both read in parts.

Both contents are read once and in parallel: the next pieces of the earlier one are
compared by their digests, so that neither is in memory as a whole, whatever its size.
"""

import hashlib
import itertools
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import msgspec
import zstandard

from answerable.store.object_difference import (
    BETWEEN,
    LITERAL,
    MAX_BYTES_BEHIND,
    VERSION,
    DifferenceParts,
    PieceSplitter,
    iterate_replaced,
    split_at_number,
)
from answerable.store.object_store import (
    CHECKSUM_HEADER,
    DIFFERENCE_HEADER,
    HEADER,
)

_LEVEL = 3
_MIN_BYTES = 64 << 10  # of contents
_MIN_SAVING = 2  # a difference needs at most this part of the whole object
_MAX_LITERAL_BYTES = 32 << 20
# How far the encoder looks for an equal piece of the earlier content, in both directions.
_WINDOW_PIECES, _READ_PIECES = 1 << 15, 1 << 10
_LONG_RUN = 4  # pieces; after it, both contents are taken to be at the same place


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


class _PieceKey(NamedTuple):
    """Key by which pieces are compared: those with one key differ in a number only.

    Attributes:
        digest: Digest of the piece without the number that its place ends with.
        number: That number; -1 for none.
    """

    digest: bytes
    number: int


class _BaseWindow:
    """Pieces of the earlier content around the place that the new content has reached.

    Attributes:
        end: Number of pieces read so far.
    """

    def __init__(self, earlier: EarlierObject) -> None:
        """Begin before the first piece."""
        self._pieces = iterate_replaced(earlier.content, earlier.old, earlier.new)
        self._keys: list[_PieceKey] = []
        self._offsets = [0]  # where each piece starts, and where the last one ends
        self._where: dict[bytes, int] = {}
        self._first = self._nearest = 0
        self.end = 0

    def read_to(self, index: int) -> None:
        """Read up to a piece, and drop what is too far behind.

        Raises:
            ValueError: The earlier content is damaged.
        """
        for piece in itertools.islice(self._pieces, max(index - self.end, 0)):
            key = _compute_key(piece)
            self._keys.append(key)
            self._offsets.append(self._offsets[-1] + len(piece))
            self._where.setdefault(key.digest, self.end)
            self.end += 1
            if len(self._keys) > 3 * _WINDOW_PIECES:
                self._drop(_WINDOW_PIECES)

    def _drop(self, count: int) -> None:
        """Drop the first pieces."""
        for index, key in enumerate(self._keys[:count], self._first):
            if self._where.get(key.digest) == index:
                del self._where[key.digest]
        del self._keys[:count], self._offsets[:count]
        self._first += count

    def compare(self, index: int, key: _PieceKey) -> int | None:
        """Compare the piece at an index.

        Returns:
            By how much the number of the other one is greater; 0 without a number, and
            None where it cannot be copied: it differs, or is too far away.
        """
        at = index - self._first
        if not 0 <= at < len(self._keys) or self._offsets[at] < self._nearest:
            return None
        digest, number = self._keys[at]
        if digest != key.digest or (number < 0) != (key.number < 0):
            return None
        return key.number - number

    def find(self, key: _PieceKey) -> int:
        """Find a piece that can be copied; -1 for none."""
        found = self._where.get(key.digest, LITERAL)
        return found if self.compare(found, key) is not None else LITERAL

    def mark_copied(self, end: int) -> None:
        """Note the end of a run of copied pieces: a reader keeps only what is near it."""
        offset = self._offsets[end - self._first]
        self._nearest = max(self._nearest, offset - MAX_BYTES_BEHIND)


class DifferenceEncoder:
    """Encoder of one content as a difference, which receives it in parts."""

    def __init__(self, earlier: EarlierObject) -> None:
        """Begin; the earlier content is read as the new one arrives."""
        self._earlier = earlier
        self._before = _BaseWindow(earlier)
        self._split = PieceSplitter()
        self._size = self._literal_size = 0
        self._literals: list[bytes] = []
        self._parts: list[tuple[int, ...]] = []
        self._start, self._count = LITERAL, 0  # the run of pieces that continues
        self._shift: int | None = None  # of their numbers; None until there is one
        self._reached = (
            0  # piece of the earlier content where the run starts, presumably
        )
        self._is_useless = False

    def add(self, part: bytes) -> None:
        """Add the next part of the content."""
        self._size += len(part)
        self._match_pieces(self._split.add(part))

    def encode(self) -> bytes | None:
        """Encode the difference; None if it would save too little."""
        self._match_pieces(self._split.end())
        self._end_run()
        try:  # the digest of the earlier content is compared at its end
            self._before.read_to(sys.maxsize)
        except ValueError:
            return None
        too_much = self._literal_size * _MIN_SAVING > self._size
        if self._is_useless or self._size < _MIN_BYTES or too_much:
            return None
        earlier = self._earlier
        head = DifferenceParts(earlier.digest, earlier.old, earlier.new, self._parts)
        content = msgspec.json.encode(head) + b"\n" + BETWEEN.join(self._literals)
        compressor = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True)
        return wrap_object_file(
            DIFFERENCE_HEADER + VERSION + compressor.compress(content)
        )

    def _match_pieces(self, pieces: Iterable[bytes]) -> None:
        """Extend the runs of equal pieces, and of pieces only in the new content."""
        if self._is_useless:
            return
        try:
            for piece in pieces:
                self._match_piece(piece)
        except ValueError:  # the earlier content is damaged
            self._is_useless = True
        if self._is_useless or self._literal_size > _MAX_LITERAL_BYTES:
            self._is_useless = True
            self._literals.clear()

    def _match_piece(self, piece: bytes) -> None:
        """Extend the current run, or end it and begin another."""
        before, key = self._before, _compute_key(piece)
        wanted = self._reached + self._count + _WINDOW_PIECES
        if before.end < wanted:
            before.read_to(wanted + _READ_PIECES)
        start = self._start
        if start == LITERAL or not self._continues(start + self._count, key):
            start = self._find_piece(key)
            if start != LITERAL or self._start != LITERAL:
                self._end_run()
        if start == LITERAL:
            self._literals.append(piece)
            self._literal_size += len(piece)
        if not self._count:
            self._start, self._shift = start, None
        if start != LITERAL and self._shift is None and key.number >= 0:
            self._shift = before.compare(start + self._count, key)
        self._count += 1

    def _continues(self, index: int, key: _PieceKey) -> bool:
        """Return whether a piece is the next one of the run, with the same shift."""
        shift = self._before.compare(index, key)
        if shift is None or key.number < 0:
            return shift is not None
        return self._shift in (None, shift)

    def _find_piece(self, key: _PieceKey) -> int:
        """Find an equal piece: where one was replaced or inserted, else anywhere near."""
        for index in (self._reached + self._count, self._reached):
            if self._before.compare(index, key) is not None:
                return index
        return self._before.find(key)

    def _end_run(self) -> None:
        """End the run of pieces."""
        start, count = self._start, self._count
        if count:
            self._parts.append((start, count, self._shift or 0))
        if count and start != LITERAL:
            self._before.mark_copied(start + count)
        if start != LITERAL and (count >= _LONG_RUN or start == self._reached):
            self._reached = start
        self._reached += count
        self._count = 0


def _compute_key(piece: bytes) -> _PieceKey:
    """Compute the key by which pieces are compared."""
    head, number, tail = split_at_number(piece)
    digest = hashlib.blake2b(head + tail, digest_size=16).digest()
    return _PieceKey(digest, int(number) if number else -1)


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
    """Start to encode a difference; None if there is no earlier object."""
    return DifferenceEncoder(earlier) if earlier is not None else None
