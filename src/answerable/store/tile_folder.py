"""Folder with the tiles of a log, in the layout that C2SP tlog-tiles serves.

Tiles are written before the checkpoint, so each checkpoint in the folder has its tiles.
Files are readable by all: a static web server serves them.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path

from answerable.evidence.log_tiles import (
    TILE_WIDTH,
    compute_changed_tiles,
    entries_path,
    list_tile_widths,
    pack_entries,
)
from answerable.evidence.merkle import leaf_hash
from answerable.model.errors import EnvironmentFailure
from answerable.store.durable_files import read_file, translate_os_errors, write_file

_PUBLIC_FILE = 0o644


def read_tile_file(folder: Path, path: str) -> bytes | None:
    """Read a file of the log; None if it is missing.

    Raises:
        EnvironmentFailure: It cannot be read.
    """
    try:
        return read_file(folder / path)
    except (FileNotFoundError, NotADirectoryError):
        return None


def write_tile_folder(folder: Path, entries: Sequence[bytes], note: bytes) -> None:
    """Write the tiles that are missing or differ, then the checkpoint.

    Partial tiles of earlier checkpoints stay until the full tile exists.

    Raises:
        EnvironmentFailure: The disk cannot be written.
    """
    files = {
        entries_path(index, width): pack_entries(
            entries[index * TILE_WIDTH : index * TILE_WIDTH + width]
        )
        for index, width in list_tile_widths(len(entries))
    }
    files |= compute_changed_tiles(0, [leaf_hash(entry) for entry in entries])
    for path, data in files.items():
        if not (folder / path).is_file() or read_tile_file(folder, path) != data:
            _write_tile_file(folder, path, data)
    _write_tile_file(folder, "checkpoint", note)


def _write_tile_file(folder: Path, path: str, data: bytes) -> None:
    """Write one file, and delete the partial tiles that a full one replaces."""
    file = folder / path
    with translate_os_errors("write", file):
        file.parent.mkdir(parents=True, exist_ok=True)
        write_file(file, data)
        file.chmod(_PUBLIC_FILE)
        partial = file.with_name(f"{file.name}.p")
        if partial.is_dir():
            shutil.rmtree(partial)


def read_tile_checkpoint(folder: Path) -> bytes:
    """Read the checkpoint of a folder; empty if there is none.

    Raises:
        EnvironmentFailure: The folder contains something else, or cannot be read.
    """
    note = read_tile_file(folder, "checkpoint")
    if note is None and folder.is_dir() and any(folder.iterdir()):
        raise EnvironmentFailure(
            f"{folder} is not empty and contains no log",
            "name a new folder, or the one of an earlier run",
        )
    return note or b""
