"""Rollups: number of events by day and value, one Parquet file for each day of segments.

A row has the events of one action, resource or credential with one source and outcome,
and the times of the first and the last.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

from answerable.model.errors import EnvironmentFailure
from answerable.model.event import EventOutcome
from answerable.model.time_units import DAY_NS
from answerable.store.day_files import (
    DayFileKind,
    DayFiles,
    open_day_files,
    remove_other_files,
)
from answerable.store.duckdb_engine import DuckDbEngine, quote_text
from answerable.store.event_columns import DATA_SERVICE, build_fact_sql
from answerable.store.event_count_queries import (
    COLUMNS,
    OWN_PROTOCOL,
    EventCounts,
)
from answerable.store.event_queries import convert_glob_to_like
from answerable.store.query_tables import ColumnType, NamedTable, register_table
from answerable.store.segment_scope import SegmentScope
from answerable.store.store_layout import format_day

if TYPE_CHECKING:
    from answerable.store.event_sources import EventSources
    from answerable.store.store import EvidenceStore

ROLLUP_VERSION = 2  # raised when the rows of the same segments change
_ALL_DAYS = 2**63 // DAY_NS + 1  # no time of 64 bits is later
# Columns of events that a row of the rollup can count.
VALUE_FIELDS = ("action", "resource", "credential")
# Columns that every row has.
STREAM_FIELDS = ("trusted", "source", "scope", "region", "data_service")
ROLLUP_FIELDS = frozenset({*VALUE_FIELDS, *STREAM_FIELDS, "outcome", "day", "own"})
_COLUMNS: Mapping[str, ColumnType] = {
    "day": ColumnType.INT,
    "field": ColumnType.TEXT,
    "value": ColumnType.TEXT,
    "source": ColumnType.TEXT,
    "outcome": ColumnType.TEXT,
    "trusted": ColumnType.BOOL,
    "scope": ColumnType.TEXT,
    "region": ColumnType.TEXT,
    "data_service": ColumnType.TEXT,
    "own": ColumnType.BOOL,
    "events": ColumnType.INT,
    "first": ColumnType.INT,
    "last": ColumnType.INT,
}
_LISTED = ", ".join(_COLUMNS)

_CountValues = tuple[int, int, int, int, int]
_Rows = tuple[str, Sequence[object]]
ResultT = TypeVar("ResultT")


@dataclass(frozen=True, slots=True)
class RollupQuery:
    """Counts that the rollups can answer.

    Attributes:
        fields: Names in `ROLLUP_FIELDS`, at most one of `VALUE_FIELDS`.
        source: Source of the events, empty for all.
        outcome: Their outcome, empty for all.
        value: Pattern of `*` and `?` for the value of the field, any case.
        since: UTC nanoseconds, inclusive, 0 for the beginning.
        until: UTC nanoseconds, exclusive, 0 for the end.
        limit: Most groups, those with the most events first.
    """

    fields: Sequence[str]
    source: str = ""
    outcome: str = ""
    value: str = ""
    since: int = 0
    until: int = 0
    limit: int = 1000

    @property
    def value_field(self) -> str:
        """Return the field that the values are of; rows of any one have all events."""
        return next((each for each in self.fields if each in VALUE_FIELDS), "action")

    @property
    def first_day(self) -> int:
        """Return the first day that is whole in the time span, counted from 1970."""
        return -(-self.since // DAY_NS) if self.since else -_ALL_DAYS

    @property
    def end_day(self) -> int:
        """Return the day after the last one that is whole in the time span."""
        return self.until // DAY_NS if self.until else _ALL_DAYS


@dataclass(frozen=True, slots=True)
class RollupCounts:
    """Groups with the most events, and the number of all groups."""

    groups: Sequence[tuple[tuple[object, ...], EventCounts]]
    total: int


def count_by_rollups(store: "EvidenceStore", query: RollupQuery) -> RollupCounts | None:
    """Count the events of a store by fields; None if only its rows tell.

    Sealed events are counted by the rollups, and unsealed ones by their rows.
    """
    return _answer(store, query, lambda engine, rows: _run_count(engine, rows, query))


def find_missing_values(
    store: "EvidenceStore", query: RollupQuery, values: Collection[tuple[str, bool]]
) -> set[tuple[str, bool]] | None:
    """Find the values that no event of a query has; None if only the rows tell.

    Args:
        store: The store.
        query: Events, with the field of the values.
        values: Values, each with whether trusted records are asked for.
    """

    def find(engine: DuckDbEngine, rows: _Rows) -> set[tuple[str, bool]]:
        names, trusted = [name for name, _ in values], [each for _, each in values]
        found = engine.run(
            "SELECT value, trusted FROM (SELECT unnest(?::VARCHAR[]) AS value, "  # noqa: S608 - ours
            f"unnest(?::BOOLEAN[]) AS trusted) ANTI JOIN ({rows[0]}) "
            "USING (value, trusted)",
            [names, trusted, *rows[1]],
        )
        return {(cast("str", name), bool(each)) for name, each in found}

    return _answer(store, query, find)


def _answer(
    store: "EvidenceStore",
    query: RollupQuery,
    call: Callable[[DuckDbEngine, _Rows], ResultT],
) -> ResultT | None:
    """Call a function with an engine and the rows of a query, as SQL with parameters.

    Returns:
        None if only the rows of events tell.
    """
    sources = store.queries.get_current_sources()
    if store.queries.has_index or sources.foreign or not sources.segments:
        return None
    try:
        files = _open_rollups(store)
        engine = DuckDbEngine(store.derived / ROLLUPS.folder)
    except EnvironmentFailure:
        return None
    try:
        others = _count_other_events(store, files.sources, query)
        if not files.sources.is_contained_in(store.queries.get_current_sources()):
            return None
        register_table(engine, "others", others)
        return call(engine, _build_rows(_select_files(files.paths, query), query))
    except EnvironmentFailure:  # another process has removed a file
        return None
    finally:
        engine.close()


def _select_files(files: Sequence[Path], query: RollupQuery) -> Sequence[Path]:
    """Select the files of the whole days in the time span of a query; at least one."""
    first, end = (
        format_day(day) if abs(day) < _ALL_DAYS else limit
        for day, limit in ((query.first_day, ""), (query.end_day, "9"))
    )
    found = [each for each in files if first <= each.name[: len("2026-01-31")] < end]
    return found or files[:1]


def write_rollups(store: "EvidenceStore") -> None:
    """Write the rollup of each day of the segments that has none.

    Raises:
        EnvironmentFailure: The disk cannot be written.
    """
    sources = store.queries.get_current_sources()
    if sources.segments and not sources.foreign:
        _open_rollups(store)


def _build_rows(files: Sequence[Path], query: RollupQuery) -> _Rows:
    """Build the SQL of the rows of rollups on whole days, and of the table `others`."""
    listed = ", ".join(quote_text(str(each.absolute())) for each in files)
    where, parameters = _build_conditions(query)
    return (
        f"SELECT {_LISTED} FROM read_parquet([{listed}]) "  # noqa: S608 - quoted
        f"WHERE day >= ? AND day < ? AND {where} "
        f"UNION ALL SELECT {_LISTED} FROM others WHERE {where}",
        [query.first_day, query.end_day, *parameters, *parameters],
    )


def _run_count(
    engine: DuckDbEngine, rows_sql: _Rows, query: RollupQuery
) -> RollupCounts:
    """Count the rows of a query."""
    column = dict.fromkeys(VALUE_FIELDS, "value")
    names = [column.get(name, name) for name in query.fields]
    values = ", ".join(f"{name} AS field_{n}" for n, name in enumerate(names))
    denied, unknown = (
        f"coalesce(sum(events) FILTER (outcome = '{each.value}'), 0)"
        for each in (EventOutcome.DENIED, EventOutcome.UNKNOWN)
    )
    rows = engine.run(
        f"WITH grouped AS (SELECT sum(events) AS n, {denied} AS denied, "  # noqa: S608 - ours
        f"{unknown} AS unknown, min(first) AS first, max(last) AS last, {values} "
        f"FROM ({rows_sql[0]}) GROUP BY {', '.join(names)}) "
        "SELECT *, (SELECT count(*) FROM grouped) FROM grouped "
        f"ORDER BY n DESC, {', '.join(f'field_{n}' for n in range(len(names)))} LIMIT ?",
        [*rows_sql[1], query.limit],
    )
    groups = [
        (
            tuple(row[5:-1]),
            EventCounts(*cast("_CountValues", row[:5])),
        )
        for row in rows
    ]
    return RollupCounts(groups, cast("int", rows[0][-1]) if rows else 0)


def _build_conditions(query: RollupQuery) -> tuple[str, list[object]]:
    """Build the SQL conditions of a query, with their parameters."""
    where = ["field = ?"]
    found: list[object] = [query.value_field]
    for column in ("source", "outcome"):
        if value := getattr(query, column):
            where.append(f"{column} = ?")
            found.append(value)
    if query.value:
        where.append("lower(value) LIKE ? ESCAPE '\\'")
        found.append(convert_glob_to_like(query.value.lower()))
    return " AND ".join(where), found


def _count_other_events(
    store: "EvidenceStore", sources: "EventSources", query: RollupQuery
) -> NamedTable:
    """Count the events of days that are not whole, and those in no segment yet."""
    whole_from, whole_to = query.first_day * DAY_NS, query.end_day * DAY_NS
    spans: list[tuple[int, int, SegmentScope]] = []
    if whole_from >= whole_to:
        spans = [(query.since, query.until, SegmentScope(query.since, query.until))]
    else:
        if query.since < whole_from:
            spans.append(
                (query.since, whole_from, SegmentScope(query.since, whole_from))
            )
        if query.until > whole_to:
            spans.append((whole_to, query.until, SegmentScope(whole_to, query.until)))
        if sources.journals:
            spans.append((whole_from, whole_to, sources.build_newer_scope()))
    found: list[dict[str, object]] = []
    for since, until, scope in spans:
        span = f"(SELECT * FROM events WHERE event_time >= {since} AND event_time < {until})"  # noqa: S608 - numbers
        sql = _build_rollup_sql(span, (query.value_field,))
        rows = store.run_query(sql, scope=scope)
        found += (dict(zip(_COLUMNS, row, strict=True)) for row in rows)
    return NamedTable(_COLUMNS, found)


def _build_rollup_sql(rows: str, names: Sequence[str] = VALUE_FIELDS) -> str:
    """Build the SQL of the rows of a rollup.

    Args:
        rows: SQL of a table of events.
        names: Fields to count.
    """
    shared = "day, source, outcome, trusted, scope, region, data_service, own"
    region, category = (build_fact_sql(name, "''") for name in ("region", "category"))
    service = DATA_SERVICE.replace("category", category)
    sets = ", ".join(f"({shared}, {name})" for name in names)
    kinds = " ".join(f"WHEN grouping({name}) = 0 THEN '{name}'" for name in names)
    return (
        f"SELECT day, CASE {kinds} END AS field, "  # noqa: S608 - our own names
        f"coalesce({', '.join(names)}) AS value, "
        f"{shared.partition(', ')[2]}, "
        "count(*) AS events, min(event_time) AS first, max(event_time) AS last FROM "
        f"(SELECT e.event_time // {DAY_NS} AS day, e.source, e.outcome, "
        f"{COLUMNS['trusted']} AS trusted, e.scope, {region} AS region, "
        f"{service} AS data_service, {OWN_PROTOCOL} AS own, "
        f"{', '.join(f'e.{name}' for name in names)}, "
        f"e.event_time FROM {rows} e) GROUP BY GROUPING SETS ({sets})"
    )


ROLLUPS = DayFileKind(
    "rollup", "rollups", ROLLUP_VERSION, _build_rollup_sql, "field, value"
)


def _open_rollups(store: "EvidenceStore") -> DayFiles:
    """Find the rollup of each day, write missing ones, and remove obsolete ones."""
    files = open_day_files(store, ROLLUPS)
    remove_other_files(store, ROLLUPS, files.paths)
    return files
