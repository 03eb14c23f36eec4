"""Parquet files that the workers of a Spark cluster read beside the segments.

Other events than sealed ones (unsealed records, and those of a lake) and the tables of a
query are written to a folder in the store, which the workers can read too.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from answerable.store.duckdb_engine import DuckDbEngine, quote_text
from answerable.store.durable_files import choose_file_mode, translate_os_errors
from answerable.store.event_columns import NAMES, TYPES
from answerable.store.event_sources import EventSources, build_segment_rows_sql
from answerable.store.query_tables import NamedTable
from answerable.store.sql_dialects import SPARK, SqlColumns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import DataFrame, SparkSession


def write_other_events(sources: EventSources, folder: Path) -> None:
    """Write the events that are in no segment as one Parquet file, perhaps empty.

    Raises:
        EnvironmentFailure: The folder cannot be written.
    """
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


def share_files(folder: Path) -> None:
    """Give the files to the group of the store, if it has one."""
    for path in folder.rglob("*"):
        like = folder.stat().st_mode & 0o7777
        path.chmod(like if path.is_dir() else choose_file_mode(folder))


def read_events(
    session: "SparkSession", sources: EventSources, others: Path
) -> "DataFrame":
    """Return the events of segments, and of the file that `write_other_events` wrote."""
    paths = [*map(sources.segment_path, sources.segments), str(others)]
    return _read_files(session, paths, list(TYPES.items()))


def read_table(session: "SparkSession", table: NamedTable, folder: Path) -> "DataFrame":
    """Return a table that was written to a folder."""
    columns = [(column, str(kind)) for column, kind in table.columns.items()]
    return _read_files(session, [str(folder)], columns)


def _read_files(
    session: "SparkSession", paths: "Sequence[str]", columns: SqlColumns
) -> "DataFrame":
    """Return the rows of files, whose columns are known."""
    return session.read.schema(SPARK.build_schema(columns)).parquet(*paths)
