"""Write a Parquet file of selected rows, and delete files that the log made obsolete."""

import hashlib
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from answerable.evidence.log_entries import (
    LogEntry,
    SegmentState,
    read_segment_states,
)
from answerable.store.duckdb_engine import DuckDbEngine, quote_text
from answerable.store.durable_files import (
    choose_file_mode,
    make_store_folder,
    mark_crash_point,
    sync_file,
    sync_folder,
    translate_os_errors,
)
from answerable.store.store_layout import StoreLayout

# DuckDB reads a row group whole, even for one row; it holds whole vectors of 2,048. A
# column with fewer distinct values than the limit has a dictionary, and a Bloom filter
# by which a search for one resource leaves out row groups: two thirds of the rows.
PARQUET_OPTIONS = (
    "FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, ROW_GROUP_SIZE 4096, "
    "DICTIONARY_SIZE_LIMIT 2700"
)


_SEGMENT_FILE = re.compile(
    r"\.?(?P<segment>[0-9a-f]{32})(-(?P<number>[0-9]{1,9}))?\.[a-z.]+"
)


def copy_rows_to_segment(
    layout: StoreLayout, engine: DuckDbEngine, query: str, target: tuple[str, str]
) -> str:
    """Write the rows of a query to a segment's Parquet file, durably.

    Args:
        layout: Layout of the store.
        engine: Engine that runs the query.
        query: Trusted SQL that gives the columns of a segment.
        target: Day and name of the segment.

    Returns:
        SHA-256 of the file, hex.

    Raises:
        EnvironmentFailure: The disk is full or fails; no file is left.
    """
    file = layout.segment_file(*target, ".parquet")
    temp_path = file.with_name(f".{file.name}.new")
    make_store_folder(file.parent)
    with translate_os_errors("write", file):
        try:
            # A process of another user may have been killed here.
            temp_path.unlink(missing_ok=True)
            mark_crash_point("segment-parquet-write")
            engine.run(
                f"COPY ({query}) TO {quote_text(str(temp_path.absolute()))} "
                f"({PARQUET_OPTIONS})"
            )
            temp_path.chmod(choose_file_mode(file.parent))
            sync_file(temp_path)
            digest = hashlib.sha256(temp_path.read_bytes()).hexdigest()
            temp_path.replace(file)
            sync_folder(file.parent)
        except BaseException:
            # A full disk needs every byte back.
            temp_path.unlink(missing_ok=True)
            raise
    return digest


def delete_obsolete_files(layout: StoreLayout, entries: Iterable[LogEntry]) -> int:
    """Delete segment files that committed entries made obsolete; return their number.

    Raises:
        EnvironmentFailure: A file cannot be deleted; the step may be repeated.
    """
    paths = list_obsolete_files(layout, read_segment_states(entries))
    return delete_files(map(Path, paths))


def delete_files(paths: Iterable[Path]) -> int:
    """Delete files durably; return the number of deleted ones.

    Raises:
        EnvironmentFailure: A file cannot be deleted.
    """
    folders: set[Path] = set()
    count = 0
    for path in paths:
        with translate_os_errors("remove", path), suppress(FileNotFoundError):
            path.unlink()
            folders.add(path.parent)
            count += 1
    for folder in folders:
        with translate_os_errors("write", folder):
            sync_folder(folder)
    return count


def list_unfinished_files(
    layout: StoreLayout, states: Sequence[SegmentState]
) -> list[Path]:
    """List segment files that no log entry names: what an interrupted command left.

    Segments are written and committed under the lock of the log, so its holder
    may delete them. A store in object storage has none: its folder is a cache.
    """
    if layout.remote is not None:
        return []
    removals = {
        each.manifest.segment: each.removal.number if each.removal else 0
        for each in states
    }
    found: list[Path] = []
    for path in sorted(layout.segments.glob("day=*/*")):
        parts = _SEGMENT_FILE.fullmatch(path.name)
        if parts is None:
            continue
        number = removals.get(parts["segment"])
        if (
            path.name.startswith(".")
            or number is None
            or int(parts["number"] or 0) > number
        ):
            found.append(path)
    return found


def delete_unfinished_files(layout: StoreLayout, entries: Iterable[LogEntry]) -> None:
    """Delete the files that interrupted commands left; the log's lock is held.

    Raises:
        EnvironmentFailure: A file cannot be deleted; the step may be repeated.
    """
    delete_files(list_unfinished_files(layout, read_segment_states(entries)))


def list_obsolete_files(
    layout: StoreLayout, states: Sequence[SegmentState]
) -> list[str]:
    """List the paths of segment files that a committed entry has made obsolete.

    They remain after a crash between the commit and the deletion.
    """
    found: list[str] = []
    for state in states:
        manifest = state.manifest
        stems: list[tuple[str, tuple[str, ...]]] = []
        if state.compacted:
            stems.append((manifest.segment, (".parquet", ".leaves", ".manifest.json")))
        elif state.removal is not None:
            stems.append((manifest.segment, (".parquet",)))
            stems += [
                (f"{manifest.segment}-{number}", (".parquet", ".removed"))
                for number in range(1, state.removal.number)
            ]
        found += [
            str(path)
            for stem, endings in stems
            for ending in endings
            if (path := layout.segment_file(manifest.day, stem, ending)).exists()
        ]
    return found
