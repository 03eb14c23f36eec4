"""Events of another system that queries read with the store's own, unsealed.

They are kept in the columns of a segment, in a spill folder of this process, and are
gone when it ends: nothing of them enters the store, and the store proves none of them.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from answerable.evidence.record_encoding import encode_canonical_record
from answerable.model.event import AuditEvent
from answerable.store.duckdb_engine import DuckDbEngine, quote_text
from answerable.store.event_columns import COLUMNS, NAMES, build_decode_records_sql
from answerable.store.spill_folders import SpillFolder

if TYPE_CHECKING:
    from answerable.store.store import EvidenceStore

# Events in one file, and held in memory until it is written.
_FILE_EVENTS = 100_000
_MAX_CONFLICTS = 1000  # ids that are kept
# Columns that do not belong to the content of an event.
_NOT_CONTENT = frozenset({"raw_sha256", "ingest_time", "salt"})
_CONTENT = ", ".join(f'"{name}"' for name in COLUMNS if name not in _NOT_CONTENT)


class ForeignEvents:
    """Events that were read in place, as Parquet files of a spill folder.

    Args:
        since: UTC nanoseconds; earlier events are read for joins only, and are no rows
            of the views.

    Attributes:
        files: Their files.
        earlier_files: Those files that have events before `since`.
        count: Number of events.
        earlier: Number of events before `since`.
        duplicates: Number of rows that repeat an event.
        conflicts: Ids of events that have rows with different content, at most 1,000.
    """

    def __init__(self, since: int = 0) -> None:
        self._spill = SpillFolder()
        self.folder = Path(self._spill.name)
        self._since = since
        self.files: list[str] = []
        self.earlier_files: list[str] = []
        self.count = self.earlier = self.duplicates = 0
        self.conflicts: list[str] = []
        self._records: dict[tuple[str, bool], list[bytes]] = {}
        self._held = 0

    def add(self, events: Sequence[AuditEvent], now: int, table_format: str) -> None:
        """Add events of a table; full files are written.

        Args:
            events: The events.
            now: UTC nanoseconds.
            table_format: Format of the table. Rows of one event in two formats have
                different digests, and are no conflict if the content is the same.

        Raises:
            EnvironmentFailure: The disk of the spill folder is full.
        """
        for each in events:
            key = table_format, each.event_time < self._since
            record = encode_canonical_record(each, now, b"")
            self._records.setdefault(key, []).append(record)
        self._held += len(events)
        if self._held >= _FILE_EVENTS:
            self._write_held_records()

    def finish(self) -> None:
        """Write the events that are held, and remove the rows that repeat an event.

        The rows are compared by DuckDB, in its limited memory.
        """
        self._write_held_records()
        if not self.files:
            return
        engine = DuckDbEngine(self.folder)
        try:
            self._remove_duplicates(engine)
            self.count = self._count_rows(engine, self.files)
            self.earlier = self._count_rows(engine, self.earlier_files)
        finally:
            engine.close()

    def close(self) -> None:
        """Remove the files."""
        self._spill.cleanup()

    def _write_held_records(self) -> None:
        """Write the records that are held in memory, a file per format and time."""
        for (table_format, is_earlier), records in self._records.items():
            file = str(self.folder / f"{table_format}-{len(self.files)}.parquet")
            engine = DuckDbEngine(self.folder)
            try:
                engine.load_records("records", records)
                decoded = f"({build_decode_records_sql('records')})"
                _copy_rows(engine, f"SELECT {NAMES} FROM {decoded}", file)  # noqa: S608 - our own names
            finally:
                engine.close()
            self.files.append(file)
            if is_earlier:
                self.earlier_files.append(file)
        self._records, self._held = {}, 0

    def _remove_duplicates(self, engine: DuckDbEngine) -> None:
        """Keep one row per event and content, and list the events with several."""
        every = _build_rows_sql(self.files)
        engine.run(
            "CREATE TABLE repeated AS SELECT event_id FROM "  # noqa: S608 - our own names
            f"{every} GROUP BY event_id HAVING count(*) > 1"
        )
        if not engine.run("SELECT 1 FROM repeated LIMIT 1"):
            return
        # Of one format, rows with other digests are other records of the event.
        engine.run(
            "CREATE TABLE kinds AS SELECT filename, file_row_number, event_id, "  # noqa: S608 - our own names
            "parse_filename(filename) AS file, raw_sha256, "
            f"dense_rank() OVER (PARTITION BY event_id ORDER BY {_CONTENT}) AS content "
            f"FROM {every} SEMI JOIN repeated USING (event_id)"
        )
        engine.run(
            "CREATE TABLE kept AS SELECT filename, file_row_number, event_id FROM ("
            "SELECT * FROM kinds QUALIFY row_number() OVER (PARTITION BY event_id, "
            "content, split_part(file, '-', 1), raw_sha256 ORDER BY filename, "
            "file_row_number) = 1) QUALIFY split_part(file, '-', 1) = first_value("
            "split_part(file, '-', 1)) OVER (PARTITION BY event_id, content "
            "ORDER BY filename, file_row_number)"
        )
        engine.run(
            "CREATE TABLE removed AS SELECT filename, file_row_number FROM kinds "
            "ANTI JOIN kept USING (filename, file_row_number)"
        )
        self.duplicates = self._count_table(engine, "removed")
        found = engine.run(
            "SELECT lower(hex(event_id)) FROM kept GROUP BY event_id "  # noqa: S608 - our own number
            f"HAVING count(*) > 1 ORDER BY event_id LIMIT {_MAX_CONFLICTS}"
        )
        self.conflicts = [str(row[0]) for row in found]
        written: dict[str, str] = {}
        for (name,) in engine.run("SELECT DISTINCT filename FROM removed"):
            # The engine keeps what it read of a file: the name is a new one.
            file, written[str(name)] = str(name), f"{name}.once.parquet"
            left = f"{_build_rows_sql([file])} ANTI JOIN removed"
            query = f"SELECT {NAMES} FROM {left} USING (filename, file_row_number)"  # noqa: S608 - our own names
            _copy_rows(engine, query, written[file])
            Path(file).unlink()
        self.files = [written.get(each, each) for each in self.files]
        self.earlier_files = [written.get(each, each) for each in self.earlier_files]

    def _count_rows(self, engine: DuckDbEngine, files: Sequence[str]) -> int:
        """Count the rows of files."""
        return self._count_table(engine, _build_rows_sql(files)) if files else 0

    def _count_table(self, engine: DuckDbEngine, table: str) -> int:
        """Count the rows of a table."""
        ((count,),) = engine.run(f"SELECT count(*) FROM {table}")  # noqa: S608 - our own name
        return cast("int", count)


def _build_rows_sql(files: Sequence[str]) -> str:
    """Build SQL of the rows of files, each with its file and number."""
    listed = ", ".join(map(quote_text, files))
    return f"read_parquet([{listed}], filename=true, file_row_number=true)"


def _copy_rows(engine: DuckDbEngine, rows: str, file: str) -> None:
    """Write the rows of a query as a file."""
    engine.run(
        f"COPY ({rows} ORDER BY identity, event_time) TO {quote_text(file)} "
        "(FORMAT parquet, COMPRESSION zstd)"
    )


def read_foreign_events(store: "EvidenceStore", events: ForeignEvents) -> None:
    """Answer the queries of an open store over these events, too.

    Derived data is then kept with them: that of the store is of its own events.
    """
    store.derived = events.folder / "derived"
    store.queries.read_with(events)


def find_stored_event_ids(
    store: "EvidenceStore", source: str, events: Sequence[AuditEvent]
) -> frozenset[bytes]:
    """Find those events of a source that the store has already, by id."""
    if not events:
        return frozenset()
    times = [each.event_time for each in events]
    query = (
        "SELECT event_id FROM skimmed WHERE source = ? AND event_time >= ? "
        "AND event_time <= ?"
    )
    rows = store.run_query(query, [source, min(times), max(times)])
    mine = {each.event_id for each in events}
    return frozenset(cast("bytes", row[0]) for row in rows) & mine
