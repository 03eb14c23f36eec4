"""Compute tiles and entry bundles of the log (C2SP tlog-tiles)."""

from collections.abc import Iterator, Sequence

from answerable.model.errors import VerificationError

TILE_WIDTH = 256
_MAX_ENTRY_SIZE = (1 << 16) - 1


def _encode_tile_index(index: int) -> str:
    """Encode a tile index as path segments (C2SP tlog-tiles)."""
    text = f"{index % 1000:03d}"
    while index := index // 1000:
        text = f"x{index % 1000:03d}/{text}"
    return text


def tile_path(level: int, index: int, width: int = TILE_WIDTH) -> str:
    """Build the path `tile/L/N[.p/W]` of a hash tile."""
    partial = f".p/{width}" if width < TILE_WIDTH else ""
    return f"tile/{level}/{_encode_tile_index(index)}{partial}"


def entries_path(index: int, width: int = TILE_WIDTH) -> str:
    """Build the path `tile/entries/N[.p/W]` of an entry bundle."""
    partial = f".p/{width}" if width < TILE_WIDTH else ""
    return f"tile/entries/{_encode_tile_index(index)}{partial}"


def list_tile_widths(count: int) -> Iterator[tuple[int, int]]:
    """List (index, width) of the tiles that hold `count` hashes or entries."""
    full, rest = divmod(count, TILE_WIDTH)
    yield from ((index, TILE_WIDTH) for index in range(full))
    if rest:
        yield full, rest


def pack_entries(entries: Sequence[bytes]) -> bytes:
    """Concatenate entries, each after its length in two bytes, big endian.

    Raises:
        ValueError: An entry is longer than 65,535 bytes.
    """
    if any(len(entry) > _MAX_ENTRY_SIZE for entry in entries):
        raise ValueError("a log entry must not exceed 65,535 bytes")
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def split_bundle(data: bytes) -> list[bytes]:
    """Split an entry bundle into its entries.

    Raises:
        VerificationError: It is truncated.
    """
    entries, at = [], 0
    while at < len(data):
        end = at + 2 + int.from_bytes(data[at : at + 2], "big")
        if end > len(data) or at + 2 > len(data):
            raise VerificationError("an entry bundle is truncated")
        entries.append(data[at + 2 : end])
        at = end
    return entries


def unpack_entries(data: bytes, count: int) -> list[bytes]:
    """Split an entry bundle of a known number of entries.

    Raises:
        VerificationError: It does not hold exactly `count` entries.
    """
    entries = split_bundle(data)
    if len(entries) != count:
        raise VerificationError("an entry bundle has the wrong length")
    return entries


def compute_changed_tiles(old_size: int, leaves: Sequence[bytes]) -> dict[str, bytes]:
    """Compute every hash tile that changes when a tree grows.

    Args:
        old_size: Number of leaves before.
        leaves: All leaf hashes after.

    Returns:
        Tile contents by path, lower levels first.
    """
    from answerable.evidence.merkle import merkle_root

    changed: dict[str, bytes] = {}
    hashes, level = list(leaves), 0
    while hashes:
        for index, width in list_tile_widths(len(hashes)):
            if index * TILE_WIDTH + width > old_size:
                start = index * TILE_WIDTH
                tile = b"".join(hashes[start : start + width])
                changed[tile_path(level, index, width)] = tile
        full = len(hashes) // TILE_WIDTH
        hashes = [
            merkle_root(hashes[i * TILE_WIDTH : (i + 1) * TILE_WIDTH])
            for i in range(full)
        ]
        old_size //= TILE_WIDTH
        level += 1
    return changed
