"""Build SQL over all events of a store: sealed segments and unsealed records."""

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, cast

from answerable.evidence.log_entries import JournalSealed, SegmentManifest
from answerable.store import journal_files
from answerable.store.duckdb_engine import DuckDbEngine, quote_text
from answerable.store.event_columns import (
    NAMES,
    ROW_NUMBER_SQL,
    build_decode_records_sql,
)
from answerable.store.event_engine import SegmentReadFailure
from answerable.store.segment_writer import list_segments_sealed_since
from answerable.store.store_layout import StoreLayout
from answerable.store.transparency_log import TransparencyLog

if TYPE_CHECKING:
    from answerable.store.damaged_segments import DamagedFiles
    from answerable.store.segment_scope import SegmentScope
    from answerable.store.segment_statistics import SegmentStatistics

# More unsealed records are loaded through Arrow, which takes longer to import.
_MAX_LISTED_RECORDS = 200
_RECORDS_PER_LOAD = 10_000  # a killed ingest may leave ten times as many


@dataclass(frozen=True, slots=True)
class EventSources:
    """Consistent set of segments and unsealed records.

    Attributes:
        segments: Readable sealed segments, newest events first.
        journals: Content of the journals with records that are not sealed yet, by name.
        newer_segments: Segments sealed after the oldest of these journals was opened: a
            concurrent process may have stored the same records there.
        statistics: Statistics of segments by name; a segment without is read always.
        foreign: Files of events that were read in place elsewhere.
    """

    layout: StoreLayout
    segments: Sequence[SegmentManifest]
    journals: Mapping[str, bytes]
    newer_segments: Sequence[SegmentManifest]
    statistics: "Mapping[str, SegmentStatistics]" = field(default_factory=dict)
    foreign: Sequence[str] = ()

    @classmethod
    def read(
        cls, layout: StoreLayout, log: TransparencyLog, damaged: "DamagedFiles"
    ) -> "EventSources":
        """Read the list of current segments and the unsealed journal records.

        Args:
            layout: Layout of the store.
            log: Log of the store.
            damaged: Segments whose files are known to be damaged; they are left out.
        """
        # Journals first: one that is sealed meanwhile is then found in the log.
        journals = journal_files.read_journals_with_records(layout)
        entries = log.entries()
        sealed = {each.journal for each in entries if isinstance(each, JournalSealed)}
        journals = {n: data for n, data in journals.items() if n not in sealed}
        live = log.list_live(entries)
        if layout.remote is not None:
            from answerable.store.segment_cache import trim_segments

            trim_segments(layout, live, layout.remote.cache_bytes)
        unreadable: Collection[str] = ()
        if damaged or not all(layout.has_segment_file(e.day, e.segment) for e in live):
            from answerable.store.damaged_segments import find_unreadable_segments

            unreadable = find_unreadable_segments(layout, live, damaged)
        segments = [each for each in live if each.segment not in unreadable]
        since = max(
            (list_segments_sealed_since(entries, name) for name in journals),
            key=len,
            default=[],
        )
        # The newest are mostly asked for, and the engine stops where it has them.
        segments.sort(key=lambda each: int(each.max_time), reverse=True)
        since = [each for each in since if each.segment not in unreadable]
        return cls(layout, segments, journals, since)

    def segment_path(self, segment: SegmentManifest) -> str:
        """Return the path of a segment's Parquet file, which is in the local folder."""
        self.layout.require_segments([segment])
        # A path object of each takes most of the time of a large store.
        name = f"segments/day={segment.day}/{segment.segment}.parquet"
        return f"{self.layout.root.absolute()}/{name}"

    def build_newer_scope(self, scope: "SegmentScope | None" = None) -> "SegmentScope":
        """Build the scope of the events in none of these segments.

        Events that are unsealed here may be in a newer segment when a query runs.

        Args:
            scope: Conditions that the rows meet, too.
        """
        from answerable.store.segment_scope import SegmentScope

        names = frozenset(each.segment for each in self.segments)
        return replace(scope or SegmentScope(), without=names)

    def is_contained_in(self, later: "EventSources") -> bool:
        """Return whether later sources have all these segments still.

        Compaction gives their rows to another segment.
        """
        names = {each.segment for each in later.segments}
        return all(each.segment in names for each in self.segments)

    def without_foreign(self, files: Collection[str]) -> "EventSources":
        """Return the sources without some files of foreign events."""
        return replace(self, foreign=[e for e in self.foreign if e not in files])

    def select_segments(self, scope: "SegmentScope") -> "EventSources":
        """Return the sources without the segments that cannot match a scope."""
        known = self.statistics
        return replace(
            self,
            segments=[
                each
                for each in self.segments
                if scope.may_match(each, known.get(each.segment))
            ],
        )

    def load_unsealed_records_into(self, engine: DuckDbEngine, table: str) -> None:
        """Load unsealed journal records into a table, each event once."""
        count, create = 0, f"CREATE OR REPLACE TABLE {table} AS"
        for records in self._read_unsealed_records():
            _load_records(engine, records, create, count)
            count, create = count + len(records), f"INSERT INTO {table}"
        if len(self.journals) > 1:
            engine.run(
                f"DELETE FROM {table} WHERE n IN (SELECT n FROM {table} QUALIFY "  # noqa: S608 - our own names
                "row_number() OVER (PARTITION BY event_id, raw_sha256 ORDER BY n) > 1)"
            )
        if files := self._list_possibly_duplicate_files(engine, table):
            engine.run(
                f"DELETE FROM {table} WHERE n IN (SELECT n FROM {table} SEMI JOIN "  # noqa: S608 - our own names
                f"{build_segment_rows_sql(files)} USING (event_id, raw_sha256))"
            )

    def _read_unsealed_records(self) -> Iterator[list[bytes]]:
        """Yield the unsealed records in parts; at least one, which may be empty."""
        part: list[bytes] = []
        for name, data in self.journals.items():
            part += journal_files.decode_unsealed_records(data, name)
            while len(part) > _RECORDS_PER_LOAD:
                yield part[:_RECORDS_PER_LOAD]
                del part[:_RECORDS_PER_LOAD]
        yield part

    def _list_possibly_duplicate_files(
        self, engine: DuckDbEngine, table: str
    ) -> list[str]:
        """List segment files that may contain records of the journals, too."""
        if not self.newer_segments:
            return []
        ((first, last),) = engine.run(
            f"SELECT min(event_time), max(event_time) FROM {table}"  # noqa: S608 - our own name
        )
        return [
            self.segment_path(each)
            for each in self.newer_segments
            if int(each.min_time) <= cast("int", last)
            and cast("int", first) <= int(each.max_time)
        ]

    def build_events_sql(self, tail_table: str, *, with_files: bool = False) -> str:
        """Build the SQL query of all events, sealed and unsealed.

        Args:
            tail_table: Table created by `load_unsealed_records_into`.
            with_files: Add the columns of `FILE_COLUMNS`.

        Raises:
            SegmentReadFailure: A file is not the one that was sealed.
        """
        file = f", filename AS file, {ROW_NUMBER_SQL} AS file_row" if with_files else ""
        no_file = ", '' AS file, 0 AS file_row" if with_files else ""
        # A view of the files alone lets the engine read only the rows that it gives.
        self.layout.require_segments(self.segments)  # in parallel
        parts = []
        complete: list[str] = []
        incomplete: list[str] = [*self.foreign]
        for each in self.segments:
            known = self.statistics.get(each.segment)
            listed = complete if known is not None and known.complete else incomplete
            listed.append(self._get_sized_path(each))
        if complete:
            # Of files with the same columns, the engine opens only the first to plan.
            rows = build_segment_rows_sql(complete, same_columns=True)
            parts.append(f"SELECT {NAMES}{file} FROM {rows}")  # noqa: S608 - our own names
        if incomplete:
            rows = build_segment_rows_sql(incomplete)
            parts.append(f"SELECT {NAMES}{no_file} FROM {rows}")  # noqa: S608 - our own names
        if self.journals or not parts:
            parts.append(f"SELECT {NAMES}{no_file} FROM {tail_table}")  # noqa: S608 - our own names
        return " UNION ALL ".join(parts)

    def require_sizes(self) -> None:
        """Check that each segment file has the size that it was sealed with.

        Raises:
            SegmentReadFailure: A file is not the one that was sealed.
        """
        for each in self.segments:
            self._get_sized_path(each)

    def _get_sized_path(self, segment: SegmentManifest) -> str:
        """Return the path of a segment's file; see `require_sizes`."""
        path, known = self.segment_path(segment), self.statistics.get(segment.segment)
        if known is not None and not _has_size(path, known.size):
            raise SegmentReadFailure(f"a segment file has another size: {path}")
        return path


def read_store_state(layout: StoreLayout, log: TransparencyLog) -> object:
    """Read the checkpoint and the sizes of the journals, which change with each write."""
    tails = []
    for name in layout.list_journals():
        with suppress(FileNotFoundError):
            tails.append((name, layout.journal_file(name).stat().st_size))
    return log.checkpoint(), tails


def _has_size(path: str, size: int) -> bool:
    """Return whether a file has a size; 0 if its size is not known."""
    try:
        return size in (0, os.stat(path).st_size)
    except OSError:
        return False


def create_event_view(
    engine: DuckDbEngine,
    sources: EventSources,
    view: str,
    *,
    has_tail: bool = False,
    with_files: bool = True,
) -> bool:
    """Create a view over the segments, and a table of unsealed records if any.

    Args:
        engine: Engine of the view.
        sources: Segments and unsealed records.
        view: Name of the view.
        has_tail: The engine has the table of these unsealed records.
        with_files: Add the columns of `FILE_COLUMNS`.

    Returns:
        Whether the engine has that table now.

    Raises:
        SegmentReadFailure: A segment file lacks a column, so it is damaged.
    """
    import _duckdb as duckdb

    if not has_tail and (sources.journals or not sources.segments):
        sources.load_unsealed_records_into(engine, "tail")
        has_tail = True
    rows = sources.build_events_sql("tail", with_files=with_files)
    query = f"CREATE OR REPLACE VIEW {view} AS {rows}"
    try:
        engine.run(query)
    except duckdb.BinderException as error:
        raise SegmentReadFailure("a segment file has other columns") from error
    return has_tail


def build_segment_rows_sql(
    files: Sequence[str], options: str = "", *, same_columns: bool = False
) -> str:
    """Build SQL that reads the rows of segment files.

    Args:
        files: Their paths.
        options: Further options of `read_parquet`.
        same_columns: All files have the columns of the first.
    """
    listed = ", ".join(map(quote_text, files))
    by_name = "false" if same_columns else "true"
    return (
        f"read_parquet([{listed}], union_by_name={by_name}, "
        f"hive_partitioning=false{options})"
    )


def _load_records(
    engine: DuckDbEngine, records: Sequence[bytes], create: str, count: int
) -> None:
    """Decode canonical records into rows of a table.

    Args:
        engine: Engine of the table.
        records: The records.
        create: SQL that precedes the query of the rows.
        count: Number of rows that the table has.
    """
    if len(records) <= _MAX_LISTED_RECORDS:
        listed = (
            f"SELECT unnest(range({count}, {count} + len(r)))::INTEGER AS n, "
            "unnest(r) AS record"
        )
        rows = build_decode_records_sql(f"({listed} FROM (SELECT ?::VARCHAR[] AS r))")
        engine.run(f"{create} {rows}", [[record.decode() for record in records]])
        return
    engine.load_records("tail_records", records, count)
    engine.run(f"{create} {build_decode_records_sql('tail_records')}")
    engine.connection.unregister("tail_records")
