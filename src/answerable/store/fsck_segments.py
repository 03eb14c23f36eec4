"""Verify the segments of a store: file, leaves, manifest, and the leaf of each row."""

import hashlib
from collections.abc import Callable, Iterator, Sequence

from answerable.evidence.canonical_event import encode_event
from answerable.evidence.log_entries import LogEntry, SegmentManifest
from answerable.evidence.merkle import leaf_hash, merkle_root
from answerable.model.errors import EnvironmentFailure, VerificationError
from answerable.store.duckdb_engine import DuckDbEngine, quote_text
from answerable.store.durable_files import read_file
from answerable.store.event_columns import NAMES, decode_event_row
from answerable.store.store_layout import StoreLayout

_LEAF_BYTES = 32
_BATCH_ROWS = 5_000


def check_segments(
    layout: StoreLayout,
    entries: Sequence[LogEntry],
    raw_entries: Sequence[bytes],
    progress: Callable[[int, int, str], None],
) -> str:
    """Check every segment that the log names against its manifest.

    Raises:
        VerificationError: Names the first invalid record.
    """
    manifests = [
        (entry, data)
        for entry, data in zip(entries, raw_entries, strict=True)
        if isinstance(entry, SegmentManifest)
    ]
    total = sum(manifest.count for manifest, _ in manifests)
    done, previous = 0, ""
    if not manifests:
        return "nothing is sealed"
    engine = DuckDbEngine(layout.segments)
    try:
        for manifest, data in manifests:
            if manifest.previous != previous:
                raise VerificationError(
                    f"segment {manifest.segment} does not follow {previous or 'nothing'}"
                )
            _check_segment(layout, engine, manifest, data)
            previous = manifest.segment
            done += manifest.count
            progress(done, total, "events")
    finally:
        engine.close()
    return (
        f"{format_count(total, 'event')} in {format_count(len(manifests), 'segment')}"
    )


def _check_segment(
    layout: StoreLayout, engine: DuckDbEngine, manifest: SegmentManifest, entry: bytes
) -> None:
    """Check the files of one segment: manifest, Parquet rows, leaves and root."""
    name = f"segment {manifest.segment}"
    if _read_segment_file(layout, manifest, ".manifest.json") != entry:
        raise VerificationError(
            f"{name}: its manifest file differs from the one committed to the log"
        )
    file = _read_segment_file(layout, manifest, ".parquet")
    whole = hashlib.sha256(file).hexdigest() == manifest.file_sha256
    del file
    packed = _read_segment_file(layout, manifest, ".leaves")
    leaves_hold = hashlib.sha256(packed).hexdigest() == manifest.leaves_sha256
    row = -1
    found: list[bytes] = []
    try:
        for row, (number, leaf) in enumerate(
            _read_row_leaves(layout, engine, manifest)
        ):
            found.append(leaf)
            if leaf != packed[row * _LEAF_BYTES : (row + 1) * _LEAF_BYTES]:
                # Either the row or its leaf was changed; the intact one says which.
                what = "row" if leaves_hold else "leaf"
                raise VerificationError(
                    f"{name}: {what} {row} (event {number.hex()}) is invalid"
                )
    except _SegmentUnreadableError as error:
        raise VerificationError(
            f"{name}: unreadable from row {row + 1} on: {error}"
        ) from None
    if not whole:
        raise VerificationError(
            f"{name}: its Parquet file does not match its manifest, although each "
            f"of its {len(found)} rows is valid"
        )
    if not leaves_hold:
        raise VerificationError(f"{name}: its leaves file does not match its manifest")
    if len(found) != manifest.count or merkle_root(found).hex() != manifest.event_root:
        raise VerificationError(
            f"{name}: the root hash of its rows differs from its event root"
        )


def format_count(number: int, noun: str) -> str:
    """Format a count with its noun in the singular or plural."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


class _SegmentUnreadableError(Exception):
    """Segment file that the engine cannot read."""


def _read_row_leaves(
    layout: StoreLayout, engine: DuckDbEngine, manifest: SegmentManifest
) -> Iterator[tuple[bytes, bytes]]:
    """Yield (event id, leaf hash) of each row, in row order."""
    import duckdb

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
        raise _SegmentUnreadableError(
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
