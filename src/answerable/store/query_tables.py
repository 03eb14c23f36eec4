"""Create temporary SQL tables from Python rows with declared column types."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from answerable.model.errors import EnvironmentFailure, RemovedFileError

if TYPE_CHECKING:
    from arro3.core import DataType, Table
    from arro3.core.types import ArrayInput

    from answerable.store.duckdb_engine import DuckDbEngine


class ColumnType(StrEnum):
    """Column type of a temporary table."""

    TEXT = "VARCHAR"
    INT = "BIGINT"
    FLOAT = "DOUBLE"
    BOOL = "BOOLEAN"
    BYTES = "BLOB"
    TEXTS = "VARCHAR[]"
    TIME = "TIMESTAMP_NS"


@dataclass(frozen=True, slots=True)
class NamedTable:
    """Table that exists for one query.

    Attributes:
        columns: Type by column name, in order.
        rows: Values by column name; a missing one is NULL. A `TIME` is UTC
            nanoseconds or None, a `TEXTS` a sequence of texts.
    """

    columns: Mapping[str, ColumnType]
    rows: Sequence[Mapping[str, object]]


@dataclass(frozen=True, slots=True)
class ParquetTable:
    """Table in Parquet files of `derived/`, of which a query reads what it needs.

    Attributes:
        files: Files with equal columns, at least one; user SQL may read them.
    """

    files: tuple[Path, ...]

    def build_rows_sql(self) -> str:
        """Build the SQL that reads the rows."""
        from answerable.store.duckdb_engine import quote_text

        names = ", ".join(quote_text(str(each.absolute())) for each in self.files)
        return f"read_parquet([{names}], union_by_name=false, hive_partitioning=false)"


# More rows are faster through Arrow, whose adapter takes a tenth of a second to import.
_MAX_JSON_ROWS = 5_000
_MAX_KEPT_ROWS = 50_000  # rows of a table that stays for the next query
_TEXT_TYPES = frozenset((str, type(None)))
# Types whose cells are the same in JSON.
_JSON_TYPES = frozenset(
    (ColumnType.TEXT, ColumnType.INT, ColumnType.FLOAT, ColumnType.BOOL)
)

TableBuilder = Callable[[], NamedTable | ParquetTable]


def quote_name(name: str) -> str:
    """Quote an identifier for SQL."""
    return '"' + name.replace('"', '""') + '"'


@contextmanager
def open_temporary_tables(
    engine: "DuckDbEngine", tables: Mapping[str, NamedTable | ParquetTable]
) -> Iterator[None]:
    """Open the temporary tables of a query; large ones are dropped after it.

    Raises:
        RemovedFileError: Another process has removed a file of a table.
    """
    try:
        show_temporary_tables(engine, tables)
        yield
    except EnvironmentFailure:
        _require_files(tables)
        raise
    finally:
        drop_large_tables(engine)


def _require_files(tables: Mapping[str, NamedTable | ParquetTable]) -> None:
    """Check that the files of tables are there.

    Raises:
        RemovedFileError: Another process has removed one: its content is outdated.
    """
    for table in tables.values():
        for file in table.files if isinstance(table, ParquetTable) else ():
            if not file.exists():
                name = f"derived/{file.parent.name}/{file.name}"
                raise RemovedFileError(
                    f"another process removed {name} while it was read",
                    "run the command again",
                )


def show_temporary_tables(
    engine: "DuckDbEngine", tables: Mapping[str, NamedTable | ParquetTable]
) -> None:
    """Make the temporary tables of a query; drop those of earlier queries.

    The queries of one search share a table of keys, which is made once.
    """
    kept = engine.temporary_tables
    _drop_tables(engine, [n for n, e in kept.items() if e is not tables.get(n)])
    for name, table in tables.items():
        if name not in kept:
            _make_temporary_table(engine, name, table)
            kept[name] = table


def drop_large_tables(engine: "DuckDbEngine") -> None:
    """Drop the temporary tables that are too large to keep after a query."""
    kept = engine.temporary_tables.items()
    large = [
        name
        for name, each in kept
        if isinstance(each, NamedTable) and len(each.rows) > _MAX_KEPT_ROWS
    ]
    _drop_tables(engine, large)


def _drop_tables(engine: "DuckDbEngine", names: Sequence[str]) -> None:
    """Drop temporary tables."""
    for name in names:
        table = engine.temporary_tables.pop(name)
        kind = "TABLE" if isinstance(table, NamedTable) else "VIEW"
        engine.run(f"DROP {kind} IF EXISTS {quote_name(name)}")


def _is_small(table: NamedTable | ParquetTable) -> bool:
    """Return whether a table has few rows in memory."""
    return isinstance(table, ParquetTable) or len(table.rows) <= _MAX_JSON_ROWS


def _make_temporary_table(
    engine: "DuckDbEngine", name: str, table: NamedTable | ParquetTable
) -> None:
    """Make a table of this connection: rows in memory, or a view of a file."""
    if isinstance(table, NamedTable):
        register_table(engine, name, table, temporary=True)
        return
    engine.run(
        f"CREATE OR REPLACE TEMP VIEW {quote_name(name)} AS "  # noqa: S608 - quoted
        f"SELECT * FROM {table.build_rows_sql()}"
    )


def register_table(
    engine: "DuckDbEngine", name: str, table: NamedTable, *, temporary: bool = False
) -> None:
    """Create or replace a DuckDB table from Python rows.

    Args:
        engine: Target engine.
        name: Table name.
        table: Rows and column types.
        temporary: Make it visible to this connection alone.
    """
    kind = "TEMP TABLE" if temporary else "TABLE"
    create = f"CREATE OR REPLACE {kind} {quote_name(name)} AS SELECT"
    if _is_small(table):
        values = _list_values_sql(table, from_json=True)
        cells = [_encode_column_as_json(table, name) for name in table.columns]
        engine.run(f"{create} {values}", cells)
        return
    engine.register_arrow("_rows", _build_arrow_table(table))
    engine.run(f"{create} {_list_values_sql(table, from_json=False)} FROM _rows")
    engine.connection.unregister("_rows")


def _build_arrow_table(table: NamedTable) -> "Table":
    """Build an Arrow table of rows."""
    from arro3.core import Array, Table

    arrow: dict[str, ArrayInput] = {
        column: Array(
            _encode_column([row.get(column) for row in table.rows], kind),
            _get_arrow_type(kind),
        )
        for column, kind in table.columns.items()
    }
    return Table.from_pydict(arrow)


def _encode_column(values: list[object], kind: ColumnType) -> list[object]:
    """Encode the cells of a column for Arrow; most columns need nothing."""
    is_text = kind in (ColumnType.TEXT, ColumnType.TEXTS)
    is_plain = kind is ColumnType.TEXT and _TEXT_TYPES.issuperset(map(type, values))
    if not is_text or is_plain:
        return values
    return [_encode_cell(each, kind) for each in values]


def _encode_column_as_json(table: NamedTable, column: str) -> str:
    """Encode the cells of a column as a JSON array; bytes become hexadecimal."""
    kind = table.columns[column]
    if kind in _JSON_TYPES:
        with suppress(UnicodeEncodeError):  # a lone surrogate
            cells = [row.get(column) for row in table.rows]
            return msgspec.json.encode(cells).decode()
    encoded = (_encode_cell(row.get(column), kind) for row in table.rows)
    return json.dumps(
        [cell.hex() if isinstance(cell, bytes) else cell for cell in encoded]
    )


def _get_json_type(kind: ColumnType) -> str:
    """Return the type of a column in JSON; `_build_cast_sql` casts texts further."""
    match kind:
        case ColumnType.TIME:
            return ColumnType.INT
        case ColumnType.BYTES | ColumnType.TEXTS:
            return ColumnType.TEXT
        case _:
            return kind


def _encode_cell(value: object, kind: ColumnType) -> object:
    """Encode a cell for Arrow; a list becomes JSON."""
    if value is None:
        return None
    if kind is ColumnType.TEXTS:
        with suppress(UnicodeEncodeError):  # a lone surrogate
            return msgspec.json.encode(value).decode()
        return json.dumps(value)
    return str(value) if kind is ColumnType.TEXT else value


def _get_arrow_type(kind: ColumnType) -> "DataType":
    """Return the Arrow type of a column."""
    from arro3.core import DataType

    match kind:
        case ColumnType.INT | ColumnType.TIME:
            return DataType.int64()
        case ColumnType.FLOAT:
            return DataType.float64()
        case ColumnType.BOOL:
            return DataType.bool()
        case ColumnType.BYTES:
            return DataType.binary()
        case ColumnType.TEXT | ColumnType.TEXTS:
            return DataType.utf8()


def _list_values_sql(table: NamedTable, *, from_json: bool) -> str:
    """List the SQL of the columns: parameters with JSON arrays, or Arrow columns."""
    values: list[str] = []
    for column, kind in table.columns.items():
        name = cell = quote_name(column)
        if from_json:
            cell = f"unnest(from_json(?, '[\"{_get_json_type(kind)}\"]'))"
        values.append(f"{_build_cast_sql(cell, kind, is_hex=from_json)} AS {name}")
    return ", ".join(values)


def _build_cast_sql(cell: str, kind: ColumnType, *, is_hex: bool) -> str:
    """Build the SQL that casts a cell to its DuckDB type."""
    if kind is ColumnType.BYTES and is_hex:
        return f"from_hex({cell})"
    if kind is ColumnType.TEXTS:
        return f"json_transform({cell}, '[\"VARCHAR\"]')"
    if kind is ColumnType.TIME:
        return f"make_timestamp_ns({cell})"
    return cell
