"""Write and read sorted key-value files: immutable, memory-mapped, with a MAC.

Derived state of any size is looked up by key without reading the rest. Several
processes share the mapped pages. The file is replaced as a whole, by rename.

    magic | length of the index | MAC of the index | index | blocks

Each block holds a run of sorted rows, compressed, with a keyed BLAKE2b in the index, so
that a changed file is never used: it reads as missing and is derived again.
"""

import bisect
import contextlib
import hashlib
import hmac
import itertools
import mmap
import struct
import threading
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Generic, TypeVar

import msgspec
import zstandard

from answerable.model.errors import DerivedFileError
from answerable.store.durable_files import open_regular_file

_MAGIC = b"ansblk1\n"
_MAC_BYTES = 16
_HEADER = struct.Struct(f">8sQ{_MAC_BYTES}s")
_BLOCK_BYTES = 32_768
_MAX_CACHED_BLOCKS = 128  # blocks of a section that stay in memory
RowT = TypeVar("RowT")


class _BlockEntry(msgspec.Struct, frozen=True, array_like=True):
    """Index entry of one block: position and MAC.

    Attributes:
        first: Its first key.
        at: Offset in bytes from the first block.
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
    generation: str
    sections: dict[str, list[_BlockEntry]]


class BlockFileError(Exception):
    """Unusable block file: missing, truncated, changed, or of another generation."""


_Rows = list[tuple[str, msgspec.Raw]]
_ROWS: msgspec.msgpack.Decoder[_Rows] = msgspec.msgpack.Decoder(_Rows)
_INDEX = msgspec.msgpack.Decoder(_BlockIndex)
_ENCODER = msgspec.msgpack.Encoder()


def encode_block_file(
    generation: str,
    sections: Mapping[str, Iterable[tuple[str, object]]],
    key: bytes,
) -> bytes:
    """Encode named sections of rows as a block file: compressed, each block with a MAC.

    Args:
        generation: Names the input that the rows were derived from.
        sections: Rows by section, each with keys ascending and unique.
        key: MAC key, at most 64 bytes.

    Raises:
        ValueError: The keys of a section do not ascend.
    """
    compress = zstandard.ZstdCompressor(level=1).compress
    blocks: list[bytes] = []
    listed: dict[str, list[_BlockEntry]] = {}
    at = 0
    for name, rows in sections.items():
        listed[name] = []
        for run in _split_into_blocks(rows):
            body = compress(_ENCODER.encode(run))
            first = run[0][0]
            listed[name].append(
                _BlockEntry(
                    first, at, len(body), len(run), _compute_block_mac(body, key)
                )
            )
            blocks.append(body)
            at += len(body)
    index = compress(_ENCODER.encode(_BlockIndex(generation, listed)))
    return b"".join(
        (
            _HEADER.pack(_MAGIC, len(index), _compute_block_mac(index, key)),
            index,
            *blocks,
        )
    )


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
        """Map a file and read its index.

        Raises:
            BlockFileError: It is missing, changed, of another generation, or not
                readable.
        """
        self._key = key
        try:
            with open_regular_file(path) as file:
                self._bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise BlockFileError(f"{path.name} is missing") from error
        try:
            magic, size, mac = _HEADER.unpack(self._bytes[: _HEADER.size])
            self._start = _HEADER.size + size
            index = self._bytes[_HEADER.size : self._start]
            if magic != _MAGIC or not hmac.compare_digest(
                mac, _compute_block_mac(index, key)
            ):
                raise BlockFileError(f"{path.name} was changed")
            self._index = _INDEX.decode(_decompress(index))
        except (struct.error, msgspec.MsgspecError, zstandard.ZstdError) as error:
            raise BlockFileError(f"{path.name} was changed") from error
        blocks = (b for listed in self._index.sections.values() for b in listed)
        ends = max((block.at + block.size for block in blocks), default=0)
        if len(self._bytes) != self._start + ends:
            raise BlockFileError(f"{path.name} is truncated")
        if self._index.generation != generation:
            raise BlockFileError(
                f"{path.name} belongs to another generation of the index"
            )
        self._path = path

    def section(self, name: str, kind: type[RowT]) -> "BlockSection[RowT]":
        """Return the named section of rows; an unknown one is empty."""
        return BlockSection(self, self._index.sections.get(name, []), kind)

    def read_block(self, block: _BlockEntry) -> _Rows:
        """Read a block, verify its MAC and decode its rows.

        Raises:
            DerivedFileError: The block is changed or truncated; the file was deleted,
                so that the next query derives it again.
        """
        at = self._start + block.at
        body = self._bytes[at : at + block.size]
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
        if key in self._found:
            return self._found[key]
        raw = self._find_encoded_row(key)
        if raw is None:
            raise KeyError(key)
        value = self._decode(raw)
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

    def iter_rows(self) -> Iterator[tuple[str, RowT]]:
        """Yield every row in key order, without caching."""
        for block in self._blocks:
            for key, raw in self._file.read_block(block):
                yield key, self._decode(raw)
