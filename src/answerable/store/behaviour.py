"""Behaviour at rest: rows of runs as Parquet, and what a learner asks of them.

What is asked is written by `baseline.query`; here it is only run.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from answerable.store.disk import make_folder
from answerable.store.engine import Engine, quoted
from answerable.store.tables import ColumnType, NamedTable, quoted_name, register

_TYPES = {"text": ColumnType.TEXT, "int": ColumnType.INT, "bool": ColumnType.BOOL}
_PARQUET = "FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1"

Asked = tuple[str, tuple[object, ...]]


class Behaviour:
    """Rows in a folder: one subfolder for each table, any number of files in it.

    Args:
        folder: Where; made on the first write.
        tables: Columns and their types (`text`, `int`, `bool`) by table.
    """

    def __init__(self, folder: Path, tables: Mapping[str, Mapping[str, str]]) -> None:
        self._folder = folder
        self._tables = tables

    def write(
        self, name: str, rows: Mapping[str, Sequence[Mapping[str, object]]]
    ) -> None:
        """Write one file of that name for each table, in the place of the one before.

        Args:
            name: Of the files; a batch that comes twice has the same.
            rows: By table.
        """
        for table in self._tables:
            make_folder(self._folder / table)
        engine = Engine(self._folder)
        try:
            for table, columns in self._tables.items():
                kinds = {column: _TYPES[kind] for column, kind in columns.items()}
                register(engine, table, NamedTable(kinds, rows.get(table, ())))
                place = quoted(
                    str((self._folder / table / f"{name}.parquet").absolute())
                )
                engine.run(f"COPY {quoted_name(table)} TO {place} ({_PARQUET})")
        finally:
            engine.close()

    def ask(
        self, first: Asked, queries: Mapping[str, Asked]
    ) -> dict[str, list[tuple[object, ...]]]:
        """Run a statement that prepares, and then the queries.

        Raises:
            EnvironmentRefused: A file is missing or the disk is full.
        """
        engine = Engine(self._folder)
        try:
            for table in self._tables:
                files = quoted(str((self._folder / table).absolute()) + "/*.parquet")
                engine.run(
                    f"CREATE VIEW {quoted_name(table)} AS "  # noqa: S608 - quoted
                    f"SELECT * FROM read_parquet({files})"
                )
            engine.run(*first)
            return {name: engine.run(*each) for name, each in queries.items()}
        finally:
            engine.close()
