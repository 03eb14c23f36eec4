"""Map the fields of `AuditEvent` to Parquet and SQL columns."""

import json
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, cast

from answerable.model.event import AuditEvent, EventOutcome
from answerable.model.provenance import WrittenBy
from answerable.store.query_tables import ColumnType, NamedTable

if TYPE_CHECKING:
    from answerable.store.search_index import EventPlace
    from answerable.store.segment_scope import SegmentScope

# SQL type by column. Binary ids are BLOB: Spark cannot read DuckDB's UUID columns.
TYPES: dict[str, str] = {
    "event_id": "BLOB",
    "event_time": "BIGINT",
    "source": "VARCHAR",
    "scope": "VARCHAR",
    "written_by": "VARCHAR",
    "raw_sha256": "BLOB",
    "action": "VARCHAR",
    "outcome": "VARCHAR",
    "native_id": "VARCHAR",
    "identity": "VARCHAR",
    "session": "VARCHAR",
    "credential": "VARCHAR",
    "person": "VARCHAR",
    "resource": "VARCHAR",
    "resource_prefix": "VARCHAR",
    "resources": "VARCHAR[]",
    "source_ip": "VARCHAR",
    "issued": "VARCHAR",
    "issued_to": "VARCHAR",
    "issued_until": "BIGINT",
    "created": "VARCHAR",
    "deleted": "VARCHAR",
    "decision_id": "VARCHAR",
    "run": "VARCHAR",
    "entities": "VARCHAR[]",
    "facts": "VARCHAR[][]",
    "recorder": "VARCHAR",
    "sequence": "BIGINT",
    "ingest_time": "BIGINT",
    "salt": "BLOB",
    "schema": "BIGINT",
    "agent": "VARCHAR",
    "tool": "VARCHAR",
}
COLUMNS = tuple(TYPES)
NAMES = ", ".join(f'"{name}"' for name in COLUMNS)
ROW_NUMBER_SQL = "file_row_number"  # as the engine calls it
# Columns of the trusted views in DuckDB: segment file and number of a row, if a file of
# this release has it; else an empty text.
FILE_COLUMNS = "file, file_row"
TIME_COLUMNS = ("event_time", "ingest_time", "issued_until")


# Places in a row, for `decode_event_row`.
_WRITTEN_BY = COLUMNS.index("written_by")
_OUTCOME = COLUMNS.index("outcome")
_FACTS = COLUMNS.index("facts")
_LISTS = (COLUMNS.index("resources"), COLUMNS.index("entities"))
_WRITERS = {str(member.value): member for member in WrittenBy}
_OUTCOMES = {str(member.value): member for member in EventOutcome}


def _build_json_transform_schema() -> str:
    """Build the schema argument of DuckDB's `json_transform`."""
    kinds: dict[str, object] = {
        "BLOB": "VARCHAR",
        "VARCHAR": "VARCHAR",
        "BIGINT": "BIGINT",
        "VARCHAR[]": ["VARCHAR"],
        "VARCHAR[][]": [["VARCHAR"]],
    }
    return json.dumps({name: kinds[kind] for name, kind in TYPES.items()})


def _build_column_sql(name: str, kind: str) -> str:
    """Build the SQL of one column of a canonical record, with its default."""
    if name == "schema":
        return f'coalesce(r.{name}, 1) AS "{name}"'
    if kind == "BLOB":
        return f"unhex(coalesce(r.{name}, '')) AS \"{name}\""
    default = {"VARCHAR": "''", "BIGINT": "0"}.get(kind, "[]")
    return f'coalesce(r."{name}", {default}) AS "{name}"'


def build_decode_records_sql(table: str) -> str:
    """Build the SQL query that decodes canonical JSON records of a table."""
    values = ", ".join(_build_column_sql(name, kind) for name, kind in TYPES.items())
    shape = _build_json_transform_schema()
    return (
        f"SELECT n, {values} FROM "  # noqa: S608 - our own names
        f"(SELECT n, json_transform(record, '{shape}') AS r FROM {table})"
    )


# SQL of the service of a data event (a call on the content of a resource), else empty.
DATA_SERVICE = "CASE category WHEN 'Data' THEN split_part(e.action, ':', 1) ELSE '' END"


def build_fact_sql(name: str, default: str) -> str:
    """Build the SQL for one named fact of an event, with a default."""
    pairs = f"list_filter(e.facts, lambda f: f[1] = '{name}')"
    return f"coalesce({pairs}[1][2], {default})"


def build_read_events_sql(
    places: "Sequence[EventPlace]", identities: Collection[str]
) -> "tuple[str, list[object], dict[str, NamedTable], SegmentScope]":
    """Build the query of complete events by place: parameters, tables and scope, too.

    A list of values, or one join by both columns, is compared after all columns of a row
    group are decoded; two joins by one column each are compared before.

    Args:
        places: The places, at least one.
        identities: All identities of these events; empty if they are not known.
    """
    from answerable.store.segment_scope import SegmentScope

    times = [at for at, _, _, _ in places]
    marks = ", ".join("?" * len(identities))
    query = (
        f"SELECT {NAMES} FROM events WHERE event_time >= ? AND event_time <= ? "  # noqa: S608 - our own names
        "AND event_time IN (SELECT event_time FROM wanted_places) "
        "AND event_id IN (SELECT event_id FROM wanted_places)"
        f"{f' AND identity IN ({marks})' if identities else ''} ORDER BY raw_sha256"
    )
    wanted = NamedTable(
        {"event_time": ColumnType.INT, "event_id": ColumnType.BYTES},
        [{"event_time": at, "event_id": key} for at, key, _, _ in places],
    )
    tables = {"wanted_places": wanted}
    tested = ({"identity": identities},) if identities else ()
    scope = SegmentScope(min(times), max(times) + 1, tested)
    return query, [min(times), max(times), *identities], tables, scope


def decode_event_row(row: Sequence[object]) -> AuditEvent:
    """Build an event from a row of `SELECT COLUMNS`, in that order."""
    values = list(row)
    values[_WRITTEN_BY] = _WRITERS[cast("str", values[_WRITTEN_BY])]
    values[_OUTCOME] = _OUTCOMES[cast("str", values[_OUTCOME])]
    for place in _LISTS:
        values[place] = tuple(cast("list[str]", values[place]))
    facts = cast("list[list[str]]", values[_FACTS])
    values[_FACTS] = tuple((key, value) for key, value in facts)
    return AuditEvent(*values)  # type: ignore[arg-type]  # typed by TYPES above
