"""Write and read sorted key-value files: immutable, read by block, with a MAC.

Derived state of any size is looked up by key without reading the rest. The file is
replaced as a whole, by rename; an open one stays as it was.

    blocks | index | magic, length of the index, MAC of the index

It is written from beginning to end, so that its rows are never in memory together. Each
block holds a run of sorted rows, compressed, with a keyed BLAKE2b in the index, so
that a changed file is never used: it reads as missing and is derived again.
"""

import bisect
import contextlib
import hashlib
import hmac
import itertools
import os
import struct
import threading
import weakref
from collections.abc import ItemsView, Iterable, Iterator, Mapping, ValuesView
from pathlib import Path
from typing import Generic, TypeVar

import msgspec
import zstandard

from answerable.model.errors import DerivedFileError
from answerable.store.durable_files import open_regular_file

_MAGIC = b"ansblk2\n"
_MAC_BYTES = 16
_TRAILER = struct.Struct(f">8sQ{_MAC_BYTES}s")
_BLOCK_BYTES = 32_768
_PART_BYTES = 1 << 20  # written at a time
_MOST_KEPT_ROWS = 2_000  # of a section whose rows are all read
_MOST_FOUND_ROWS = 8_192  # of a section whose rows are read by key
_MAX_CACHED_BLOCKS = 128  # blocks of a section that stay in memory
RowT = TypeVar("RowT")


class _BlockEntry(msgspec.Struct, frozen=True, array_like=True):
    """Index entry of one block: position and MAC.

    Attributes:
        first: Its first key.
        at: Offset in the file, in bytes.
        size: Bytes of the block.
        rows: Rows in it.
        mac: Keyed BLAKE2b of its bytes.
    """

    first: str
    at: int
    size: int
    rows: int
    mac: bytes


class _BlockIndex(msgspec.Struct, frozen=True, array_like=True):
    """Index of a file.

    Attributes:
        generation: Names the input that the rows were derived from.
        sections: List of the blocks of each section, encoded: a query opens few.
    """

    generation: str
    sections: dict[str, msgspec.Raw]


class BlockFileError(Exception):
    """Unusable block file: missing, truncated, changed, or of another generation."""


_Rows = list[tuple[str, msgspec.Raw]]
_ROWS: msgspec.msgpack.Decoder[_Rows] = msgspec.msgpack.Decoder(_Rows)
_BLOCK_ENTRIES = msgspec.msgpack.Decoder(list[_BlockEntry])
_INDEX = msgspec.msgpack.Decoder(_BlockIndex)
_ENCODER = msgspec.msgpack.Encoder()


def encode_block_file(
    generation: str,
    sections: Mapping[str, Iterable[tuple[str, object]]],
    key: bytes,
) -> Iterator[bytes]:
    """Encode named sections of rows as a block file: compressed, each block with a MAC.

    Args:
        generation: Names the input that the rows were derived from.
        sections: Rows by section, each with keys ascending and unique.
        key: MAC key, at most 64 bytes.

    Returns:
        The file in parts; the rows are read while the parts are taken.

    Raises:
        ValueError: The keys of a section do not ascend.
    """
    compress = zstandard.ZstdCompressor(level=1).compress
    part: list[bytes] = []
    waiting = at = 0
    listed: dict[str, msgspec.Raw] = {}
    for name, rows in sections.items():
        entries: list[_BlockEntry] = []
        for run in _split_into_blocks(rows):
            body = compress(_ENCODER.encode(run))
            mac = _compute_block_mac(body, key)
            entries.append(_BlockEntry(run[0][0], at, len(body), len(run), mac))
            part.append(body)
            at += len(body)
            waiting += len(body)
            if waiting >= _PART_BYTES:
                yield b"".join(part)
                part, waiting = [], 0
        listed[name] = msgspec.Raw(_ENCODER.encode(entries))
    index = compress(_ENCODER.encode(_BlockIndex(generation, listed)))
    trailer = _TRAILER.pack(_MAGIC, len(index), _compute_block_mac(index, key))
    yield b"".join((*part, index, trailer))


def _split_into_blocks(rows: Iterable[tuple[str, object]]) -> Iterator[_Rows]:
    """Split sorted rows into blocks of limited size; keys must ascend."""
    run: _Rows = []
    size, before = 0, None
    for key, value in rows:
        if before is not None and key <= before:
            raise ValueError(
                f"keys are not in ascending order (got {key!r} after {before!r})"
            )
        before = key
        encoded = _ENCODER.encode(value)
        run.append((key, msgspec.Raw(encoded)))
        size += len(key) + len(encoded)
        if size >= _BLOCK_BYTES:
            yield run
            run, size = [], 0
    if run:
        yield run


def _compute_block_mac(body: bytes, key: bytes) -> bytes:
    """Compute the keyed BLAKE2b of a block or of the index."""
    return hashlib.blake2b(body, digest_size=_MAC_BYTES, key=key).digest()


_thread_state = threading.local()


def _decompress(body: bytes) -> bytes:
    """Decompress a block or the index; each thread reuses its decompressor."""
    found: zstandard.ZstdDecompressor | None = getattr(
        _thread_state, "decompressor", None
    )
    if found is None:
        found = _thread_state.decompressor = zstandard.ZstdDecompressor()
    return found.decompress(body)


class BlockFile:
    """Open block file."""

    def __init__(self, path: Path, generation: str, key: bytes) -> None:
        """Open a file and read its index.

        Raises:
            BlockFileError: It is missing, changed, of another generation, or not
                readable.
        """
        self._key = key
        self._blocks: dict[str, list[_BlockEntry]] = {}
        try:
            with open_regular_file(path) as file:
                self._handle = os.dup(file.fileno())
        except OSError as error:
            raise BlockFileError(f"{path.name} is missing") from error
        weakref.finalize(self, os.close, self._handle)
        try:
            end = os.fstat(self._handle).st_size - _TRAILER.size
            magic, size, mac = _TRAILER.unpack(self._read(end, _TRAILER.size))
            index = self._read(end - size, size)
            if magic != _MAGIC or not hmac.compare_digest(
                mac, _compute_block_mac(index, key)
            ):
                raise BlockFileError(f"{path.name} was changed")
            self._index = _INDEX.decode(_decompress(index))
        except (struct.error, msgspec.MsgspecError, zstandard.ZstdError) as error:
            raise BlockFileError(f"{path.name} was changed") from error
        if self._index.generation != generation:
            raise BlockFileError(
                f"{path.name} belongs to another generation of the index"
            )
        self._path = path

    def section(self, name: str, kind: type[RowT]) -> "BlockSection[RowT]":
        """Return the named section of rows; an unknown one is empty."""
        blocks = self._blocks.get(name)
        if blocks is None:
            listed = self._index.sections.get(name)
            blocks = [] if listed is None else _BLOCK_ENTRIES.decode(listed)
            self._blocks[name] = blocks
        return BlockSection(self, blocks, kind)

    def _read(self, at: int, size: int) -> bytes:
        """Read bytes of the file; none before its beginning."""
        return os.pread(self._handle, size, at) if at >= 0 else b""

    def read_block(self, block: _BlockEntry) -> _Rows:
        """Read a block, verify its MAC and decode its rows.

        Raises:
            DerivedFileError: The block is changed or truncated; the file was deleted,
                so that the next query derives it again.
        """
        body = self._read(block.at, block.size)
        if not hmac.compare_digest(block.mac, _compute_block_mac(body, self._key)):
            with contextlib.suppress(OSError):
                self._path.unlink(missing_ok=True)
            name = f"derived/{self._path.name}"
            raise DerivedFileError(
                f"{name} was changed",
                f"run it again: {name} is derived again, or remove it from the store",
            )
        return _ROWS.decode(_decompress(body))


class BlockSection(Mapping[str, RowT], Generic[RowT]):
    """Rows of one section by key, decoded on access."""

    def __init__(
        self, file: BlockFile, blocks: list[_BlockEntry], kind: type[RowT]
    ) -> None:
        self._file = file
        self._blocks = blocks
        self._firsts = [block.first for block in blocks]
        self._decode = msgspec.msgpack.Decoder(kind).decode
        self._found: dict[str, RowT] = {}
        self._read: dict[int, dict[str, msgspec.Raw]] = {}
        self._eviction = threading.Lock()  # threads of a server share the section

    def __getitem__(self, key: str) -> RowT:
        found = self._found.get(key)
        if found is not None:
            return found
        raw = self._find_encoded_row(key)
        if raw is None:
            raise KeyError(key)
        value = self._decode(raw)
        if len(self._found) >= _MOST_FOUND_ROWS:
            self._found.clear()
        self._found[key] = value
        return value

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and (
            key in self._found or self._find_encoded_row(key) is not None
        )

    def _find_encoded_row(self, key: str) -> msgspec.Raw | None:
        """Find the encoded row of a key through the block index; None if missing."""
        at = bisect.bisect_right(self._firsts, key) - 1
        if at < 0:
            return None
        rows = self._read.get(at)
        if rows is None:
            rows = dict(self._file.read_block(self._blocks[at]))
            with self._eviction:
                while len(self._read) >= _MAX_CACHED_BLOCKS:
                    del self._read[next(iter(self._read))]
                self._read[at] = rows
        return rows.get(key)

    def __iter__(self) -> Iterator[str]:
        return itertools.chain.from_iterable(
            (key for key, _ in self._file.read_block(block)) for block in self._blocks
        )

    def __len__(self) -> int:
        return sum(block.rows for block in self._blocks)

    def items(self) -> ItemsView[str, RowT]:
        """Return a view of the rows; those of a large section are not kept."""
        return super().items() if self._is_small() else _StreamedItems(self)

    def values(self) -> ValuesView[RowT]:
        """Return a view of the values; those of a large section are not kept."""
        return super().values() if self._is_small() else _StreamedValues(self)

    def _is_small(self) -> bool:
        """Return whether all rows may stay in memory."""
        return len(self) <= _MOST_KEPT_ROWS

    def iter_rows(self, start: str = "", end: str = "") -> Iterator[tuple[str, RowT]]:
        """Yield rows in key order, without caching.

        Args:
            start: First key.
            end: Key before which it ends; empty for none.
        """
        for key, raw in self.iter_encoded_rows(start, end):
            yield key, self._decode(raw)

    def iter_encoded_rows(
        self, start: str = "", end: str = ""
    ) -> Iterator[tuple[str, msgspec.Raw]]:
        """Yield rows in key order as they are encoded, see `iter_rows`."""
        first = max(bisect.bisect_right(self._firsts, start) - 1, 0)
        for block in self._blocks[first:]:
            if end and block.first >= end:
                return
            for key, raw in self._file.read_block(block):
                if key >= start and (not end or key < end):
                    yield key, raw


class _StreamedItems(ItemsView[str, RowT], Generic[RowT]):
    """Rows of a section, decoded at each iteration."""

    _mapping: BlockSection[RowT]

    def __iter__(self) -> Iterator[tuple[str, RowT]]:
        return self._mapping.iter_rows()


class _StreamedValues(ValuesView[RowT], Generic[RowT]):
    """Values of a section, decoded at each iteration."""

    _mapping: BlockSection[RowT]

    def __iter__(self) -> Iterator[RowT]:
        return (value for _, value in self._mapping.iter_rows())
