"""Compact the segments of a day: few large files, each row proven to be the same.

The order file of a compacted segment maps each row of each replaced segment to its new
row. The leaves in that order lead to the old roots, which the log contains, so that a
verifier needs nothing of the deleted files.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import cast

from answerable.evidence.log_entries import (
    MANIFEST_SCHEMA,
    SegmentManifest,
    encode_entry,
    read_segment_states,
)
from answerable.evidence.merkle import merkle_root
from answerable.model.errors import (
    AnswerableError,
    EnvironmentFailure,
    VerificationError,
)
from answerable.store.damaged_segments import compute_file_digest
from answerable.store.duckdb_engine import DuckDbEngine, quote_text
from answerable.store.durable_files import mark_crash_point, read_file, write_file
from answerable.store.event_columns import NAMES
from answerable.store.fsck_segments import read_encoded_leaves, read_row_leaves
from answerable.store.row_number_encoding import encode_row_numbers
from answerable.store.segment_files import (
    copy_rows_to_segment,
    delete_files,
    delete_obsolete_files,
    list_unfinished_files,
)
from answerable.store.segment_writer import make_segment_id
from answerable.store.store import EvidenceStore

# About 64 MB of events; a verifier and a proof read the 32-byte leaf of each.
MAX_COMPACTED_ROWS = 500_000
_LEAF_BYTES = 32


def plan_compaction(
    store: EvidenceStore, day: str = "", max_rows: int = MAX_COMPACTED_ROWS
) -> list[list[SegmentManifest]]:
    """Plan which segments of each day are compacted into one.

    Segments with removed rows, and unreadable ones, are left alone.

    Args:
        store: The store.
        day: `YYYY-MM-DD`; empty for every day.
        max_rows: Rows of a compacted segment, at most.
    """
    store.layout.refuse_remote()
    unreadable = store.find_unreadable_segments()
    days: dict[str, list[SegmentManifest]] = defaultdict(list)
    for state in read_segment_states(store.log.entries()):
        each = state.manifest
        if state.compacted or state.removal or each.segment in unreadable:
            continue
        if each.count <= max_rows // 2 and day in ("", each.day):
            days[each.day].append(each)
    groups: list[list[SegmentManifest]] = []
    for _, segments in sorted(days.items()):
        group: list[SegmentManifest] = []
        for each in segments:
            if sum(e.count for e in group) + each.count > max_rows:
                groups.append(group)
                group = []
            group.append(each)
        groups.append(group)
    return [group for group in groups if len(group) > 1]


def compact_segments(
    store: EvidenceStore, group: Sequence[SegmentManifest], now: int
) -> SegmentManifest | None:
    """Compact segments of one day into a new one, and delete their files.

    Args:
        store: The store.
        group: Live segments of one day.
        now: UTC nanoseconds.

    Returns:
        The manifest of the new segment; None if another process changed one of them.

    Raises:
        VerificationError: A segment does not match its manifest; nothing was changed.
        EnvironmentFailure: The disk failed; the step may be repeated.
    """
    import _duckdb as duckdb

    with store.log.lock():
        states = read_segment_states(store.log.entries())
        live = {s.manifest.segment for s in states if s.live is s.manifest}
        if not {each.segment for each in group} <= live:
            return None
        delete_files(list_unfinished_files(store.layout, states))
        engine = DuckDbEngine(store.layout.segments)
        try:
            manifest = _write_compacted_segment(
                store, engine, group, states[-1].manifest.segment, now
            )
        except (AnswerableError, OSError, duckdb.Error):
            # A full disk needs every byte back, and no removal would find the rows.
            with suppress(EnvironmentFailure):
                delete_files(list_unfinished_files(store.layout, states))
            raise
        finally:
            engine.close()
        mark_crash_point("compact-written")
        store.log.append([manifest])
        mark_crash_point("compact-committed")
        delete_obsolete_files(store.layout, store.log.entries())
        mark_crash_point("compact-removed")
    return manifest


def _write_compacted_segment(
    store: EvidenceStore,
    engine: DuckDbEngine,
    group: Sequence[SegmentManifest],
    previous: str,
    now: int,
) -> SegmentManifest:
    """Write the files of a compacted segment; only the log entry commits them."""
    leaves = _read_valid_leaves(store, group)
    day = group[0].day
    name = make_segment_id("\n".join(e.segment for e in group), day, 0)
    paths = [_segment_path(store, each, ".parquet") for each in group]
    files = f"[{', '.join(quote_text(str(path)) for path in paths)}]"
    source = (
        f"(SELECT *, list_position({files}, filename) AS part FROM read_parquet({files}, "  # noqa: S608 - ours
        "union_by_name=true, hive_partitioning=false, filename=true, "
        "file_row_number=true))"
    )
    by_row = "ORDER BY identity, event_time, event_id, part, file_row_number"
    rows = engine.run(f"SELECT part, file_row_number FROM {source} {by_row}")  # noqa: S608 - ours
    places = [cast("tuple[int, int]", row) for row in rows]
    starts = [0]
    for each in group:
        starts.append(starts[-1] + each.count)
    sources = [starts[part - 1] + row for part, row in places]
    packed = b"".join(leaves[at] for at in sources)
    order = [0] * len(sources)
    for new, old in enumerate(sources):
        order[old] = new
    order_data = encode_row_numbers(order)
    digest = copy_rows_to_segment(
        store.layout,
        engine,
        f"SELECT {NAMES} FROM {source} {by_row}",  # noqa: S608 - ours
        (day, name),
    )
    mark_crash_point("compact-parquet")
    manifest = SegmentManifest(
        segment=name,
        day=day,
        file_sha256=digest,
        leaves_sha256=hashlib.sha256(packed).hexdigest(),
        event_root=merkle_root([leaves[at] for at in sources]).hex(),
        count=len(sources),
        min_time=str(min(int(e.min_time) for e in group)),
        max_time=str(max(int(e.max_time) for e in group)),
        event_schema=max(e.event_schema for e in group),
        journal="",
        previous=previous,
        at=str(now),
        schema=MANIFEST_SCHEMA,
        replaces=tuple(e.segment for e in group),
        order_sha256=hashlib.sha256(order_data).hexdigest(),
    )
    check_copied_rows(store, engine, manifest, [leaves[at] for at in sources])
    for ending, data in (
        (".leaves", packed),
        (".order", order_data),
        (".manifest.json", encode_entry(manifest)),
    ):
        write_file(store.layout.segment_file(day, name, ending), data)
        mark_crash_point(f"compact{ending.removesuffix('.json')}")
    return manifest


def check_copied_rows(
    store: EvidenceStore,
    engine: DuckDbEngine,
    segment: SegmentManifest,
    leaves: Sequence[bytes],
) -> None:
    """Check that the rows of a written file have the given leaves, in order.

    Raises:
        VerificationError: They differ; the file must not be committed.
    """
    wanted = list(leaves)
    if read_encoded_leaves(store.layout, engine, segment) == wanted:
        return
    # Row by row: the engine escapes control characters in another way.
    found = [leaf for _, leaf in read_row_leaves(store.layout, engine, segment)]
    if found != wanted:
        raise VerificationError(
            f"segment {segment.segment}: the copied rows differ from the sealed ones",
            "find the change with: answerable evidence verify",
        )


def _read_valid_leaves(
    store: EvidenceStore, group: Sequence[SegmentManifest]
) -> list[bytes]:
    """Read the leaves of segments, after comparing both files with the manifest."""
    found: list[bytes] = []
    for each in group:
        found += read_segment_leaves(store, each)
        if compute_file_digest(_segment_path(store, each, ".parquet")) != (
            each.file_sha256
        ):
            raise build_segment_error(each)
    return found


def read_segment_leaves(
    store: EvidenceStore, manifest: SegmentManifest
) -> Iterator[bytes]:
    """Read the leaf hashes of a segment, after comparing them with the manifest.

    Raises:
        VerificationError: They are missing or do not match.
    """
    try:
        packed = read_file(_segment_path(store, manifest, ".leaves"))
    except FileNotFoundError:
        packed = b""
    if hashlib.sha256(packed).hexdigest() != manifest.leaves_sha256:
        raise build_segment_error(manifest)
    return (packed[at : at + _LEAF_BYTES] for at in range(0, len(packed), _LEAF_BYTES))


def build_segment_error(manifest: SegmentManifest) -> VerificationError:
    """Build the error for a segment whose files do not match its manifest."""
    return VerificationError(
        f"segment {manifest.segment} of {manifest.day} does not match its manifest",
        "set it aside or restore it: answerable store repair",
    )


def _segment_path(store: EvidenceStore, manifest: SegmentManifest, ending: str) -> Path:
    """Return the absolute path of a file of a segment."""
    path = store.layout.segment_file(manifest.day, manifest.segment, ending)
    return path.absolute()
