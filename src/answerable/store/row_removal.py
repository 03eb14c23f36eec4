"""Remove rows of sealed segments by a policy; their leaf hashes and roots remain.

One log entry for each segment commits the removal, all of them with one checkpoint. The
old files are deleted afterwards; after a crash the next removal or `store repair`
deletes them.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import cast

import msgspec

from answerable.evidence.log_entries import (
    RowsRemoved,
    SegmentManifest,
    SegmentState,
    build_file_stem,
    read_segment_states,
)
from answerable.model.errors import EnvironmentFailure, VerificationError
from answerable.store.compaction import (
    build_segment_error,
    check_copied_rows,
    read_segment_leaves,
)
from answerable.store.damaged_segments import (
    compute_file_digest,
    may_be_file_damage,
)
from answerable.store.duckdb_engine import DuckDbEngine, quote_text
from answerable.store.durable_files import mark_crash_point, read_file, write_file
from answerable.store.event_columns import NAMES
from answerable.store.row_conditions import ALL_ROWS, RowCondition
from answerable.store.row_number_encoding import decode_row_numbers, encode_row_numbers
from answerable.store.segment_files import copy_rows_to_segment, delete_obsolete_files
from answerable.store.store import EvidenceStore


@dataclass(frozen=True, slots=True)
class PlannedRemoval:
    """Rows that a policy removes from one segment.

    Attributes:
        state: State of the segment.
        rows: Positions in the live file.
        held: Matching rows that a legal hold keeps.
        unreadable: Whether the file is missing or damaged, so that it was not searched.
    """

    state: SegmentState
    rows: Sequence[int]
    held: int = 0
    unreadable: bool = False


def plan_removal(
    store: EvidenceStore,
    selects_day: Callable[[str], bool],
    condition: RowCondition,
    get_hold: Callable[[str], RowCondition | None],
) -> list[PlannedRemoval]:
    """Plan which rows a policy removes.

    Args:
        store: The store.
        selects_day: Whether the policy applies to a day.
        condition: Rows that the policy removes.
        get_hold: Rows of a day that legal holds keep; None for none.
    """
    import _duckdb as duckdb

    store.layout.refuse_remote()
    unreadable = store.find_unreadable_segments()
    planned: list[PlannedRemoval] = []
    engine = DuckDbEngine(store.layout.segments)
    try:
        for state in read_segment_states(store.log.entries()):
            live = state.live
            if live is None or not selects_day(live.day):
                continue
            hold = get_hold(live.day)
            if hold is None and condition == ALL_ROWS:
                planned.append(PlannedRemoval(state, range(live.count)))
                continue
            if live.segment in unreadable:
                planned.append(PlannedRemoval(state, (), unreadable=True))
                continue
            try:
                rows = free = _find_rows(store, engine, live, condition)
                if hold is not None and rows:
                    free = _find_rows(store, engine, live, condition & ~hold)
            except (duckdb.Error, EnvironmentFailure) as error:
                if not may_be_file_damage(error):
                    raise
                planned.append(PlannedRemoval(state, (), unreadable=True))
                continue
            if rows:
                planned.append(PlannedRemoval(state, free, len(rows) - len(free)))
    finally:
        engine.close()
    return planned


def remove_rows(
    store: EvidenceStore,
    planned: Iterable[PlannedRemoval],
    cause: str,
    policy: str,
    now: int,
) -> list[RowsRemoved]:
    """Remove planned rows, and delete the files that contained them.

    The caller holds the lock of the log since it planned.

    Args:
        store: The store.
        planned: Rows to remove.
        cause: `retention` or `erasure`.
        policy: Digest of the object that describes the policy.
        now: UTC nanoseconds.

    Raises:
        VerificationError: A segment does not match its manifest; nothing was removed.
        EnvironmentFailure: The disk failed; the step may be repeated.
    """
    engine = DuckDbEngine(store.layout.segments)
    try:
        entries = [
            _write_remaining_rows(store, engine, each, RowsRemoved(
                segment=each.state.manifest.segment,
                number=each.state.removal.number + 1 if each.state.removal else 1,
                cause=cause,
                policy=policy,
                count=_count_rows(each.state) - len(each.rows),
                file_sha256="",
                rows_sha256="",
                at=str(now),
            ))
            for each in planned
            if each.rows
        ]  # fmt: skip
    finally:
        engine.close()
    if entries:
        mark_crash_point("removal-written")
        store.log.append(entries)
    mark_crash_point("removal-committed")
    delete_obsolete_files(store.layout, store.log.entries())
    mark_crash_point("removal-deleted")
    return entries


def read_live_rows(store: EvidenceStore, state: SegmentState) -> list[int]:
    """Return the row number in the segment of each row of its live file.

    Raises:
        VerificationError: The list of removed rows does not match the log.
    """
    removed: set[int] = set()
    if state.removal is not None:
        stem = build_file_stem(state.removal)
        path = store.layout.segment_file(state.manifest.day, stem, ".removed")
        try:
            data = read_file(path)
        except FileNotFoundError:
            data = b""
        if hashlib.sha256(data).hexdigest() != state.removal.rows_sha256:
            raise VerificationError(
                f"segment {stem}: its list of removed rows does not match the log",
                "see: answerable evidence verify",
            )
        removed = set(decode_row_numbers(data))
    return [row for row in range(state.manifest.count) if row not in removed]


def _count_rows(state: SegmentState) -> int:
    """Count the rows of the live file of a segment."""
    return state.removal.count if state.removal else state.manifest.count


def _write_remaining_rows(
    store: EvidenceStore,
    engine: DuckDbEngine,
    planned: PlannedRemoval,
    entry: RowsRemoved,
) -> RowsRemoved:
    """Write the rows that remain of a segment; return the entry that commits them."""
    state = planned.state
    live = cast("SegmentManifest", state.live)
    layout = store.layout
    path = layout.segment_file(live.day, live.segment, ".parquet")
    if not entry.count:
        return entry
    if compute_file_digest(path) != live.file_sha256:
        raise build_segment_error(live)
    leaves = list(read_segment_leaves(store, state.manifest))
    numbers = read_live_rows(store, state)
    gone = set(planned.rows)
    kept = [numbers[at] for at in range(len(numbers)) if at not in gone]
    remaining = set(kept)
    rows = encode_row_numbers(
        [row for row in range(state.manifest.count) if row not in remaining]
    )
    stem = build_file_stem(entry)
    digest = copy_rows_to_segment(
        layout,
        engine,
        f"SELECT {NAMES} FROM {_read_file_sql(str(path.absolute()))} "  # noqa: S608 - ours
        f"WHERE file_row_number NOT IN ({', '.join(map(str, planned.rows))}) "
        "ORDER BY file_row_number",
        (live.day, stem),
    )
    mark_crash_point("removal-parquet")
    written = msgspec.structs.replace(live, segment=stem)
    check_copied_rows(store, engine, written, [leaves[row] for row in kept])
    write_file(layout.segment_file(live.day, stem, ".removed"), rows)
    mark_crash_point("removal-rows")
    return msgspec.structs.replace(
        entry, file_sha256=digest, rows_sha256=hashlib.sha256(rows).hexdigest()
    )


def _find_rows(
    store: EvidenceStore,
    engine: DuckDbEngine,
    live: SegmentManifest,
    condition: RowCondition,
) -> list[int]:
    """Find the positions of matching rows in a live file."""
    path = store.layout.segment_file(live.day, live.segment, ".parquet")
    found = engine.run(
        f"SELECT file_row_number FROM {_read_file_sql(str(path.absolute()))} "  # noqa: S608 - ours
        f"WHERE {condition.sql} ORDER BY file_row_number",
        condition.parameters,
    )
    return [cast("int", row) for (row,) in found]


def _read_file_sql(path: str) -> str:
    """Build SQL that reads a segment file with its row numbers."""
    return (
        f"read_parquet({quote_text(path)}, hive_partitioning=false, "
        "file_row_number=true)"
    )
