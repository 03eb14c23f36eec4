"""Seal a closed journal: write Parquet segments, and commit them by one log append."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter, itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, cast

from answerable.evidence.canonical_event import SealFields, decode_seal_fields
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
from answerable.model.encoded_event import EncodedEvents, SealingFields
from answerable.model.event import EVENT_SCHEMA
from answerable.model.time_units import DAY_NS
from answerable.store.duckdb_engine import DuckDbEngine, quote_text
from answerable.store.durable_files import mark_crash_point, write_file
from answerable.store.event_columns import NAMES, build_decode_records_sql
from answerable.store.query_tables import ColumnType, NamedTable, register_table
from answerable.store.store_layout import StoreLayout, format_day

if TYPE_CHECKING:
    from answerable.store.segment_statistics import SegmentStatistics

MAX_SEGMENT_ROWS = 50_000
_DECODED_ROWS = 500
_NS_PER_MS = 1_000_000  # nanoseconds: what an id keeps of its time
_get_event_time, _get_schema = attrgetter("event_time"), attrgetter("schema")
_get_row = itemgetter(2)


@dataclass(frozen=True, slots=True)
class WrittenSegments:
    """Segments that were written for a journal, and are not committed yet.

    Attributes:
        entries: Log entries that commit them, the journal's entry last.
        statistics: Their statistics by name.
    """

    entries: list[SegmentManifest | JournalSealed]
    statistics: "dict[str, SegmentStatistics]"


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
    if journal.records:
        engine = open_engine()
        parts = _partition_rows(journal, skipped)
        skipped = _find_rows_sealed_elsewhere(
            layout, engine, journal.records, parts, other_segments
        )
        if skipped:
            parts = _partition_rows(journal, skipped)
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
            statistics[segment.name] = part.statistics.build(digest)
            previous = manifest.segment
    sealed = JournalSealed(
        journal=name,
        count=len(journal.records),
        duplicate=len(skipped),
        chain=journal.head.chain.hex() if journal.head else "",
        at=str(now),
    )
    return WrittenSegments([*manifests, sealed], statistics)


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


def _find_rows_sealed_elsewhere(
    layout: StoreLayout,
    engine: DuckDbEngine,
    records: Sequence[bytes],
    parts: "Sequence[_SegmentRows]",
    other_segments: Sequence[SegmentManifest],
) -> set[int]:
    """Find the rows that segments of other journals contain already.

    An event id begins with its time in milliseconds, so only the rows in the time of
    such a segment are looked up.
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
        return set()
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
        return set()
    register_table(engine, "briefs", NamedTable(columns, rows))
    found = engine.run(
        "SELECT n FROM briefs SEMI JOIN "  # noqa: S608 - our own names
        f"read_parquet([{listed}], union_by_name=true) USING (event_id, raw_sha256)"
    )
    engine.run("DROP TABLE briefs")
    return {cast("int", row) for (row,) in found}


class _SegmentRows:
    """Rows of a journal that become one segment, with what its manifest says of them.

    Attributes:
        day: Their day, since 1970.
        number: Number of the segment among those of the day.
        count: Number of rows.
        first: Earliest event time, UTC nanoseconds.
        last: Latest event time.
        schemas: Versions of their schema.
        statistics: Their statistics.
    """

    def __init__(self, day: int, number: int) -> None:
        from answerable.store.segment_statistics import StatisticsCollector

        self.day, self.number = day, number
        self.count = self.first = self.last = 0
        self.schemas: set[int | str] = set()
        self.statistics = StatisticsCollector(day)
        self._rows: dict[str, list[tuple[int, bytes, int]]] = defaultdict(list)

    def add(
        self, rows: Sequence[int], briefs: Sequence[SealFields], times: Sequence[int]
    ) -> None:
        """Add rows of the day: their places in the journal, fields and times."""
        self._count_times(times)
        self.schemas.update(map(_get_schema, briefs))
        self.statistics.add(briefs)
        for row, brief, time in zip(rows, briefs, times, strict=True):
            event_id = bytes.fromhex(brief.event_id)
            self._rows[brief.identity].append((time, event_id, row))

    def add_fields(
        self, rows: range, events: EncodedEvents, fields: SealingFields
    ) -> None:
        """Add rows of the day whose fields are known: their places in the journal."""
        times = events.event_times[rows.start : rows.stop]
        event_ids = events.event_ids[rows.start : rows.stop]
        self._count_times(times)
        self.schemas.add(EVENT_SCHEMA)
        self.statistics.add_fields(fields)
        groups = [self._rows[identity] for identity in fields.values[0]]
        for place, row in zip(
            fields.identities, zip(times, event_ids, rows, strict=True), strict=True
        ):
            groups[place].append(row)

    def _count_times(self, times: Sequence[int]) -> None:
        """Count rows with these times."""
        first, last = min(times), max(times)
        self.first = min(self.first, first) if self.count else first
        self.last = max(self.last, last) if self.count else last
        self.count += len(times)

    def list_times(self) -> Iterator[tuple[int, int]]:
        """Yield each row with its event time."""
        for rows in self._rows.values():
            for time, _, row in rows:
                yield row, time

    def sort_rows(self) -> list[int]:
        """Return the rows by identity, time and id; equal ones keep their order.

        Code points sort as UTF-8 does. The rows of one identity are nearly sorted,
        since a log is in the order of time.
        """
        found: list[int] = []
        for _, rows in sorted(self._rows.items()):
            rows.sort()
            found += map(_get_row, rows)
        return found


def _partition_rows(journal: JournalContents, skipped: set[int]) -> list[_SegmentRows]:
    """Partition the rows of a journal by day and then by size."""
    days = _Days()
    events = journal.events or EncodedEvents(fields=[(len(journal.records), None)])
    end = 0
    for count, fields in events.fields:
        rows = range(end, end := end + count)
        if fields is not None and not skipped:
            part = days.get_part(fields.day)
            if part.count + count <= MAX_SEGMENT_ROWS:
                part.add_fields(rows, events, fields)
                continue
        # Few records are decoded at a time, and little of them is kept: what was
        # decoded is still in the processor's cache when it is used.
        for start in range(rows.start, rows.stop, _DECODED_ROWS):
            some = rows[start - rows.start : start - rows.start + _DECODED_ROWS]
            days.add_records(
                [row for row in some if row not in skipped], journal.records
            )
    return days.list_parts()


class _Days:
    """Rows of a journal by day, in parts of the size of a segment."""

    def __init__(self) -> None:
        self._parts: dict[int, list[_SegmentRows]] = defaultdict(list)

    def get_part(self, day: int) -> _SegmentRows:
        """Return the last part of a day; a new one if it is full."""
        parts = self._parts[day]
        if not parts or parts[-1].count == MAX_SEGMENT_ROWS:
            parts.append(_SegmentRows(day, len(parts)))
        return parts[-1]

    def add_records(self, rows: Sequence[int], records: Sequence[bytes]) -> None:
        """Decode the records of rows, and add the rows to their days."""
        briefs = [decode_seal_fields(records[row]) for row in rows]
        times = list(map(int, map(_get_event_time, briefs)))
        days = [time // DAY_NS for time in times]
        for day in sorted(set(days)):
            of_day = [at for at, each in enumerate(days) if each == day]
            while of_day:
                part = self.get_part(day)
                room = MAX_SEGMENT_ROWS - part.count
                taken, of_day = of_day[:room], of_day[room:]
                part.add(
                    [rows[at] for at in taken],
                    [briefs[at] for at in taken],
                    [times[at] for at in taken],
                )

    def list_parts(self) -> list[_SegmentRows]:
        """List the parts, by day."""
        return [part for _, parts in sorted(self._parts.items()) for part in parts]


class _SegmentWriter:
    """Writer of the files of one segment."""

    def __init__(
        self,
        layout: StoreLayout,
        engine: DuckDbEngine,
        journal: str,
        rows: _SegmentRows,
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

        self._engine.load_records("records", records)
        mark_crash_point("segment-begin")
        try:
            digest = copy_rows_to_segment(
                self._layout,
                self._engine,
                f"SELECT {NAMES} FROM ({build_decode_records_sql('records')})",  # noqa: S608
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
