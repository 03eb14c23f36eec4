"""Parquet files of the tables that documented views join with events."""

from collections.abc import Mapping
from pathlib import Path

from answerable.store.duckdb_engine import DuckDbEngine, quote_text
from answerable.store.durable_files import make_private_folder, translate_os_errors
from answerable.store.query_tables import (
    ColumnType,
    NamedTable,
    quote_name,
    register_table,
)


def write_view_tables(tables: Mapping[str, NamedTable], folder: Path) -> None:
    """Write tables as Parquet, each in a folder of its name.

    Times are timestamps of microseconds: Spark and Athena read no nanoseconds.

    Raises:
        EnvironmentFailure: A folder or file cannot be written.
    """
    with translate_os_errors("create", folder):
        make_private_folder(folder)
    engine = DuckDbEngine(folder)
    try:
        for name, table in tables.items():
            place = folder / name
            with translate_os_errors("create", place):
                place.mkdir(mode=0o700, exist_ok=True)
            register_table(engine, name, table)
            columns = ", ".join(
                f"CAST({quote_name(column)} AS TIMESTAMP) AS {quote_name(column)}"
                if kind is ColumnType.TIME
                else quote_name(column)
                for column, kind in table.columns.items()
            )
            file = quote_text(str((place / f"{name}.parquet").absolute()))
            engine.run(
                f"COPY (SELECT {columns} FROM {quote_name(name)}) TO {file} "  # noqa: S608 - ours
                "(FORMAT parquet, COMPRESSION zstd)"
            )
            engine.run(f"DROP TABLE {quote_name(name)}")
    finally:
        engine.close()
