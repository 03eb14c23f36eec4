"""Read the files of the log that a server publishes (C2SP tlog-tiles).

The store deletes a partial tile when a wider one replaces it. A client that has an older
checkpoint still asks for the narrower one, so it is cut from the wider tile.

Source: https://c2sp.org/tlog-tiles
"""

import re
from pathlib import Path

from answerable.evidence.log_tiles import TILE_WIDTH, pack_entries, split_bundle
from answerable.model.errors import EnvironmentFailure, VerificationError
from answerable.store.durable_files import read_file
from answerable.store.store_keys import parse_own_checkpoint
from answerable.store.store_layout import StoreLayout

_HASH_BYTES = 32
_MAX_LEVEL = 7  # 256^8 entries
_TILE = re.compile(
    r"tile/(?P<level>entries|[0-9])/"
    r"(?P<index>(?:x[0-9]{3}/){0,5}[0-9]{3})"
    r"(?P<partial>\.p/(?P<width>[1-9][0-9]{0,2}))?"
)
_READS = 3  # of a tile that an append replaces meanwhile


def read_published_file(layout: StoreLayout, path: str) -> bytes | None:
    """Read `checkpoint` or a tile that the checkpoint covers; None for all else.

    Raises:
        EnvironmentFailure: The file cannot be read.
        VerificationError: The checkpoint or an entry bundle is damaged.
    """
    if path == "checkpoint":
        return _read_optional(layout.log / path)
    named = _TILE.fullmatch(path)
    if named is None:
        return None
    level, width = named["level"], int(named["width"] or TILE_WIDTH)
    number = 0 if level == "entries" else int(level)
    index = int(named["index"].replace("x", "").replace("/", ""))
    is_canonical = not named["index"].startswith("x000")
    note = _read_optional(layout.log / "checkpoint")
    if note is None or number > _MAX_LEVEL or not is_canonical:
        return None
    is_partial = named["partial"] is not None
    end = (index * TILE_WIDTH + width) << 8 * number
    if (
        is_partial == (width >= TILE_WIDTH)
        or end > parse_own_checkpoint(note, None).size
    ):
        return None
    full = layout.log / f"tile/{level}/{named['index']}"
    for _ in range(_READS):
        data = _read_wide_tile(full, width)
        if data is not None:
            return _cut_tile(data, width, is_bundle=level == "entries")
    return None


def _read_wide_tile(full: Path, width: int) -> bytes | None:
    """Read the narrowest tile on disk that has at least `width` hashes or entries."""
    folder = full.with_name(f"{full.name}.p")
    try:
        names = [each.name for each in folder.iterdir() if each.name.isdigit()]
    except (FileNotFoundError, NotADirectoryError):
        names = []
    except OSError as error:
        raise EnvironmentFailure(
            f"cannot read {folder}: {error.strerror}", "check its permissions"
        ) from None
    widths = sorted(int(name) for name in names if int(name) >= width)
    if widths:
        return _read_optional(folder / str(widths[0]))
    return _read_optional(full)


def _cut_tile(data: bytes, width: int, *, is_bundle: bool) -> bytes:
    """Keep the first hashes of a tile, or the first entries of a bundle.

    Raises:
        VerificationError: The tile is shorter.
    """
    if is_bundle:
        return pack_entries(split_bundle(data)[:width])
    if len(data) < width * _HASH_BYTES:
        raise VerificationError("a tile of the log is too short")
    return data[: width * _HASH_BYTES]


def _read_optional(file: Path) -> bytes | None:
    """Read a file; None if it is missing.

    Raises:
        EnvironmentFailure: It cannot be read.
    """
    try:
        return read_file(file)
    except (FileNotFoundError, NotADirectoryError):
        return None
