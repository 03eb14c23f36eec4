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
from answerable.store.event_columns import NAMES, build_decode_records_sql
from answerable.store.spill_folders import SpillFolder

if TYPE_CHECKING:
    from answerable.store.store import EvidenceStore

# Events in one file, and held in memory until it is written.
_FILE_EVENTS = 100_000


class ForeignEvents:
    """Events that were read in place, as Parquet files of a spill folder."""

    def __init__(self) -> None:
        self._spill = SpillFolder()
        self.folder = Path(self._spill.name)
        self.files: list[str] = []
        self.count = 0
        self._records: list[bytes] = []

    def add(self, events: Sequence[AuditEvent], now: int) -> None:
        """Add events; a full file is written.

        Raises:
            EnvironmentFailure: The disk of the spill folder is full.
        """
        self._records += [encode_canonical_record(each, now, b"") for each in events]
        self.count += len(events)
        if len(self._records) >= _FILE_EVENTS:
            self.flush()

    def flush(self) -> None:
        """Write the events that are held in memory."""
        if not self._records:
            return
        file = self.folder / f"events-{len(self.files)}.parquet"
        engine = DuckDbEngine(self.folder)
        try:
            engine.load_records("records", self._records)
            engine.run(
                f"COPY (SELECT {NAMES} FROM ({build_decode_records_sql('records')}) "  # noqa: S608 - our own names
                f"ORDER BY identity, event_time) TO {quote_text(str(file))} "
                "(FORMAT parquet, COMPRESSION zstd)"
            )
        finally:
            engine.close()
        self.files.append(str(file))
        self._records = []

    def close(self) -> None:
        """Remove the files."""
        self._spill.cleanup()


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
