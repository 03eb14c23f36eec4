"""Verify the segments of a store: file, leaves, manifest, and the leaf of each row."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from answerable.evidence.canonical_event import encode_event
from answerable.evidence.log_entries import (
    LogEntry,
    SegmentManifest,
    SegmentState,
    build_file_stem,
    read_segment_states,
)
from answerable.evidence.merkle import leaf_hash, merkle_root
from answerable.model.errors import EnvironmentFailure, VerificationError
from answerable.store.canonical_sql import build_leaf_inputs_sql
from answerable.store.duckdb_engine import DuckDbEngine, quote_text
from answerable.store.durable_files import read_file
from answerable.store.event_columns import NAMES, decode_event_row
from answerable.store.row_number_encoding import decode_row_numbers
from answerable.store.segment_files import list_obsolete_files, list_unfinished_files
from answerable.store.store_layout import StoreLayout

_LEAF_BYTES = 32
_BATCH_ROWS = 5_000


def check_segments(
    layout: StoreLayout,
    entries: Sequence[LogEntry],
    raw_entries: Sequence[bytes],
    progress: Callable[[int, int, str], None],
    selects: Callable[[SegmentState], bool] = lambda state: True,
) -> str:
    """Check every segment that the log names against its manifest.

    Args:
        layout: Layout of the store.
        entries: Entries of the log.
        raw_entries: Their bytes.
        progress: Called with (done, total, what).
        selects: Whether the files of a segment are checked.

    Raises:
        VerificationError: Names the first invalid record.
    """
    states = read_segment_states(entries)
    if layout.remote is None:
        _require_all_files(layout, states)
    selected = [s for s in states if not s.compacted and selects(s)]
    checked = {state.index for state in selected}
    total = sum(state.manifest.count for state in selected)
    done, previous = 0, ""
    if not states:
        return "nothing is sealed"
    by_name = {state.manifest.segment: state.manifest for state in states}
    engine = DuckDbEngine(layout.segments)
    try:
        for state in states:
            manifest = state.manifest
            if manifest.previous != previous:
                raise VerificationError(
                    f"segment {manifest.segment} does not follow {previous or 'nothing'}"
                )
            previous = manifest.segment
            if state.index not in checked:
                continue
            if layout.remote is not None:
                layout.remote.files.fetch_segment_again(layout.root, manifest)
            leaves = _check_segment(layout, engine, state, raw_entries[state.index])
            if manifest.replaces:
                _check_compaction(layout, manifest, by_name, leaves)
            done += manifest.count
            progress(done, total, "events")
    finally:
        engine.close()
    if left := list_obsolete_files(layout, states):
        raise VerificationError(
            f"{_name_in_store(layout, left[0])} should have been deleted: the log "
            "records its removal",
            "finish the removal: answerable store repair",
        )
    rows = format_count(sum(s.live.count for s in selected if s.live), "event")
    said = f"{rows} in {format_count(len(selected), 'segment')}"
    if unfinished := list_unfinished_files(layout, states):
        files = format_count(len(unfinished), "file")
        said += (
            f"; {files} in no manifest, e.g. {_name_in_store(layout, unfinished[0])}: "
            "an interrupted command left it, if none is running; answerable store "
            "repair deletes it"
        )
    return said


def _require_all_files(layout: StoreLayout, states: Sequence[SegmentState]) -> None:
    """Require the file of each segment, also of those that are not read."""
    for state in states:
        live = state.live
        if live is not None and not layout.has_segment_file(live.day, live.segment):
            name = f"segments/day={live.day}/{live.segment}.parquet"
            raise VerificationError(f"{name} is missing")


def _name_in_store(layout: StoreLayout, path: str | Path) -> str:
    """Return the path of a file relative to the store."""
    return str(Path(path).relative_to(layout.root))


def _check_compaction(
    layout: StoreLayout,
    manifest: SegmentManifest,
    manifests: Mapping[str, SegmentManifest],
    leaves: Sequence[bytes],
) -> None:
    """Check that a compacted segment holds the rows of the segments that it replaces.

    The order file has, for each row of each replaced segment, the row number here; the
    leaves in that order lead to the root of the replaced segment.
    """
    name = f"segment {manifest.segment}"
    order = _read_segment_file(layout, manifest, ".order")
    if hashlib.sha256(order).hexdigest() != manifest.order_sha256:
        raise VerificationError(f"{name}: its order file does not match its manifest")
    rows = decode_row_numbers(order)
    if sorted(rows) != list(range(manifest.count)):
        raise VerificationError(f"{name}: its order file does not list each row once")
    at = 0
    for replaced in manifest.replaces:
        old = manifests.get(replaced)
        if old is None or old.day != manifest.day:
            raise VerificationError(f"{name} replaces an unknown segment {replaced}")
        here = [leaves[row] for row in rows[at : at + old.count]]
        at += old.count
        if len(here) != old.count or merkle_root(here).hex() != old.event_root:
            raise VerificationError(
                f"{name}: the root hash of the rows of segment {replaced} differs"
            )


def _read_removed_rows(layout: StoreLayout, state: SegmentState) -> set[int]:
    """Read the numbers of the removed rows of a segment."""
    removal = state.removal
    if removal is None:
        return set()
    live = msgspec.structs.replace(state.manifest, segment=build_file_stem(removal))
    data = _read_segment_file(layout, live, ".removed")
    if hashlib.sha256(data).hexdigest() != removal.rows_sha256:
        raise VerificationError(
            f"segment {live.segment}: its list of removed rows does not match the log"
        )
    return set(decode_row_numbers(data))


def _check_segment(
    layout: StoreLayout, engine: DuckDbEngine, state: SegmentState, entry: bytes
) -> list[bytes]:
    """Check the files of one segment: manifest, Parquet rows, leaves and root.

    Returns:
        The leaf hashes of all its rows, removed ones included.
    """
    manifest = state.manifest
    name = f"segment {manifest.segment}"
    if _read_segment_file(layout, manifest, ".manifest.json") != entry:
        raise VerificationError(
            f"{name}: its manifest file differs from the one committed to the log"
        )
    live = state.live
    removed = set(range(manifest.count))
    whole = True
    if live is not None:
        removed = _read_removed_rows(layout, state)
        file = _read_segment_file(layout, live, ".parquet")
        whole = hashlib.sha256(file).hexdigest() == live.file_sha256
        del file
    packed = _read_segment_file(layout, manifest, ".leaves")
    leaves_hold = hashlib.sha256(packed).hexdigest() == manifest.leaves_sha256
    leaves = [
        packed[at : at + _LEAF_BYTES] for at in range(0, len(packed), _LEAF_BYTES)
    ]
    kept = [row for row in range(len(leaves)) if row not in removed]
    found = [leaves[row] for row in kept]
    if live is not None and read_encoded_leaves(layout, engine, live) != found:
        found = _find_invalid_row(layout, engine, state, (packed, leaves_hold), kept)
    if not whole:
        raise VerificationError(
            f"{name}: its Parquet file does not match its manifest, although each "
            f"of its {len(found)} rows is valid"
        )
    if not leaves_hold:
        raise VerificationError(f"{name}: its leaves file does not match its manifest")
    sealed = found if state.removal is None else leaves
    expected = manifest.count if live is None else live.count
    if (
        (live is not None and len(found) != expected)
        or len(sealed) != manifest.count
        or merkle_root(sealed).hex() != manifest.event_root
    ):
        raise VerificationError(
            f"{name}: the root hash of its rows differs from its event root"
        )
    return leaves


def _find_invalid_row(
    layout: StoreLayout,
    engine: DuckDbEngine,
    state: SegmentState,
    packed: tuple[bytes, bool],
    kept: Sequence[int],
) -> list[bytes]:
    """Find the first invalid row of a segment.

    Args:
        packed: The leaves file, and whether it matches its manifest.
        kept: Numbers of the rows that were not removed.

    Returns:
        The leaf hashes of its rows, if each row is valid.

    Raises:
        VerificationError: It names the row.
    """
    name, (leaves, leaves_hold) = f"segment {state.manifest.segment}", packed
    live = state.live or state.manifest
    row = -1
    found: list[bytes] = []
    try:
        for position, (number, leaf) in enumerate(
            read_row_leaves(layout, engine, live)
        ):
            found.append(leaf)
            row = kept[position] if position < len(kept) else position
            if leaf != leaves[row * _LEAF_BYTES : (row + 1) * _LEAF_BYTES]:
                # Either the row or its leaf was changed; the intact one says which.
                what = "row" if leaves_hold else "leaf"
                raise VerificationError(
                    f"{name}: {what} {row} (event {number.hex()}) is invalid"
                )
    except SegmentUnreadableError as error:
        raise VerificationError(
            f"{name}: unreadable from row {row + 1} on: {error}"
        ) from None
    return found


def format_count(number: int, noun: str) -> str:
    """Format a count with its noun in the singular or plural."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


class SegmentUnreadableError(Exception):
    """Segment file that the engine cannot read."""


def read_encoded_leaves(
    layout: StoreLayout, engine: DuckDbEngine, manifest: SegmentManifest
) -> list[bytes]:
    """Read the leaf hashes of a segment's rows, encoded by the query engine.

    They are those before the first row that it cannot encode.
    """
    import _duckdb as duckdb

    path = layout.segment_file(manifest.day, manifest.segment, ".parquet")
    source = (
        f"read_parquet({quote_text(str(path.absolute()))}, hive_partitioning=false)"
    )
    sha256 = hashlib.sha256
    found: list[bytes] = []
    try:
        result = engine.connection.execute(build_leaf_inputs_sql(source))
        while batch := result.fetchmany(_BATCH_ROWS):
            found += [sha256(hashed).digest() for (hashed,) in batch]
    except (duckdb.Error, UnicodeDecodeError):  # a changed text may be no UTF-8
        return found
    return found


def read_row_leaves(
    layout: StoreLayout, engine: DuckDbEngine, manifest: SegmentManifest
) -> Iterator[tuple[bytes, bytes]]:
    """Yield (event id, leaf hash) of each row of a segment file, in row order."""
    import _duckdb as duckdb

    path = layout.segment_file(manifest.day, manifest.segment, ".parquet")
    source = (
        f"read_parquet({quote_text(str(path.absolute()))}, hive_partitioning=false)"
    )
    try:
        result = engine.connection.execute(f"SELECT {NAMES} FROM {source}")  # noqa: S608
        while batch := result.fetchmany(_BATCH_ROWS):
            for row in batch:
                event = decode_event_row(row)
                yield event.event_id, leaf_hash(encode_event(event))
    except (duckdb.Error, LookupError, ValueError, TypeError) as error:
        raise SegmentUnreadableError(
            str(error).splitlines()[0][:160] if str(error) else ""
        ) from error


def _read_segment_file(
    layout: StoreLayout, manifest: SegmentManifest, ending: str
) -> bytes:
    """Read a file of a segment; a missing one is an error."""
    path = layout.segment_file(manifest.day, manifest.segment, ending)
    try:
        return read_file(path)
    except FileNotFoundError:
        where = path.relative_to(layout.root)
        raise VerificationError(f"{where} is missing") from None
    except EnvironmentFailure as error:
        raise VerificationError(error.message) from error
