"""Queries over everything sealed and the journals' tails."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from answerable.evidence.records import JournalSealed, Manifest
from answerable.model.errors import UsageError
from answerable.store import journals
from answerable.store.columns import NAMES, from_canonical, readable
from answerable.store.engine import Engine, quoted
from answerable.store.layout import Layout
from answerable.store.log import Log
from answerable.store.tables import NamedTable, quoted_name, register

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

SEALED = "events_raw"


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a person's SQL may take; zeros for as much as it takes.

    Attributes:
        rows: Most rows.
        seconds: Longest.
    """

    rows: int = 0
    seconds: float = 0.0


UNBOUND = Bounds()


class Query:
    """A trusted connection with a view `events` that is kept up to date."""

    def __init__(self, layout: Layout, log: Log) -> None:
        self._layout, self._log = layout, log
        self._engine: Engine | None = None
        self._state: object = None

    def close(self) -> None:
        """Close the connection."""
        if self._engine is not None:
            self._engine.close()
            self._engine = None

    def rows(
        self,
        query: str,
        parameters: Sequence[object],
        tables: Mapping[str, NamedTable],
    ) -> list[tuple[object, ...]]:
        """Run our own SQL; extra tables live for this call."""
        engine = self._ready()
        for name, table in tables.items():
            register(engine, name, table)
        try:
            return engine.run(query, parameters)
        finally:
            for name in tables:
                engine.run(f"DROP TABLE IF EXISTS {quoted_name(name)}")

    def select(
        self,
        text: str,
        tables: Mapping[str, NamedTable],
        views: Mapping[str, str],
        bounds: Bounds = UNBOUND,
    ) -> tuple[tuple[str, ...], list[tuple[object, ...]]]:
        """Run a person's SQL: one SELECT, on a connection of its own.

        Raises:
            UsageError: It is not exactly one SELECT, or the engine cannot run it.
        """
        import duckdb

        engine = Engine(self._layout.segments)
        try:
            statements = engine.connection.extract_statements(text)
            if (
                len(statements) != 1
                or statements[0].type != duckdb.StatementType.SELECT
            ):
                raise UsageError(
                    f"sql takes exactly one SELECT (got {len(statements)} statements "
                    "or another kind)",
                    "the store is never changed through sql",
                )
            _prepare(engine, self._layout, self._log, SEALED)
            engine.run(f"CREATE VIEW events AS SELECT {readable()} FROM {SEALED}")  # noqa: S608
            for name, table in tables.items():
                register(engine, name, table)
            for name, body in views.items():
                engine.run(f"CREATE VIEW {quoted_name(name)} AS {body}")
            # A WITH may hold a DELETE: nothing may be written, not even in memory.
            engine.run("BEGIN TRANSACTION READ ONLY")
            with _within(engine, bounds.seconds):
                result = engine.connection.execute(statements[0])
                columns = tuple(str(column[0]) for column in result.description or ())
                return columns, _rows(result, bounds.rows)
        except duckdb.InterruptException:
            raise UsageError(
                f"sql: it took longer than {bounds.seconds:g} seconds",
                "ask for less, a day at a time: WHERE event_time >= ...",
            ) from None
        except duckdb.Error as error:
            raise UsageError(
                f"sql: {str(error).splitlines()[0]}",
                "the views and their columns: SELECT * FROM information_schema.columns",
            ) from error
        finally:
            engine.close()

    def _ready(self) -> Engine:
        state = self._fingerprint()
        if self._engine is None:
            self._engine = Engine(self._layout.segments)
            self._state = None
        if state != self._state:
            _prepare(self._engine, self._layout, self._log, "events")
            self._state = state
        return self._engine

    def _fingerprint(self) -> object:
        tails = []
        for name in journals.names(self._layout):
            try:
                tails.append((name, self._layout.journal_file(name).stat().st_size))
            except FileNotFoundError:
                continue
        return self._log.checkpoint(), tails


@contextmanager
def _within(engine: Engine, seconds: float) -> Iterator[None]:
    """Stop what takes longer."""
    if not seconds:
        yield
        return
    timer = threading.Timer(seconds, engine.connection.interrupt)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _rows(result: "DuckDBPyConnection", most: int) -> list[tuple[object, ...]]:
    if not most:
        return result.fetchall()
    rows = result.fetchmany(most + 1)
    if len(rows) > most:
        raise UsageError(
            f"sql: more than {most:,} rows", "count them, or ask for fewer: LIMIT 100"
        )
    return rows


def _prepare(engine: Engine, layout: Layout, log: Log, view: str) -> None:
    """Point a view at the segments, and copy the journals' tails beside them."""
    # Journals first: one that is sealed meanwhile is then found in the log.
    tails = _tails(layout)
    entries = log.entries()
    sealed = {entry.journal for entry in entries if isinstance(entry, JournalSealed)}
    records = [r for name, tail in tails.items() if name not in sealed for r in tail]
    engine.load_records("tail_records", records)
    engine.run(f"CREATE OR REPLACE TABLE tail AS {from_canonical('tail_records')}")
    engine.connection.unregister("tail_records")
    files = [
        layout.segment_file(entry.day, entry.segment, ".parquet").absolute()
        for entry in entries
        if isinstance(entry, Manifest)
    ]
    # A view of the files alone lets the engine read only the rows that it gives.
    parts = [f"SELECT {NAMES} FROM tail"] if records or not files else []  # noqa: S608 - our own names
    if files:
        listed = ", ".join(quoted(str(file)) for file in files)
        parts.insert(
            0,
            f"SELECT {NAMES} FROM "  # noqa: S608 - our own names
            f"read_parquet([{listed}], union_by_name=true, hive_partitioning=false)",
        )
    engine.run(f"CREATE OR REPLACE VIEW {view} AS {' UNION ALL '.join(parts)}")


def _tails(layout: Layout) -> dict[str, list[bytes]]:
    tails: dict[str, list[bytes]] = {}
    for name in journals.names(layout):
        try:
            tails[name] = journals.tail(layout, name)
        except FileNotFoundError:
            continue
    return tails
