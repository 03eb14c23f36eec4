"""Sources of the events of a store: sealed segments and journal tails."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from answerable.evidence.log_entries import JournalSealed, Manifest
from answerable.model.errors import EnvironmentRefused
from answerable.store import journal_files
from answerable.store.duckdb_engine import Engine, quoted
from answerable.store.event_columns import NAMES, from_canonical
from answerable.store.segments import sealed_since
from answerable.store.store_layout import Layout
from answerable.store.transparency_log import Log


@dataclass(frozen=True, slots=True)
class Parts:
    """Consistent set of segments and unsealed records.

    Attributes:
        segments: Sealed segments, newest events first.
        records: Canonical records that are not sealed yet, journal by journal.
        journals: Number of their journals.
        since: Segments sealed after the oldest of these journals was opened: a
            concurrent process may have stored the same records there.
    """

    layout: Layout
    segments: Sequence[Manifest]
    records: Sequence[bytes]
    journals: int
    since: Sequence[Manifest]

    @classmethod
    def read(cls, layout: Layout, log: Log) -> "Parts":
        """Read the current segments and journal tails."""
        # Journals first: one that is sealed meanwhile is then found in the log.
        tails = _tails(layout)
        entries = log.entries()
        sealed = {each.journal for each in entries if isinstance(each, JournalSealed)}
        tails = {
            name: tail for name, tail in tails.items() if tail and name not in sealed
        }
        records = [record for tail in tails.values() for record in tail]
        segments = [each for each in entries if isinstance(each, Manifest)]
        since = max(
            (sealed_since(entries, name) for name in tails), key=len, default=[]
        )
        # The newest are mostly asked for, and the engine stops where it has them.
        segments.sort(key=lambda each: int(each.max_time), reverse=True)
        return cls(layout, segments, records, len(tails), since)

    def file(self, segment: Manifest) -> str:
        """Return the path of a segment's file.

        Raises:
            EnvironmentRefused: There is a named pipe or the like, at which DuckDB
                waits.
        """
        path = self.layout.segment_file(segment.day, segment.segment, ".parquet")
        if path.exists() and not path.is_file():
            raise EnvironmentRefused(
                f"{path} is no regular file", "see: answerable evidence verify"
            )
        return str(path.absolute())

    def load(self, engine: Engine, table: str) -> None:
        """Load unsealed records into a table, each event once."""
        engine.load_records("tail_records", self.records)
        rows = from_canonical("tail_records")
        engine.run(f"CREATE OR REPLACE TABLE {table} AS {rows}")
        engine.connection.unregister("tail_records")
        if self.journals > 1:
            engine.run(
                f"DELETE FROM {table} WHERE n IN (SELECT n FROM {table} QUALIFY "  # noqa: S608 - our own names
                "row_number() OVER (PARTITION BY event_id, raw_sha256 ORDER BY n) > 1)"
            )
        if files := self._sealed_meanwhile(engine, table):
            engine.run(
                f"DELETE FROM {table} WHERE n IN (SELECT n FROM {table} SEMI JOIN "  # noqa: S608 - our own names
                f"{read_files(files)} USING (event_id, raw_sha256))"
            )

    def _sealed_meanwhile(self, engine: Engine, table: str) -> list[str]:
        """List the files that may contain records of the tails."""
        if not self.since:
            return []
        ((first, last),) = engine.run(
            f"SELECT min(event_time), max(event_time) FROM {table}"  # noqa: S608 - our own name
        )
        return [
            self.file(each)
            for each in self.since
            if int(each.min_time) <= cast("int", last)
            and cast("int", first) <= int(each.max_time)
        ]

    def events(self, tail: str) -> str:
        """Build the query of all events.

        Args:
            tail: Table created by `load`.
        """
        # A view of the files alone lets the engine read only the rows that it gives.
        parts = []
        if self.segments:
            files = read_files([self.file(each) for each in self.segments])
            parts.append(f"SELECT {NAMES} FROM {files}")  # noqa: S608 - our own names
        if self.records or not parts:
            parts.append(f"SELECT {NAMES} FROM {tail}")  # noqa: S608 - our own names
        return " UNION ALL ".join(parts)


def read_files(files: Sequence[str], more: str = "") -> str:
    """Build SQL that reads the rows of segment files."""
    listed = ", ".join(map(quoted, files))
    return (
        f"read_parquet([{listed}], union_by_name=true, hive_partitioning=false{more})"
    )


def _tails(layout: Layout) -> dict[str, list[bytes]]:
    tails: dict[str, list[bytes]] = {}
    for name in journal_files.names(layout):
        try:
            tails[name] = journal_files.tail(layout, name)
        except FileNotFoundError:
            continue
    return tails
