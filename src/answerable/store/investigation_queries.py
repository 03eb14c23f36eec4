"""Query events for an investigation: pages, newest first, and counts over time."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from answerable.model.event import AuditEvent
from answerable.store.event_alternative import EventAlternative
from answerable.store.event_places import (
    FOUND_PLACE,
    FoundPlace,
    list_found_columns,
    read_newest_events,
)
from answerable.store.event_queries import (
    EventFilter,
    build_filter_scope,
    build_filter_sql,
    build_interval_join_sql,
    build_resource_options,
    convert_glob_to_like,
)
from answerable.store.query_tables import NamedTable
from answerable.store.search_index import PLACE_COLUMNS, EventPlace
from answerable.store.segment_scope import (
    TESTED_COLUMNS,
    SearchWindow,
    SegmentScope,
    list_older_windows,
)

if TYPE_CHECKING:
    from answerable.store.store import EvidenceStore

_NAMED_COLUMNS = ("created", "deleted", "issued_to", "resource")
_OTHER_RESOURCE = "list_contains(resources, ?)"
_SEARCHED_COLUMNS = ("action", "resource")
_NS_PER_MS = 1_000_000
_NEWEST_FIRST = "event_time DESC, event_id DESC"
# A search that counts, too, holds the places of all matching events of a window.
_MAX_COUNTED_WINDOW = 1_500_000


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
    alternatives = [{**equal, **each.key_values} for each in investigation.alternatives]
    event_filter = investigation.filter
    if investigation.before is not None:
        end = investigation.before[0] + 1
        event_filter = replace(event_filter, until=min(event_filter.until or end, end))
    return build_filter_scope(event_filter, alternatives if all(alternatives) else ())


@dataclass(frozen=True, slots=True)
class NewestEvents:
    """Newest events of an investigation.

    Attributes:
        events: Newest first.
        total: Number of all matching events; None if they were not counted.
    """

    events: Sequence[AuditEvent]
    total: int | None = None


def find_newest_events(
    store: "EvidenceStore", investigation: InvestigationFilter, limit: int
) -> list[AuditEvent]:
    """Find the newest matching events, newest first."""
    # Two steps: which events, in the few columns that tell; then those events whole.
    # Segments are sorted by identity: it tells in which part of a segment each one is.
    found: set[FoundPlace] = set()
    scope = build_investigation_scope(investigation)
    for window in store.queries.list_newest_windows(scope):
        part = _restrict_to_window(investigation, window)
        found.update(_find_newest_places(store, part, limit))
        if len(found) >= limit:
            break
    return read_newest_events(store, found, limit)


def find_and_count_newest_events(
    store: "EvidenceStore",
    investigation: InvestigationFilter,
    limit: int,
    count_all: "Callable[[], int | None]" = lambda: None,
) -> NewestEvents:
    """Find the newest matching events, and count all if that takes no second search.

    A window that is small enough is searched once for both.

    Args:
        store: The store.
        investigation: The filter.
        limit: Most events.
        count_all: Counts all matching events without a search; None if it cannot.
    """
    found: set[FoundPlace] = set()
    total: int | None = 0
    scope = build_investigation_scope(investigation)
    windows, is_newest = store.queries.list_newest_windows(scope), True
    while windows:
        window, *older = windows
        part = _restrict_to_window(investigation, window)
        if total is not None and _is_small([window]):
            places, events = _find_and_count_places(store, part, limit)
            total += events
        else:
            places, total = _find_newest_places(store, part, limit), None
        found.update(places)
        if len(found) >= limit:
            known = None
            if total is None or not _is_small(older):
                known = count_all()
            if known is not None:
                total = known
            elif total is not None and older:
                rest = SearchWindow(scope.since, window.since)
                total += count_events_matching(
                    store, _restrict_to_window(investigation, rest)
                )
            break
        if is_newest and found and older:
            missing = (limit - len(found)) / len(found)
            sources = store.queries.get_current_sources()
            older = list_older_windows(sources, scope, window, missing)
        windows, is_newest = older, False
    return NewestEvents(read_newest_events(store, found, limit), total)


def _is_small(windows: Sequence[SearchWindow]) -> bool:
    """Return whether windows have so few events that counting them takes little."""
    events = [each.events for each in windows]
    return None not in events and sum(filter(None, events)) <= _MAX_COUNTED_WINDOW


def _restrict_to_window(
    investigation: InvestigationFilter, window: SearchWindow
) -> InvestigationFilter:
    """Restrict an investigation to a time window."""
    span = replace(investigation.filter, since=window.since, until=window.until)
    return replace(investigation, filter=span)


def _find_newest_places(
    store: "EvidenceStore", investigation: InvestigationFilter, limit: int
) -> "list[FoundPlace]":
    """Find the newest places of each alternative."""
    found: list[FoundPlace] = []
    scope = build_investigation_scope(investigation)
    for query, parameters, tables in _build_alternative_queries(
        investigation, list_found_columns(store, FOUND_PLACE)
    ):
        newest = f"{query} ORDER BY {_NEWEST_FIRST} LIMIT ?"
        rows = store.run_query(newest, [*parameters, limit], tables, scope)
        found += cast("list[FoundPlace]", rows)
    return found


def _find_and_count_places(
    store: "EvidenceStore", investigation: InvestigationFilter, limit: int
) -> "tuple[list[FoundPlace], int]":
    """Find the newest places, and count all, with one query."""
    columns = list_found_columns(store, FOUND_PLACE)
    query, parameters, tables = build_matching_query(investigation, columns)
    rows = store.run_query(
        f"SELECT *, count(*) OVER () FROM ({query}) ORDER BY {_NEWEST_FIRST} LIMIT ?",  # noqa: S608 - ours
        [*parameters, limit],
        tables,
        build_investigation_scope(investigation),
    )
    places = cast("list[FoundPlace]", [row[:-1] for row in rows])
    return places, cast("int", rows[0][-1]) if rows else 0


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
    scope = build_investigation_scope(investigation)
    if not store.queries.has_index:
        sources = store.queries.get_current_sources().select_segments(scope)
        if not (sources.segments or sources.journals or sources.foreign):
            return 0  # no query is planned
    columns = list_found_columns(store, "event_id, event_time")
    query, values, tables = build_matching_query(investigation, columns)
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
_Condition = tuple[str, list[object]]
_NO_CONDITION: Sequence[_Condition] = [("", [])]


def _build_alternative_queries(
    investigation: InvestigationFilter, columns: str
) -> Iterator[_QueryParts]:
    """Yield an SQL query with parameters and tables for each alternative."""
    where, parameters = build_filter_sql(replace(investigation.filter, resources=()))
    for column, value in investigation.equal_columns:
        where.append(f"{column} = ?")
        parameters.append(value)
    if investigation.before is not None:
        at, key = investigation.before
        where.append("event_time <= ? AND (event_time < ? OR event_id < ?)")
        parameters += [at, at, key]
    shared: _Condition = " AND ".join(where), parameters
    patterns = investigation.filter.resources
    named = build_resource_options(patterns) if patterns else _NO_CONDITION
    for number, part in enumerate(investigation.alternatives):
        only, values, tables = _build_alternative_sql(f"keys_{number}", part)
        join = " ".join(map(build_interval_join_sql, tables))
        about = _build_identity_options(part.about) if part.about else _NO_CONDITION
        queries: list[str] = []
        found: list[object] = []
        for each in itertools.product(named, about):
            chosen: _Condition = " AND ".join(only), values
            conditions = [part for part in (shared, chosen, *each) if part[0]]
            queries.append(
                f"SELECT {columns} FROM skimmed e {join} "  # noqa: S608 - ours
                f"WHERE {' AND '.join(sql for sql, _ in conditions) or 'true'}"
            )
            found += [value for _, values in conditions for value in values]
        yield " UNION ALL ".join(queries), found, tables


def _build_identity_options(identity: str) -> list[_Condition]:
    """Build SQL conditions on what an event touches, of which at most one holds.

    Alone, an equal value is sought in the row groups that may have it; with an OR, each
    column is decoded.
    """
    found: list[_Condition] = []
    earlier: list[str] = []
    for test in (*(f"{column} = ?" for column in _NAMED_COLUMNS), _OTHER_RESOURCE):
        first = f" AND ({' OR '.join(earlier)}) IS NOT TRUE" if earlier else ""
        found.append((f"({test}{first})", [identity] * (len(earlier) + 1)))
        earlier.append(test)
    return found


def build_matching_query(
    investigation: InvestigationFilter, columns: str
) -> _QueryParts:
    """Build one query for all alternatives; an event of several is counted once."""
    parts = list(_build_alternative_queries(investigation, columns))
    return (
        (parts[0][0] if len(parts) == 1 else "")
        or " UNION ".join(f"({query})" for query, _, _ in parts)
        or f"SELECT {columns} FROM skimmed e WHERE false",  # noqa: S608 - ours
        [value for _, parameters, _ in parts for value in parameters],
        {name: table for _, _, each in parts for name, table in each.items()},
    )


def _build_alternative_sql(
    name: str, alternative: EventAlternative
) -> tuple[list[str], list[object], dict[str, NamedTable]]:
    """Build the SQL conditions of one alternative: words and chain keys."""
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
    if alternative.keys is not None:
        tables[name] = alternative.key_table
        bounds, values = alternative.key_bounds
        where += bounds
        parameters += values
    return where, parameters, tables
