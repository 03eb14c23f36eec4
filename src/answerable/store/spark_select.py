"""Run a SELECT of a user on a Spark cluster over the segments and tables of a store.

The workers read the sealed segments where they are. Other events (unsealed records, and
those of a lake) and the tables that the views join are written as Parquet to a folder in
the store, which the workers can read too, and which is removed afterwards.
"""

import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from answerable.model.errors import UsageError
from answerable.store.documented_views import VIEWS
from answerable.store.duckdb_engine import DuckDbEngine, quote_text
from answerable.store.durable_files import (
    choose_file_mode,
    translate_os_errors,
)
from answerable.store.event_columns import NAMES, TYPES
from answerable.store.event_sources import EventSources, build_segment_rows_sql
from answerable.store.query_tables import NamedTable
from answerable.store.spark_session import open_spark_session
from answerable.store.sql_dialects import SPARK
from answerable.store.temporary_folders import SPARK_PREFIX, make_temporary_folder
from answerable.store.user_select import Rows, parse_single_select
from answerable.store.view_tables import write_view_tables

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from answerable.store.query_engine import QueryLimits
    from answerable.store.store import EvidenceStore

_RAW_EVENTS = "events_raw"
# Parts of names of functions that call a method of Java by name.
_REFUSED_FUNCTIONS = ("reflect", "java_method")


class SparkQueries:
    """The documented views on a Spark cluster, for queries of a user."""

    def __init__(self, session: "SparkSession", segments: Path) -> None:
        self.session, self._segments = session, segments

    def run(self, text: str, limits: "QueryLimits") -> Rows:
        """Run a SELECT, in Spark SQL.

        Raises:
            UsageError: It is not exactly one SELECT, or the cluster cannot run it.
        """
        _check_statement(self._segments, text)
        return _run_query(self.session, text, limits)


@contextmanager
def open_spark_queries(
    store: "EvidenceStore", tables: Mapping[str, NamedTable], engine: str
) -> Iterator[SparkQueries]:
    """Open the current events of a store, and tables, on a Spark cluster.

    Args:
        tables: Tables by name, which the views join, or a query reads.
        engine: Address of the master, spark://HOST:PORT.

    Raises:
        UsageError: The address has another form, or a program is missing.
        EnvironmentFailure: No master answers, or the store cannot be written.
    """
    sources = store.queries.get_current_sources()
    with (
        make_temporary_folder(store.layout.root / "derived", SPARK_PREFIX) as folder,
        tempfile.TemporaryDirectory(prefix="answerable-spark-") as private,
    ):
        _write_other_events(sources, folder / _RAW_EVENTS)
        write_view_tables(tables, folder)
        _share_files(folder)
        with open_spark_session(engine, Path(private)) as session:
            _create_views(session, sources, tables, folder)
            yield SparkQueries(session, store.layout.segments)


def run_spark_select(
    store: "EvidenceStore",
    text: str,
    tables: Mapping[str, NamedTable],
    engine: str,
    limits: "QueryLimits",
) -> Rows:
    """Run one SELECT of a user on a Spark cluster; see `open_spark_queries`.

    Raises:
        UsageError: As `SparkQueries.run`.
        EnvironmentFailure: As `open_spark_queries`.
    """
    _check_statement(store.layout.segments, text)  # before a cluster is used
    with open_spark_queries(store, tables, engine) as queries:
        return queries.run(text, limits)


def _check_statement(segments: Path, text: str) -> None:
    """Refuse anything but one SELECT, and the clauses of Spark that run programs.

    DuckDB's grammar has no TRANSFORM ... USING, and no names of files in backticks.
    """
    import _duckdb as duckdb

    for name in _REFUSED_FUNCTIONS:
        if name in text.lower():
            raise UsageError(
                f"sql: --engine refuses queries with {name!r}: it can call any Java code",
                "write the query without it, also in texts",
            )
    checker = DuckDbEngine(segments)
    try:
        parse_single_select(checker, text)
    except duckdb.Error as error:
        raise UsageError(
            f"sql: {str(error).splitlines()[0]}",
            "--engine takes a SELECT that DuckDB and Spark both accept",
        ) from error
    finally:
        checker.close()


def _share_files(folder: Path) -> None:
    """Give the files to the group of the store, if it has one."""
    for path in folder.rglob("*"):
        like = folder.stat().st_mode & 0o7777
        path.chmod(like if path.is_dir() else choose_file_mode(folder))


def _write_other_events(sources: EventSources, folder: Path) -> None:
    """Write the events that are in no segment as one Parquet file, perhaps empty."""
    with translate_os_errors("write", folder):
        folder.mkdir()
    engine = DuckDbEngine(folder, files=[Path(each) for each in sources.foreign])
    try:
        sources.load_unsealed_records_into(engine, "tail")
        rows = f"SELECT {NAMES} FROM tail"  # noqa: S608 - our own names
        if sources.foreign:
            lake = build_segment_rows_sql(sources.foreign)
            rows += f" UNION ALL SELECT {NAMES} FROM {lake}"  # noqa: S608 - our own names
        file = quote_text(str(folder / "events.parquet"))
        engine.run(f"COPY ({rows}) TO {file} (FORMAT parquet, COMPRESSION zstd)")
    finally:
        engine.close()


def _create_views(
    session: "SparkSession",
    sources: EventSources,
    tables: Mapping[str, NamedTable],
    folder: Path,
) -> None:
    """Create the tables and the documented views of the session."""
    places = {
        _RAW_EVENTS: [
            *map(sources.segment_path, sources.segments),
            str(folder / _RAW_EVENTS),
        ],
        **{name: [str(folder / name)] for name in tables},
    }
    columns = {
        _RAW_EVENTS: dict(TYPES),
        **{
            name: {column: str(kind) for column, kind in table.columns.items()}
            for name, table in tables.items()
        },
    }
    for name, paths in places.items():
        schema = SPARK.build_schema(list(columns[name].items()))
        read = session.read.schema(schema).parquet(*paths)
        read.createOrReplaceTempView(name)
    for view in VIEWS:
        session.sql(SPARK.build_view_statement(view))


def _run_query(session: "SparkSession", text: str, limits: "QueryLimits") -> Rows:
    """Run the query, and fetch its rows.

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
        rows = [tuple(map(_to_plain_value, row)) for row in frame.collect()]
    except (Py4JError, PySparkException) as error:
        if expired.is_set():
            raise UsageError(
                f"sql: the query took longer than {limits.seconds:g} seconds",
                "narrow the query, allow more time with --timeout, or add workers",
            ) from None
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
