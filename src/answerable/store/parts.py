"""What the events of a store lie in: sealed segments, and the tails of journals."""

from collections.abc import Sequence
from dataclasses import dataclass

from answerable.evidence.records import JournalSealed, Manifest
from answerable.store import journals
from answerable.store.columns import NAMES, from_canonical
from answerable.store.engine import Engine, quoted
from answerable.store.layout import Layout
from answerable.store.log import Log


@dataclass(frozen=True, slots=True)
class Parts:
    """All parts at one moment.

    Attributes:
        layout: Where they are.
        segments: Sealed ones, those with the newest events first.
        records: Canonical records that are not sealed yet.
    """

    layout: Layout
    segments: Sequence[Manifest]
    records: Sequence[bytes]

    @classmethod
    def read(cls, layout: Layout, log: Log) -> "Parts":
        """Look what there is."""
        # Journals first: one that is sealed meanwhile is then found in the log.
        tails = _tails(layout)
        entries = log.entries()
        sealed = {each.journal for each in entries if isinstance(each, JournalSealed)}
        records = [
            r for name, tail in tails.items() if name not in sealed for r in tail
        ]
        segments = [each for each in entries if isinstance(each, Manifest)]
        # The newest are mostly asked for, and the engine stops where it has them.
        segments.sort(key=lambda each: int(each.max_time), reverse=True)
        return cls(layout, segments, records)

    def file(self, segment: Manifest) -> str:
        """Name the file of a segment."""
        path = self.layout.segment_file(segment.day, segment.segment, ".parquet")
        return str(path.absolute())

    def load(self, engine: Engine, table: str) -> None:
        """Copy what is not sealed into a table."""
        engine.load_records("tail_records", self.records)
        rows = from_canonical("tail_records")
        engine.run(f"CREATE OR REPLACE TABLE {table} AS {rows}")
        engine.connection.unregister("tail_records")

    def events(self, tail: str) -> str:
        """Give the query of all events.

        Args:
            tail: The table that `load` made.
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
    """Spell the rows of files of segments, for a query."""
    listed = ", ".join(map(quoted, files))
    return (
        f"read_parquet([{listed}], union_by_name=true, hive_partitioning=false{more})"
    )


def _tails(layout: Layout) -> dict[str, list[bytes]]:
    tails: dict[str, list[bytes]] = {}
    for name in journals.names(layout):
        try:
            tails[name] = journals.tail(layout, name)
        except FileNotFoundError:
            continue
    return tails
