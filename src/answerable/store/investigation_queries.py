"""Query events for an investigation: pages, newest first, and counts over time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from answerable.model.event import AuditEvent
from answerable.store.chain_tables import JointInterval, build_chain_interval_table
from answerable.store.event_queries import (
    EventFilter,
    build_filter_scope,
    build_filter_sql,
    build_implied_bounds_sql,
    build_interval_join_sql,
    convert_glob_to_like,
    list_key_values,
)
from answerable.store.query_tables import NamedTable
from answerable.store.search_index import PLACE_COLUMNS, EventPlace
from answerable.store.segment_scope import (
    TESTED_COLUMNS,
    SegmentScope,
)

if TYPE_CHECKING:
    from answerable.store.store import EvidenceStore

_RESOURCE_COLUMNS = ("created", "deleted", "issued_to", "resource")
_SEARCHED_COLUMNS = ("action", "resource")
_NS_PER_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class EventAlternative:
    """Alternative of an investigation filter.

    Attributes:
        keys: Joints and intervals, of which one must match; None for all.
        words: Patterns with `*` and `?`; action or resources must contain each.
        about: Identity that the event must have created, deleted, issued a credential
            for or accessed; empty for none.
    """

    keys: Sequence[JointInterval] | None = None
    words: Sequence[str] = ()
    about: str = ""


@dataclass(frozen=True, slots=True)
class InvestigationFilter:
    """Filter of an investigation.

    Attributes:
        filter: Actions, resources and time span.
        alternatives: Alternatives, of which one must match.
        equal_columns: Pairs (column, value) that must be equal.
        before: Time and id of an event that all results precede; None for no limit.
    """

    filter: EventFilter
    alternatives: Sequence[EventAlternative] = (EventAlternative(),)
    equal_columns: Sequence[tuple[str, str]] = ()
    before: tuple[int, bytes] | None = None


def build_investigation_scope(investigation: InvestigationFilter) -> SegmentScope:
    """Build the scope of the segments that an investigation can match."""
    equal = {
        column: {value}
        for column, value in investigation.equal_columns
        if column in TESTED_COLUMNS
    }
    alternatives = [
        {**equal, **({} if each.keys is None else list_key_values(each.keys))}
        for each in investigation.alternatives
    ]
    event_filter = investigation.filter
    if investigation.before is not None:
        end = investigation.before[0] + 1
        event_filter = replace(event_filter, until=min(event_filter.until or end, end))
    return build_filter_scope(event_filter, alternatives if all(alternatives) else ())


def find_newest_events(
    store: "EvidenceStore", investigation: InvestigationFilter, limit: int
) -> list[AuditEvent]:
    """Find the newest matching events, newest first."""
    # Two steps: which events, in the few columns that tell; then those events whole.
    # Segments are sorted by identity: it tells in which part of a segment each one is.
    found: set[tuple[int, bytes, int, int, str]] = set()
    scope = build_investigation_scope(investigation)
    for since, until in store.queries.list_newest_windows(scope):
        span = replace(investigation.filter, since=since, until=until)
        part = replace(investigation, filter=span)
        for query, parameters, tables in _build_alternative_queries(
            part, f"{PLACE_COLUMNS}, identity"
        ):
            newest = f"{query} ORDER BY event_time DESC, event_id DESC LIMIT ?"
            rows = store.run_query(
                newest,
                [*parameters, limit],
                tables,
                replace(scope, since=since, until=until),
            )
            found |= set(cast("list[tuple[int, bytes, int, int, str]]", rows))
        if len(found) >= limit:
            break
    places = sorted(found, reverse=True)[:limit]
    events = store.read_events_at(
        [place[:4] for place in places], {place[4] for place in places}
    )
    # Records of one id stand side by side, in the same order wherever they lie.
    events.sort(key=lambda each: each.raw_sha256)
    events.sort(key=lambda each: (each.event_time, each.event_id), reverse=True)
    return events


@dataclass(frozen=True, slots=True)
class OutcomeCount:
    """Number of events of one time span and outcome.

    Attributes:
        at: Start of the span, UTC nanoseconds.
        events: Number of events.
    """

    at: int
    outcome: str
    events: int


def count_events_over_time(
    store: "EvidenceStore", investigation: InvestigationFilter, width: int
) -> list[OutcomeCount]:
    """Count matching events by time bucket and outcome.

    Args:
        store: The evidence store.
        investigation: The filter.
        width: Length of a span, nanoseconds.
    """
    query, values, tables = build_matching_query(
        investigation, "event_id, event_time, outcome"
    )
    rows = store.run_query(
        f"SELECT event_time // ? * ? AS at, outcome, count(*) FROM ({query}) "  # noqa: S608 - ours
        "GROUP BY ALL ORDER BY ALL",
        [width, width, *values],
        tables,
        build_investigation_scope(investigation),
    )
    return [
        OutcomeCount(cast("int", at), cast("str", outcome), cast("int", events))
        for at, outcome, events in rows
    ]


def count_events_matching(
    store: "EvidenceStore", investigation: InvestigationFilter
) -> int:
    """Count matching events."""
    query, values, tables = build_matching_query(investigation, "event_id, event_time")
    scope = build_investigation_scope(investigation)
    counting = f"SELECT count(*) FROM ({query})"  # noqa: S608 - ours
    ((events,),) = store.run_query(counting, values, tables, scope)
    return cast("int", events)


def read_event_time_range(store: "EvidenceStore") -> tuple[int, int]:
    """Return the times of the oldest and the newest event, zeros for none."""
    query = "SELECT min(event_time), max(event_time) FROM skimmed"
    ((first, last),) = store.run_query(query)
    return cast("int", first or 0), cast("int", last or 0)


def count_all_events(store: "EvidenceStore") -> int:
    """Count all events, sealed or not."""
    ((count,),) = store.run_query("SELECT count(*) FROM skimmed")
    return cast("int", count)


def find_events_by_id(store: "EvidenceStore", event_id: bytes) -> list[AuditEvent]:
    """Find the records of an event id: one, or several with different bytes."""
    # An id starts with its time in milliseconds, so most row groups are ruled out.
    start = int.from_bytes(event_id[:6], "big") * _NS_PER_MS
    query = (
        f"SELECT {PLACE_COLUMNS} FROM skimmed WHERE event_time >= ? AND event_time < ? "  # noqa: S608 - ours
        "AND event_id = ?"
    )
    scope = build_filter_scope(EventFilter(event=event_id))
    rows = store.run_query(query, [start, start + _NS_PER_MS, event_id], scope=scope)
    found = store.read_events_at(cast("list[EventPlace]", rows))
    return sorted(found, key=lambda event: event.raw_sha256)


def suggest_column_values(
    store: "EvidenceStore",
    column: str,
    word: str,
    investigation: InvestigationFilter,
    max_values: int,
) -> list[str]:
    """Find values of a column that contain a word, most frequent first."""
    if column not in ("action", "resource", "source", "run"):
        raise ValueError(f"no values to complete for the column {column}")
    found: dict[str, int] = {}
    for query, parameters, tables in _build_alternative_queries(
        investigation, f"e.{column} AS value"
    ):
        rows = store.run_query(
            f"SELECT value, count(*) AS n FROM ({query}) WHERE value <> '' "  # noqa: S608 - ours
            "AND lower(value) LIKE ? ESCAPE '\\' GROUP BY value "
            "ORDER BY n DESC, value LIMIT ?",
            [*parameters, convert_glob_to_like(f"*{word.lower()}*"), max_values],
            tables,
            build_investigation_scope(investigation),
        )
        for value, count in rows:
            key = cast("str", value)
            found[key] = max(found.get(key, 0), cast("int", count))
    return sorted(found, key=lambda value: (-found[value], value))[:max_values]


_QueryParts = tuple[str, list[object], dict[str, NamedTable]]


def _build_alternative_queries(
    investigation: InvestigationFilter, columns: str
) -> Iterator[_QueryParts]:
    """Yield an SQL query with parameters and tables for each alternative."""
    where, parameters = build_filter_sql(investigation.filter)
    for column, value in investigation.equal_columns:
        where.append(f"{column} = ?")
        parameters.append(value)
    if investigation.before is not None:
        at, key = investigation.before
        where.append("event_time <= ? AND (event_time < ? OR event_id < ?)")
        parameters += [at, at, key]
    for number, part in enumerate(investigation.alternatives):
        only, values, tables = _build_alternative_sql(f"keys_{number}", part)
        join = " ".join(map(build_interval_join_sql, tables))
        query = (
            f"SELECT {columns} FROM skimmed e {join} "  # noqa: S608 - ours
            f"WHERE {' AND '.join([*where, *only]) or 'true'}"
        )
        yield query, [*parameters, *values], tables


def build_matching_query(
    investigation: InvestigationFilter, columns: str
) -> _QueryParts:
    """Build one query for all alternatives; an event of several is counted once."""
    parts = list(_build_alternative_queries(investigation, columns))
    return (
        " UNION ".join(query for query, _, _ in parts)
        or f"SELECT {columns} FROM skimmed e WHERE false",  # noqa: S608 - ours
        [value for _, parameters, _ in parts for value in parameters],
        {name: table for _, _, each in parts for name, table in each.items()},
    )


def _build_alternative_sql(
    name: str, alternative: EventAlternative
) -> tuple[list[str], list[object], dict[str, NamedTable]]:
    """Build the SQL conditions of one alternative: words, resource, chain keys."""
    where: list[str] = []
    parameters: list[object] = []
    tables: dict[str, NamedTable] = {}
    for word in alternative.words:
        pattern = convert_glob_to_like(f"*{word.lower()}*")
        texts = [f"lower({column}) LIKE ? ESCAPE '\\'" for column in _SEARCHED_COLUMNS]
        texts.append(
            "len(list_filter(resources, lambda r: lower(r) LIKE ? ESCAPE '\\')) > 0"
        )
        where.append(f"({' OR '.join(texts)})")
        parameters += [pattern] * len(texts)
    if alternative.about:
        touched = [f"{column} = ?" for column in _RESOURCE_COLUMNS]
        touched.append("list_contains(resources, ?)")
        where.append(f"({' OR '.join(touched)})")
        parameters += [alternative.about] * len(touched)
    if alternative.keys is not None:
        tables[name] = build_chain_interval_table(alternative.keys)
        bounds, values = build_implied_bounds_sql(alternative.keys)
        where += bounds
        parameters += values
    return where, parameters, tables
