"""Merkle tree of a log that is read from its tiles (C2SP tlog-tiles).

A proof needs few tiles, whatever the size of the log: the hash of an aligned subtree is
in one tile, and any other range is split as RFC 6962 2.1 splits it.
"""

from collections.abc import Callable, Sequence

from answerable.evidence.checkpoint import Checkpoint
from answerable.evidence.log_tiles import (
    TILE_WIDTH,
    compute_changed_tiles,
    entries_path,
    list_tile_widths,
    tile_path,
    unpack_entries,
)
from answerable.evidence.merkle import (
    EMPTY_ROOT,
    consistency_ranges,
    inclusion_ranges,
    leaf_hash,
    merkle_root,
    node_hash,
    split_point,
)
from answerable.model.errors import VerificationError

_HASH_BYTES = 32
_TILE_LEVELS = 8  # levels of the tree in one tile


class TileTree:
    """Tree of a checkpoint.

    Args:
        checkpoint: The checkpoint; its signature was verified.
        read: Reads a path of the log; None if there is no such file.
    """

    def __init__(
        self, checkpoint: Checkpoint, read: Callable[[str], bytes | None]
    ) -> None:
        self.checkpoint = checkpoint
        self._size = checkpoint.size
        self._read = read
        self._tiles: dict[tuple[int, int], bytes] = {}

    def root(self, low: int = 0, high: int = -1) -> bytes:
        """Return the root of a range of leaves, by default of the whole tree.

        Raises:
            VerificationError: A tile is missing or malformed.
        """
        high = self._size if high < 0 else high
        width = high - low
        if not width:
            return EMPTY_ROOT
        if width & width - 1 == 0 and low % width == 0:
            return self._aligned_root(low, width.bit_length() - 1)
        middle = low + split_point(width)
        return node_hash(self.root(low, middle), self.root(middle, high))

    def inclusion_path(self, index: int) -> list[bytes]:
        """Return the inclusion proof of a leaf."""
        return [self.root(*each) for each in inclusion_ranges(index, self._size)]

    def consistency_path(self, old_size: int) -> list[bytes]:
        """Return the proof that the tree extends the one of its first leaves."""
        ranges = consistency_ranges(old_size, self._size)
        return [self.root(*each) for each in ranges]

    def entries(self) -> list[bytes]:
        """Read all entries, after comparing them with every tile and the root.

        Raises:
            VerificationError: A tile or entry bundle is missing or differs.
        """
        entries: list[bytes] = []
        for index, width in list_tile_widths(self._size):
            data = self._read_path(entries_path, index, width)
            entries += unpack_entries(*data)[:width]
        leaves = [leaf_hash(entry) for entry in entries]
        for path, tile in compute_changed_tiles(0, leaves).items():
            level, index = _parse_tile_path(path)
            if self._read_tile(level, index) != tile:
                raise VerificationError(f"{path} does not match the entries")
        if merkle_root(leaves) != self.checkpoint.root:
            raise VerificationError("the entries do not match the checkpoint's root")
        return entries

    def _aligned_root(self, low: int, height: int) -> bytes:
        """Return the root of 2^height leaves from `low`, a multiple of that."""
        level, inner = divmod(height, _TILE_LEVELS)
        index, place = divmod(low >> _TILE_LEVELS * level, TILE_WIDTH)
        tile = self._read_tile(level, index)
        hashes = _split_hashes(tile)[place : place + (1 << inner)]
        return merkle_root(hashes)

    def _read_tile(self, level: int, index: int) -> bytes:
        """Read a tile, with as many hashes as the tree has in it."""
        if (level, index) not in self._tiles:
            count = self._size >> _TILE_LEVELS * level
            width = min(TILE_WIDTH, count - index * TILE_WIDTH)
            path = _level_path(level)
            data, wide = self._read_path(path, index, width)
            if len(data) != wide * _HASH_BYTES:
                raise VerificationError(f"{path(index, wide)} has the wrong size")
            self._tiles[level, index] = data[: width * _HASH_BYTES]
        return self._tiles[level, index]

    def _read_path(
        self, path: Callable[[int, int], str], index: int, width: int
    ) -> tuple[bytes, int]:
        """Read a tile or entry bundle; the full one may have replaced a partial one."""
        for wide in (width, TILE_WIDTH):
            data = self._read(path(index, wide))
            if data is not None:
                return data, wide
        raise VerificationError(
            f"{path(index, width)} is missing", "copy the tiles of the log again"
        )


def _level_path(level: int) -> Callable[[int, int], str]:
    """Return the function that builds the paths of the tiles of a level."""
    return lambda index, width: tile_path(level, index, width)


def _split_hashes(data: bytes) -> Sequence[bytes]:
    """Split a tile into its hashes."""
    return [data[at : at + _HASH_BYTES] for at in range(0, len(data), _HASH_BYTES)]


def _parse_tile_path(path: str) -> tuple[int, int]:
    """Parse the level and the index of a tile path."""
    _, level, *parts = path.partition(".p/")[0].split("/")
    index = 0
    for part in parts:
        index = index * 1000 + int(part.removeprefix("x"))
    return int(level), index
