"""SQL dialects of DuckDB, Trino, Athena and Spark, for views that are declared once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

# Columns as (name, SQL type of DuckDB), in order.
SqlColumns = Sequence[tuple[str, str]]


class ColumnForm(StrEnum):
    """Form in which a view shows a stored column."""

    PLAIN = "plain"  # portable SQL, copied
    HEX = "hex"  # bytes as lower-case hex digits
    TIME = "time"  # nanoseconds since 1970 as a timestamp in UTC
    OPTIONAL_TIME = "optional-time"  # likewise, and 0 is NULL
    FACT = "fact"  # value of the named fact of the event


@dataclass(frozen=True, slots=True)
class ViewColumn:
    """Column of a documented view.

    Attributes:
        name: Name in the view.
        source: Portable SQL of its source; the name of the fact for a fact.
    """

    name: str
    source: str
    form: ColumnForm = ColumnForm.PLAIN


@dataclass(frozen=True, slots=True)
class DocumentedView:
    """View that is declared once, and written in each dialect.

    Attributes:
        name: Name of the view.
        columns: Its columns, in order.
        source: Portable SQL after FROM.
    """

    name: str
    columns: Sequence[ViewColumn]
    source: str


@dataclass(frozen=True, slots=True)
class SqlDialect:
    """Spelling of one engine.

    Attributes:
        quote: Quotation mark of a name.
        table_quote: That of a column in the statement of a table; empty for the same.
        forms: Template of each form, with `{source}`.
        types: Type by the type of DuckDB; one that is missing is spelled the same.
        view: Template of a view, with `{name}` and `{select}`.
        table: Template of a table over Parquet files, with `{name}`, `{columns}` and
            `{location}`.
        events: Such a template for segments, which lie in a folder per day.
        preamble: Statement before all others, empty for none.
    """

    name: str
    quote: str
    forms: Mapping[ColumnForm, str]
    types: Mapping[str, str]
    view: str
    table: str
    events: str
    preamble: str = ""
    table_quote: str = ""

    def quote_name(self, name: str) -> str:
        """Quote an identifier."""
        return self.quote + name.replace(self.quote, 2 * self.quote) + self.quote

    def build_schema(self, columns: SqlColumns) -> str:
        """Build the list of columns with their types; names have no quotation mark."""
        quote = self.table_quote or self.quote
        return ", ".join(
            f"{quote}{column}{quote} {self.types.get(kind, kind)}"
            for column, kind in columns
        )

    def build_select(self, view: DocumentedView) -> str:
        """Build the SELECT of a documented view."""
        columns = ", ".join(
            f"{self.forms[each.form].format(source=each.source)} "
            f"AS {self.quote_name(each.name)}"
            for each in view.columns
        )
        return f"SELECT {columns} FROM {view.source}"  # noqa: S608 - our own names

    def build_view_statement(self, view: DocumentedView) -> str:
        """Build the statement that creates a documented view."""
        return self.view.format(name=view.name, select=self.build_select(view))

    def build_table_statement(
        self, name: str, columns: SqlColumns, location: str, *, by_day: bool = False
    ) -> str:
        """Build the statement that creates a table over Parquet files.

        Args:
            name: Name of the table.
            columns: Its columns.
            location: Folder or address of the files.
            by_day: They lie in a folder `day=...` per day.
        """
        template = self.events if by_day else self.table
        return template.format(
            name=name,
            columns=self.build_schema(columns),
            names=", ".join(self.quote_name(column) for column, _ in columns),
            location=location.rstrip("/").replace("'", "''"),
        )

    def build_file_list_statement(
        self, name: str, columns: SqlColumns, files: Sequence[str]
    ) -> str:
        """Build the statement that creates a view over named Parquet files, or none.

        For an engine whose tables need no location (DuckDB).
        """
        if not files:
            nulls = ", ".join(
                f"CAST(NULL AS {kind}) AS {self.quote_name(column)}"
                for column, kind in columns
            )
            return self.view.format(name=name, select=f"SELECT {nulls} WHERE false")
        names = ", ".join(self.quote_name(column) for column, _ in columns)
        listed = ", ".join("'" + each.replace("'", "''") + "'" for each in files)
        return self.view.format(
            name=name,
            select=f"SELECT {names} FROM read_parquet([{listed}], "  # noqa: S608 - ours
            "union_by_name=true, hive_partitioning=false)",
        )


_PLAIN = "{source}"
DUCKDB = SqlDialect(
    name="duckdb",
    quote='"',
    forms={
        ColumnForm.PLAIN: _PLAIN,
        ColumnForm.HEX: "lower(hex({source}))",
        ColumnForm.TIME: "make_timestamp_ns({source})",
        ColumnForm.OPTIONAL_TIME: "make_timestamp_ns(nullif({source}, 0))",
        ColumnForm.FACT: "list_filter(e.facts, lambda f: f[1] = '{source}')[1][2]",
    },
    types={},
    view="CREATE OR REPLACE VIEW {name} AS {select}",
    table="CREATE OR REPLACE VIEW {name} AS SELECT {names} FROM "
    "read_parquet('{location}/*.parquet')",
    events="CREATE OR REPLACE VIEW {name} AS SELECT {names} FROM "
    "read_parquet('{location}/*/*.parquet', union_by_name=true, "
    "hive_partitioning=false)",
)
# https://trino.io/docs/current/functions/datetime.html: from_unixtime_nanos gives UTC.
_TRINO_TIME = "CAST(from_unixtime_nanos({source}) AS timestamp(6))"
_TRINO_FORMS = {
    ColumnForm.PLAIN: _PLAIN,
    ColumnForm.HEX: "lower(to_hex({source}))",
    ColumnForm.TIME: _TRINO_TIME,
    ColumnForm.OPTIONAL_TIME: _TRINO_TIME.format(source="nullif({source}, 0)"),
    ColumnForm.FACT: "element_at(element_at(filter(e.facts, "
    "f -> element_at(f, 1) = '{source}'), 1), 2)",
}
TRINO = SqlDialect(
    name="trino",
    quote='"',
    forms=_TRINO_FORMS,
    types={
        "BLOB": "varbinary",
        "VARCHAR[]": "array(varchar)",
        "VARCHAR[][]": "array(array(varchar))",
        "TIMESTAMP_NS": "timestamp(6)",
    },
    view="CREATE OR REPLACE VIEW {name} AS {select}",
    table="CREATE TABLE {name} ({columns}) "
    "WITH (external_location = '{location}/', format = 'PARQUET')",
    events="CREATE TABLE {name} ({columns}, day varchar) WITH (external_location = "
    "'{location}/', format = 'PARQUET', partitioned_by = ARRAY['day'])",
)
# https://docs.aws.amazon.com/athena/latest/ug/create-table.html: tables are created in
# the language of Hive, views in Trino's.
ATHENA = SqlDialect(
    name="athena",
    quote='"',
    forms=_TRINO_FORMS,
    types={
        "BLOB": "binary",
        "VARCHAR": "string",
        "VARCHAR[]": "array<string>",
        "VARCHAR[][]": "array<array<string>>",
        "TIMESTAMP_NS": "timestamp",
    },
    view="CREATE OR REPLACE VIEW {name} AS {select}",
    table="CREATE EXTERNAL TABLE {name} ({columns}) STORED AS PARQUET "
    "LOCATION '{location}/'",
    events="CREATE EXTERNAL TABLE {name} ({columns}) PARTITIONED BY (day string) "
    "STORED AS PARQUET LOCATION '{location}/'",
    table_quote="`",
)
# A timestamp without zone is that of the session: the preamble makes it UTC.
_SPARK_TIME = "CAST(timestamp_micros({source} div 1000) AS TIMESTAMP_NTZ)"
SPARK = SqlDialect(
    name="spark",
    quote="`",
    forms={
        ColumnForm.PLAIN: _PLAIN,
        ColumnForm.HEX: "lower(hex({source}))",
        ColumnForm.TIME: _SPARK_TIME,
        ColumnForm.OPTIONAL_TIME: _SPARK_TIME.format(source="nullif({source}, 0)"),
        ColumnForm.FACT: "get(get(filter(e.facts, f -> get(f, 0) = '{source}'), 0), 1)",
    },
    types={
        "BLOB": "BINARY",
        "VARCHAR": "STRING",
        "VARCHAR[]": "ARRAY<STRING>",
        "VARCHAR[][]": "ARRAY<ARRAY<STRING>>",
        "TIMESTAMP_NS": "TIMESTAMP_NTZ",
    },
    view="CREATE OR REPLACE TEMPORARY VIEW {name} AS {select}",
    table="CREATE OR REPLACE TEMPORARY VIEW {name} ({columns}) USING parquet "
    "OPTIONS (path '{location}')",
    events="CREATE OR REPLACE TEMPORARY VIEW {name} ({columns}) USING parquet "
    "OPTIONS (path '{location}', pathGlobFilter '*.parquet', "
    "recursiveFileLookup 'true')",
    preamble="SET TIME ZONE 'UTC'",
)
DIALECTS = {each.name: each for each in (DUCKDB, TRINO, ATHENA, SPARK)}
