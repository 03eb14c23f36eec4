"""One SELECT of a user, on a separate, locked-down connection.

Views and tables are created only where the query or a view that it uses names them.
"""

import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import _duckdb as duckdb

from answerable.model.errors import UsageError
from answerable.store.documented_views import EVENTS
from answerable.store.duckdb_engine import (
    MEMORY_LIMIT,
    DuckDbEngine,
)
from answerable.store.event_sources import create_event_view
from answerable.store.query_tables import (
    NamedTable,
    ParquetTable,
    quote_name,
    register_table,
)
from answerable.store.query_views import ViewDefinitions
from answerable.store.sql_dialects import DUCKDB

if TYPE_CHECKING:
    from answerable.store.event_sources import EventSources
    from answerable.store.query_engine import QueryLimits

_RAW_EVENTS = "events_raw"
_EVENTS_SQL = DUCKDB.build_select(EVENTS)
# A query with one of these may list all views.
_CATALOG_WORDS = (
    "information_schema",
    "duckdb_",
    "pg_",
    "pragma_",
    "sqlite_",
    "show",
)
Rows = tuple[tuple[str, ...], list[tuple[object, ...]]]


@dataclass(frozen=True, slots=True)
class UserSelect:
    """SELECT of a user, with the views and tables that it may name."""

    text: str
    definitions: ViewDefinitions
    limits: "QueryLimits"

    def run(self, segments: Path, read_sources: "Callable[[], EventSources]") -> Rows:
        """Run the query.

        Args:
            segments: Folder of the segments.
            read_sources: Reads the current segments and unsealed records.

        Raises:
            UsageError: It is not exactly one SELECT, or it has too many rows.
            duckdb.Error: It cannot be run.
        """
        needed = self._select_needed_names()
        try:
            return self._run_with(needed, segments, read_sources)
        except duckdb.CatalogException:
            if needed == self._list_names():
                raise
        # The query composes the name of a view.
        return self._run_with(self._list_names(), segments, read_sources)

    def _list_names(self) -> set[str]:
        """List the names of all views and tables."""
        return {
            *self.definitions.tables,
            *self.definitions.views,
            "events",
            _RAW_EVENTS,
        }

    def _select_needed_names(self) -> set[str]:
        """Select the views and tables that the query, or a needed view, names."""
        asked, names = self.text.lower(), self._list_names()
        if any(word in asked for word in _CATALOG_WORDS):
            return names
        needed = {name for name in names if name.lower() in asked}
        for name, body in self.definitions.views.items():
            if name in needed:
                needed |= {each for each in names if each in body}
        return needed | {_RAW_EVENTS} if "events" in needed else needed

    def _run_with(
        self,
        names: Collection[str],
        segments: Path,
        read_sources: "Callable[[], EventSources]",
    ) -> Rows:
        """Run the query with some of the views and tables."""
        tables = {
            name: build()
            for name, build in self.definitions.tables.items()
            if name in names
        }
        shown = [t for t in tables.values() if isinstance(t, ParquetTable)]
        files = [file for table in shown for file in table.files]
        sources = read_sources() if _RAW_EVENTS in names else None
        if sources is not None:
            files += map(Path, sources.foreign)
        engine = DuckDbEngine(segments, files=files)
        try:
            statement = parse_single_select(engine, self.text)
            if sources is not None:
                create_event_view(engine, sources, _RAW_EVENTS, with_files=False)
                _create_view(engine, "events", _EVENTS_SQL)
            for name, table in tables.items():
                _create_table(engine, name, table)
            for name, body in self.definitions.views.items():
                if name in names:
                    _create_view(engine, name, body)
            # A WITH may hold a DELETE: nothing may be written, not even in memory.
            engine.run("BEGIN TRANSACTION READ ONLY")

            def call() -> Rows:
                result = engine.connection.execute(statement)
                columns = tuple(str(column[0]) for column in result.description or ())
                return columns, _fetch_rows(result, self.limits.rows)

            with _interrupt_after(engine, self.limits.seconds):
                return engine.run_interruptible(call)
        finally:
            engine.close()


def parse_single_select(engine: DuckDbEngine, text: str) -> duckdb.Statement:
    """Parse a query of a user; anything but one SELECT is an error.

    Raises:
        UsageError: It has several statements, or one of another kind.
        duckdb.Error: It has a syntax error.
    """
    statements = engine.connection.extract_statements(text)
    if len(statements) == 1 and statements[0].type == duckdb.StatementType.SELECT:
        return statements[0]
    raise UsageError(
        f"sql takes exactly one SELECT statement (got {len(statements)} "
        "statements or another kind)",
        "`sql` cannot change the store",
    )


def _create_view(engine: DuckDbEngine, name: str, body: str) -> None:
    """Create a view of a trusted SELECT."""
    engine.run(f"CREATE VIEW {quote_name(name)} AS {body}")


def _create_table(
    engine: DuckDbEngine, name: str, table: NamedTable | ParquetTable
) -> None:
    """Create a table of rows, or a view of Parquet files."""
    if isinstance(table, NamedTable):
        register_table(engine, name, table)
        return
    _create_view(engine, name, f"SELECT * FROM {table.build_rows_sql()}")  # noqa: S608 - quoted


@contextmanager
def _interrupt_after(engine: DuckDbEngine, seconds: float) -> Iterator[None]:
    """Interrupt the query within the context after a time limit."""
    if not seconds:
        yield
        return
    timer = threading.Timer(seconds, engine.connection.interrupt)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _fetch_rows(
    result: duckdb.DuckDBPyConnection, max_rows: int
) -> list[tuple[object, ...]]:
    """Fetch all rows; more than the limit are an error."""
    if not max_rows:
        return result.fetchall()
    rows = result.fetchmany(max_rows + 1)
    if len(rows) > max_rows:
        raise UsageError(
            f"sql: more than {max_rows:,} rows",
            "count the rows, or limit them: LIMIT 100",
        )
    return rows


@contextmanager
def translate_engine_errors(limits: "QueryLimits") -> Iterator[None]:
    """Translate DuckDB's errors about a query of the user.

    Raises:
        UsageError: DuckDB cannot run the query, or not within its limits.
    """
    try:
        yield
    except duckdb.InterruptException:
        raise UsageError(
            f"sql: the query took longer than {limits.seconds:g} seconds",
            "narrow the query, e.g. to one day: WHERE event_time >= ...",
        ) from None
    except duckdb.OutOfMemoryException:
        raise UsageError(
            f"sql: the query needs more memory than its limit of {MEMORY_LIMIT}",
            "narrow the query, e.g. to one day: WHERE event_time >= ...; or run it on a "
            "cluster: --engine spark://HOST:PORT",
        ) from None
    except duckdb.Error as error:
        raise UsageError(
            f"sql: {str(error).splitlines()[0]}",
            "the views and their columns: SELECT * FROM information_schema.columns",
        ) from error
