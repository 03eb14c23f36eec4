"""Queries over the events of a store on a Spark cluster.

The workers read the sealed segments where they are, and other files from a folder in the
store (`spark_files`), which is removed when the engine is closed.
"""

import shutil
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from answerable.model.errors import EnvironmentFailure, UsageError
from answerable.store.documented_views import VIEWS
from answerable.store.duckdb_engine import DuckDbEngine
from answerable.store.event_engine import EventEngine, SegmentReadFailure
from answerable.store.query_tables import NamedTable, ParquetTable
from answerable.store.search_index import INDEXED_COLUMNS_SQL, NOT_INDEXED
from answerable.store.spark_dialect import name_parameter, translate_query
from answerable.store.spark_files import (
    read_events,
    read_table,
    share_files,
    write_other_events,
)
from answerable.store.spark_session import open_spark_session, parse_master
from answerable.store.sql_dialects import SPARK
from answerable.store.temporary_folders import SPARK_PREFIX, make_temporary_folder
from answerable.store.user_select import Rows, parse_single_select
from answerable.store.view_tables import write_view_tables

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from answerable.store.event_sources import EventSources
    from answerable.store.query_engine import QueryLimits
    from answerable.store.store_layout import StoreLayout

_RAW_EVENTS = "events_raw"
# Parts of names of functions that call a method of Java by name.
_REFUSED_FUNCTIONS = ("reflect", "java_method")
_SKIMMED = (
    f"SELECT {INDEXED_COLUMNS_SQL}, {NOT_INDEXED} AS segment, 0 AS row FROM events e"  # noqa: S608 - our own names
)
_UNREADABLE_FILE = "FAILED_READ_FILE"
# DuckDB answers so; a SELECT of a user has Spark's own rules.
_TRUSTED_SETTINGS = {
    "spark.sql.ansi.enabled": "false",
    "spark.sql.ansi.doubleQuotedIdentifiers": "false",
}


class SparkEngine(EventEngine):
    """Engine that uses a cluster, from the first query on until it is closed.

    Args:
        layout: Layout of the store.
        address: Address of the master, spark://HOST:PORT.

    Raises:
        UsageError: The address has another form.
    """

    def __init__(self, layout: "StoreLayout", address: str) -> None:
        parse_master(address)
        self._layout, self._address = layout, address
        self._stack = ExitStack()
        self._sessions: tuple[SparkSession, SparkSession, Path] | None = None
        self._frames: dict[object, DataFrame] = {}
        self._others: dict[object, Path] = {}
        self._written = 0

    def close(self) -> None:
        """End the session, and remove its files."""
        self._sessions = None
        self._frames.clear()
        self._others.clear()
        self._stack.close()

    def run(
        self,
        sources: "EventSources",
        query: str,
        parameters: Sequence[object],
        tables: Mapping[str, NamedTable | ParquetTable],
    ) -> list[tuple[object, ...]]:
        """Run trusted SQL; see `EventEngine.run`."""
        trusted, _, _ = self._open()
        self._read_events(trusted, sources).createOrReplaceTempView("events")
        trusted.sql(
            f"CREATE OR REPLACE TEMPORARY VIEW skimmed AS {translate_query(_SKIMMED)}"
        )
        given = {name_parameter(n): value for n, value in enumerate(parameters)}
        with self._show_tables(trusted, tables), _translate_errors():
            frame = trusted.sql(translate_query(query), args=given)
            return _fetch_rows(frame)

    def check_select(self, text: str) -> None:
        """Refuse anything but one SELECT, and the clauses of Spark that run programs.

        DuckDB's grammar has no TRANSFORM ... USING, and no names of files in backticks.
        """
        import _duckdb as duckdb

        for name in _REFUSED_FUNCTIONS:
            if name in text.lower():
                raise UsageError(
                    f"sql: --engine refuses queries with {name!r}: it can call any Java "
                    "code",
                    "write the query without it, also in texts",
                )
        checker = DuckDbEngine(self._layout.segments)
        try:
            parse_single_select(checker, text)
        except duckdb.Error as error:
            raise UsageError(
                f"sql: {str(error).splitlines()[0]}",
                "--engine takes a SELECT that DuckDB and Spark both accept",
            ) from error
        finally:
            checker.close()

    def run_select(
        self,
        sources: "EventSources",
        text: str,
        tables: Mapping[str, NamedTable],
        limits: "QueryLimits",
    ) -> Rows:
        """Run a SELECT of a user; see `EventEngine.run_select`."""
        self.check_select(text)
        _, session, _ = self._open()
        self._read_events(session, sources).createOrReplaceTempView(_RAW_EVENTS)
        with self._show_tables(session, tables):
            for view in VIEWS:
                session.sql(SPARK.build_view_statement(view))
            return _run_select(session, text, limits)

    def _open(self) -> "tuple[SparkSession, SparkSession, Path]":
        """Return the sessions of trusted queries and of users, and our folder."""
        if self._sessions is None:
            with ExitStack() as stack:
                derived = self._layout.root / "derived"
                folder = stack.enter_context(
                    make_temporary_folder(derived, SPARK_PREFIX)
                )
                private = stack.enter_context(
                    tempfile.TemporaryDirectory(prefix="answerable-spark-")
                )
                session = stack.enter_context(
                    open_spark_session(self._address, Path(private))
                )
                trusted = session.newSession()
                for name, value in _TRUSTED_SETTINGS.items():
                    trusted.conf.set(name, value)
                self._sessions = trusted, session, folder
                self._stack = stack.pop_all()
        return self._sessions

    def _read_events(
        self, session: "SparkSession", sources: "EventSources"
    ) -> "DataFrame":
        """Return the events of sources; what is in no segment is written once."""
        state = hash(tuple(sources.journals.values())), tuple(sources.foreign)
        others = self._others.get(state)
        if others is None:
            others = self._choose_folder("others")
            write_other_events(sources, others)
            share_files(others.parent)
            self._others[state] = others
        key = id(session), state, tuple(each.segment for each in sources.segments)
        if key not in self._frames:
            with _translate_errors():
                self._frames[key] = read_events(session, sources, others)
        return self._frames[key]

    def _choose_folder(self, kind: str) -> Path:
        """Return the path of a new folder for the workers."""
        _, _, folder = self._open()
        self._written += 1
        return folder / f"{kind}-{self._written}"

    @contextmanager
    def _show_tables(
        self,
        session: "SparkSession",
        tables: Mapping[str, NamedTable | ParquetTable],
    ) -> Iterator[None]:
        """Show tables of one query to a session."""
        if not tables:
            yield
            return
        named = {n: t for n, t in tables.items() if isinstance(t, NamedTable)}
        folder = self._choose_folder("tables")
        write_view_tables(named, folder)
        share_files(folder.parent)
        try:
            for name, table in tables.items():
                frame = (
                    read_table(session, table, folder / name)
                    if isinstance(table, NamedTable)
                    else session.read.parquet(*(str(e.absolute()) for e in table.files))
                )
                frame.createOrReplaceTempView(name)
            yield
        finally:
            for name in tables:
                session.catalog.dropTempView(name)
            shutil.rmtree(folder, ignore_errors=True)


def _run_select(session: "SparkSession", text: str, limits: "QueryLimits") -> Rows:
    """Run a SELECT of a user, and fetch its rows.

    Raises:
        UsageError: It fails, takes too long or gives too many rows.
    """
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    expired = threading.Event()

    def cancel() -> None:
        expired.set()
        session.sparkContext.cancelAllJobs()

    timer = threading.Timer(limits.seconds, cancel) if limits.seconds else None
    if timer is not None:
        timer.start()
    try:
        frame = session.sql(text)
        if limits.rows:
            frame = frame.limit(limits.rows + 1)
        rows = _fetch_rows(frame)
    except (Py4JError, PySparkException) as error:
        if expired.is_set():
            raise UsageError(
                f"sql: the query took longer than {limits.seconds:g} seconds",
                "narrow the query, allow more time with --timeout, or add workers",
            ) from None
        if _UNREADABLE_FILE in str(error):
            raise _describe_failure(error) from error
        raise UsageError(
            f"sql: {_summarise_error(error)}", "--engine runs Spark's dialect of SQL"
        ) from error
    finally:
        if timer is not None:
            timer.cancel()
    if limits.rows and len(rows) > limits.rows:
        raise UsageError(
            f"sql: more than {limits.rows:,} rows",
            "count the rows, or limit them: LIMIT 100",
        )
    return tuple(frame.columns), rows


@contextmanager
def _translate_errors() -> Iterator[None]:
    """Translate an error of a trusted query.

    Raises:
        SegmentReadFailure: A segment file cannot be read.
        EnvironmentFailure: The cluster failed.
    """
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    try:
        yield
    except (Py4JError, PySparkException) as error:
        raise _describe_failure(error) from error


def _describe_failure(error: Exception) -> EnvironmentFailure:
    """Return the failure of the cluster that an error of Spark means."""
    kind = SegmentReadFailure if _UNREADABLE_FILE in str(error) else EnvironmentFailure
    return kind(
        f"the Spark cluster failed: {_summarise_error(error)}",
        "the workers must read the store at its path (deploy/spark/README.md); or leave "
        "out --engine",
    )


def _fetch_rows(frame: "DataFrame") -> list[tuple[object, ...]]:
    """Fetch the rows of a query, with the values that DuckDB gives."""
    return [tuple(map(_to_plain_value, row)) for row in frame.collect()]


def _to_plain_value(value: object) -> object:
    """Convert Spark's types of bytes and rows to those of DuckDB's answers."""
    from pyspark.sql import Row

    if isinstance(value, bytearray):
        return bytes(value)
    return value.asDict(recursive=True) if isinstance(value, Row) else value


def _summarise_error(error: Exception) -> str:
    """Return the first line of an error that says something."""
    text = str(getattr(error, "java_exception", None) or error)
    return next((line for line in text.splitlines() if line.strip()), "it failed")[:400]
