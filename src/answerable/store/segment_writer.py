"""Seal a closed journal: write Parquet segments, and commit them by one log append."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from answerable.evidence.canonical_event import decode_seal_fields
from answerable.evidence.journal_format import JournalContents
from answerable.evidence.log_entries import (
    MANIFEST_SCHEMA,
    JournalOpened,
    JournalSealed,
    LogEntry,
    SegmentManifest,
    encode_entry,
    get_segment_id,
    list_live_segments,
)
from answerable.evidence.merkle import merkle_root
from answerable.store.duckdb_engine import DuckDbEngine, quote_text
from answerable.store.durable_files import mark_crash_point, write_file
from answerable.store.event_columns import NAMES, build_decode_records_sql
from answerable.store.query_tables import ColumnType, NamedTable, register_table
from answerable.store.segment_rows import SegmentRows, partition_rows
from answerable.store.store_layout import StoreLayout, format_day

if TYPE_CHECKING:
    from arro3.core import RecordBatch

    from answerable.store.segment_statistics import SegmentStatistics

_STREAMED_ROWS = 2_048
_RECORDS = "(SELECT 0 AS n, record FROM records)"
_NS_PER_MS = 1_000_000  # nanoseconds: what an id keeps of its time


@dataclass(frozen=True, slots=True)
class WrittenSegments:
    """Segments that were written for a journal, and are not committed yet.

    Attributes:
        entries: Log entries that commit them, the journal's entry last.
        statistics: Their statistics by name.
        conflicts: Event ids and raw digests of records of which other journals have
            the event with another raw record.
    """

    entries: list[SegmentManifest | JournalSealed]
    statistics: "dict[str, SegmentStatistics]"
    conflicts: "Sequence[tuple[bytes, bytes]]" = ()


def make_segment_id(journal: str, day: str, number: int) -> str:
    """Derive the name of a segment from its journal, day and number."""
    text = f"{journal}\n{day}\n{number}".encode()
    return hashlib.sha256(text).hexdigest()[:32]


def write_journal_segments(
    layout: StoreLayout,
    name: str,
    journal: JournalContents,
    previous: str,
    other_segments: Sequence[SegmentManifest],
    now: int,
    *,
    open_engine: Callable[[], DuckDbEngine],
) -> WrittenSegments:
    """Write a journal's rows as sealed Parquet segments.

    Args:
        layout: Layout of the store.
        name: Name of the journal.
        journal: Parsed journal.
        previous: Segment before the first, empty for none.
        other_segments: Segments that other processes sealed since the journal was
            opened; their records are omitted.
        now: UTC nanoseconds.
        open_engine: Opens the query engine; not called for a journal without records.

    Returns:
        The segments with the log entries that commit them.
    """
    manifests: list[SegmentManifest] = []
    statistics: dict[str, SegmentStatistics] = {}
    skipped: set[int] = set()
    conflicts: Sequence[tuple[bytes, bytes]] = ()
    if journal.records:
        engine = open_engine()
        parts = partition_rows(journal, skipped)
        skipped, conflicts = _find_events_sealed_elsewhere(
            layout, engine, journal.records, parts, other_segments
        )
        if skipped:
            parts = partition_rows(journal, skipped)
        for part in parts:
            rows = part.sort_rows()
            segment = _SegmentWriter(layout, engine, name, part)
            packed = list(map(journal.leaves.__getitem__, rows))
            digest = segment.write(list(map(journal.records.__getitem__, rows)), packed)
            manifest = SegmentManifest(
                segment=segment.name,
                day=segment.day,
                file_sha256=digest,
                leaves_sha256=hashlib.sha256(b"".join(packed)).hexdigest(),
                event_root=merkle_root(packed).hex(),
                count=len(rows),
                min_time=str(part.first),
                max_time=str(part.last),
                event_schema=max(map(int, part.schemas)),
                journal=name,
                previous=previous,
                at=str(now),
                schema=MANIFEST_SCHEMA,
            )
            segment.write_manifest(manifest)
            manifests.append(manifest)
            file = layout.segment_file(segment.day, segment.name, ".parquet")
            size = file.stat().st_size
            statistics[segment.name] = part.statistics.build(digest, size)
            previous = manifest.segment
    sealed = JournalSealed(
        journal=name,
        count=len(journal.records),
        duplicate=len(skipped),
        chain=journal.head.chain.hex() if journal.head else "",
        at=str(now),
    )
    return WrittenSegments([*manifests, sealed], statistics, conflicts)


def list_segments_sealed_since(
    entries: Sequence[LogEntry], name: str
) -> list[SegmentManifest]:
    """List segments of other journals that were sealed after this one was opened.

    The journal's process had already checked events against earlier segments.
    """
    start = next(
        (
            place
            for place, entry in enumerate(entries)
            if isinstance(entry, JournalOpened) and entry.journal == name
        ),
        0,
    )
    since = {
        entry.segment
        for entry in entries[start:]
        if isinstance(entry, SegmentManifest) and entry.journal != name
    }
    return [
        live for live in list_live_segments(entries) if get_segment_id(live) in since
    ]


def _find_events_sealed_elsewhere(
    layout: StoreLayout,
    engine: DuckDbEngine,
    records: Sequence[bytes],
    parts: "Sequence[SegmentRows]",
    other_segments: Sequence[SegmentManifest],
) -> tuple[set[int], Sequence[tuple[bytes, bytes]]]:
    """Find the rows whose events segments of other journals contain already.

    An event id begins with its time in milliseconds, so only the rows in the time of
    such a segment are looked up.

    Returns:
        Rows with the same raw record, and the event ids and raw digests of the others.
    """
    first = min(part.first for part in parts) // _NS_PER_MS
    last = max(part.last for part in parts) // _NS_PER_MS
    spans = [
        (int(m.min_time) // _NS_PER_MS, int(m.max_time) // _NS_PER_MS, m)
        for m in other_segments
    ]
    spans = [span for span in spans if span[0] <= last and first <= span[1]]
    other_segments = [m for _, _, m in spans]
    layout.require_segments(other_segments)
    other_segments = [
        m for m in other_segments if layout.has_segment_file(m.day, m.segment)
    ]
    if not other_segments:
        return set(), ()
    listed = ", ".join(
        quote_text(str(layout.segment_file(m.day, m.segment, ".parquet").absolute()))
        for m in other_segments
    )
    columns = {
        "n": ColumnType.INT,
        "event_id": ColumnType.BYTES,
        "raw_sha256": ColumnType.BYTES,
    }
    near = [
        row
        for part in parts
        for row, time in part.list_times()
        if any(start <= time // _NS_PER_MS <= end for start, end, _ in spans)
    ]
    rows = [
        {
            "n": row,
            "event_id": bytes.fromhex(brief.event_id),
            "raw_sha256": bytes.fromhex(brief.raw_sha256),
        }
        for row, brief in zip(
            near, map(decode_seal_fields, map(records.__getitem__, near)), strict=True
        )
    ]
    if not rows:
        return set(), ()
    register_table(engine, "briefs", NamedTable(columns, rows))
    found = engine.run(
        "SELECT n, bool_or(b.raw_sha256 = e.raw_sha256) FROM briefs b JOIN "  # noqa: S608 - our own names
        f"read_parquet([{listed}], union_by_name=true) e USING (event_id) GROUP BY n"
    )
    engine.run("DROP TABLE briefs")
    same = {cast("int", row) for row, is_same in found if is_same}
    other = {row for row, is_same in found if not is_same}
    return same, [
        (cast("bytes", row["event_id"]), cast("bytes", row["raw_sha256"]))
        for row in rows
        if row["n"] in other
    ]


class _RecordStream:
    """Arrow stream of canonical records, of which few are copied at a time.

    The query engine adapts an object of these methods; it reads the stream once.
    """

    def __init__(self, records: Sequence[bytes]) -> None:
        from arro3.core import DataType, Field, Schema

        self._records = records
        self._schema = Schema([Field("record", DataType.utf8(), nullable=False)])

    def __arrow_c_schema__(self) -> object:
        return self._schema.__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        from arro3.core import RecordBatchReader

        reader = RecordBatchReader.from_batches(self._schema, self._list_batches())
        return reader.__arrow_c_stream__(requested_schema)

    def _list_batches(self) -> "Iterator[RecordBatch]":
        """Yield record batches."""
        from arro3.core import Array, DataType, RecordBatch

        for start in range(0, len(self._records), _STREAMED_ROWS):
            some = self._records[start : start + _STREAMED_ROWS]
            # The cast checks that they are UTF-8, and copies none of them.
            texts = Array(some, DataType.binary()).cast(DataType.utf8())
            yield RecordBatch.from_arrays([texts], schema=self._schema)


class _SegmentWriter:
    """Writer of the files of one segment."""

    def __init__(
        self,
        layout: StoreLayout,
        engine: DuckDbEngine,
        journal: str,
        rows: SegmentRows,
    ) -> None:
        self.day = format_day(rows.day)
        self.name = make_segment_id(journal, self.day, rows.number)
        self._layout, self._engine = layout, engine

    def _segment_path(self, ending: str) -> Path:
        """Return the path of a file of this segment."""
        return self._layout.segment_file(self.day, self.name, ending)

    def write(self, records: Sequence[bytes], leaves: Sequence[bytes]) -> str:
        """Write sorted records and leaves; return the digest of the Parquet file."""
        from answerable.store.segment_files import copy_rows_to_segment

        self._engine.register_arrow("records", _RecordStream(records))
        mark_crash_point("segment-begin")
        try:
            digest = copy_rows_to_segment(
                self._layout,
                self._engine,
                f"SELECT {NAMES} FROM ({build_decode_records_sql(_RECORDS)})",  # noqa: S608
                (self.day, self.name),
            )
        finally:
            self._engine.connection.unregister("records")
        mark_crash_point("segment-parquet")
        write_file(self._segment_path(".leaves"), b"".join(leaves))
        mark_crash_point("segment-leaves")
        return digest

    def write_manifest(self, manifest: SegmentManifest) -> None:
        """Write the manifest next to its files; only the log entry commits it."""
        write_file(self._segment_path(".manifest.json"), encode_entry(manifest))
        mark_crash_point("segment-manifest")
