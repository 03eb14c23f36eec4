"""Query and count events by chain and time, and the time span of each log (SQL)."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from answerable.model.event import EventOutcome
from answerable.model.time_units import DAY_NS
from answerable.store.chain_tables import (
    JointInterval,
    build_chain_interval_table,
)
from answerable.store.documented_views import JOINED_CHAINS

if TYPE_CHECKING:
    from answerable.store.segment_scope import SegmentScope
    from answerable.store.store import EvidenceStore

# Identities or credentials named one by one in a query, at most.
_MAX_INLINE_KEYS = 200
_NS_PER_MS = 1_000_000
END_OF_TIME = 2**63 - 1


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Filter of an event query.

    Attributes:
        actions: Patterns with `*` and `?`, of which one must match; empty for all.
        resources: Such patterns against any resource of the event.
        since: UTC nanoseconds, inclusive, 0 for the beginning.
        until: UTC nanoseconds, exclusive, 0 for the end.
        event: Event id, empty for all.
        outcome: Outcome, empty for all.
    """

    actions: Sequence[str] = ()
    resources: Sequence[str] = ()
    since: int = 0
    until: int = 0
    event: bytes = b""
    outcome: str = ""


def build_interval_join_sql(name: str) -> str:
    """Build the SQL join of events with a table of chain keys and time intervals."""
    # EXISTS with the same conditions takes the engine fifty times as long.
    return f"SEMI JOIN {name} c ON ({JOINED_CHAINS})"


def build_implied_bounds_sql(
    keys: Sequence[JointInterval],
) -> tuple[list[str], list[object]]:
    """Build plain comparisons that the keys imply, so that DuckDB skips row groups."""
    if not keys:
        return ["false"], []
    where = ["event_time >= ?", "event_time < ?"]
    parameters: list[object] = [min(k[1] for k in keys), max(k[2] for k in keys)]
    for column, values in (
        ("e.identity", sorted({joint.key.identity for joint, _, _ in keys})),
        ("e.credential", sorted({joint.key.credential for joint, _, _ in keys})),
    ):
        if len(values) <= _MAX_INLINE_KEYS:
            where.append(f"{column} IN ({', '.join('?' * len(values))})")
            parameters += values
    return where, parameters


def build_filter_sql(event_filter: EventFilter) -> tuple[list[str], list[object]]:
    """Build the SQL conditions and parameters of a filter."""
    where: list[str] = []
    parameters: list[object] = []
    for bound, sign in ((event_filter.since, ">="), (event_filter.until, "<")):
        if bound:
            where.append(f"event_time {sign} ?")
            parameters.append(bound)
    if event_filter.event:
        # An id starts with its time in milliseconds, so most row groups are ruled out.
        start = int.from_bytes(event_filter.event[:6], "big") * _NS_PER_MS
        where.append("event_time >= ? AND event_time < ? AND event_id = ?")
        parameters += [start, start + _NS_PER_MS, event_filter.event]
    if event_filter.outcome:
        where.append("outcome = ?")
        parameters.append(event_filter.outcome)
    if event_filter.actions:
        one = "lower(action) LIKE ? ESCAPE '\\'"
        where.append("(" + " OR ".join([one] * len(event_filter.actions)) + ")")
        parameters += [
            convert_glob_to_like(pattern.lower()) for pattern in event_filter.actions
        ]
    if event_filter.resources:
        options = build_resource_options(event_filter.resources)
        where.append("(" + " OR ".join(sql for sql, _ in options) + ")")
        parameters += [value for _, values in options for value in values]
    return where, parameters


def build_resource_options(
    patterns: Sequence[str],
) -> list[tuple[str, list[object]]]:
    """Build SQL conditions on the resources of an event, of which one must hold.

    An event that one pattern matches meets exactly one of the two conditions: its first
    resource matches, or only another one does. Each alone reads one column; with an OR
    between them, the engine decodes every list of resources.
    """
    first, other = [], []
    for pattern in patterns:
        if "*" in pattern or "?" in pattern:
            first.append("resource LIKE ? ESCAPE '\\'")
            other.append(
                "len(list_filter(resources, lambda r: r LIKE ? ESCAPE '\\')) > 0"
            )
        else:
            first.append("resource = ?")
            other.append("list_contains(resources, ?)")
    values: list[object] = [
        convert_glob_to_like(each) if "*" in each or "?" in each else each
        for each in patterns
    ]
    of_first = f"({' OR '.join(first)})"
    of_other = f"(({' OR '.join(other)}) AND {of_first} IS NOT TRUE)"
    return [(of_first, values), (of_other, [*values, *values])]


def build_filter_scope(
    event_filter: EventFilter,
    alternatives: Sequence[Mapping[str, Collection[str]]] = (),
) -> "SegmentScope":
    """Build the scope of the segments that a filter can match.

    Args:
        event_filter: The filter.
        alternatives: Values by column; see `SegmentScope`.
    """
    from answerable.store.segment_scope import SegmentScope  # most answers need none

    since, until = event_filter.since, event_filter.until
    if event_filter.event:
        start = int.from_bytes(event_filter.event[:6], "big") * _NS_PER_MS
        since = max(since, start)
        until = min(until or start + _NS_PER_MS, start + _NS_PER_MS)
    return SegmentScope(since, until, tuple(alternatives))


def list_key_values(keys: Sequence[JointInterval]) -> dict[str, set[str]]:
    """List the sources, identities and credentials of chain keys, by column."""
    return {
        "source": {joint.source for joint, _, _ in keys},
        "identity": {joint.key.identity for joint, _, _ in keys},
        "credential": {joint.key.credential for joint, _, _ in keys},
    }


def convert_glob_to_like(pattern: str) -> str:
    """Convert a glob (`*`, `?`) to an SQL LIKE pattern; adjacent stars are merged."""
    spelled = pattern.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    while "**" in spelled:
        spelled = spelled.replace("**", "*")
    return spelled.replace("*", "%").replace("?", "_")


def count_events_by_chain_key(
    store: "EvidenceStore", keys: Sequence[JointInterval]
) -> dict[int, int]:
    """Count the events of each chain key and time interval, by index in the list."""
    query = f"SELECT c.n, count(*) FROM skimmed e JOIN intervals c ON {JOINED_CHAINS} GROUP BY c.n"  # noqa: S608 - ours
    rows = store.run_query(
        query,
        (),
        {"intervals": build_chain_interval_table(keys)},
        build_filter_scope(EventFilter(), [list_key_values(keys)]),
    )
    return {cast("int", n): cast("int", count) for n, count in rows}


@dataclass(frozen=True, slots=True)
class CallOutcomeCount:
    """Number of calls of one action and outcome under one key.

    Attributes:
        key: Index of the joint and interval in the list.
        action: IAM action, where the log uses another name.
        last: Time of the latest, UTC nanoseconds.
    """

    key: int
    action: str
    outcome: EventOutcome
    count: int
    last: int


def count_calls_by_chain_key(
    store: "EvidenceStore", keys: Sequence[JointInterval]
) -> list[CallOutcomeCount]:
    """Count calls by action and outcome for each chain key and time interval."""
    where, values = build_implied_bounds_sql(keys)
    query = (
        "SELECT c.n, e.called, e.outcome, count(*), max(e.event_time) "  # noqa: S608 - ours
        f"FROM skimmed e JOIN intervals c ON {JOINED_CHAINS} WHERE {' AND '.join(where)} "
        "GROUP BY ALL ORDER BY ALL"
    )
    rows = store.run_query(
        query,
        values,
        {"intervals": build_chain_interval_table(keys)},
        build_filter_scope(EventFilter(), [list_key_values(keys)]),
    )
    return [
        CallOutcomeCount(
            cast("int", n),
            cast("str", action),
            EventOutcome(cast("str", outcome)),
            cast("int", count),
            cast("int", last),
        )
        for n, action, outcome, count, last in rows
    ]


def count_successful_calls_by_chain_key(
    store: "EvidenceStore", keys: Sequence[JointInterval]
) -> dict[int, tuple[int, int]]:
    """Count calls that were not denied, with the latest time, by index in the list."""
    where, values = build_implied_bounds_sql(keys)
    query = (
        "SELECT c.n, count(*), max(e.event_time) FROM skimmed e "  # noqa: S608 - ours
        f"JOIN intervals c ON {JOINED_CHAINS} WHERE {' AND '.join(where)} "
        "AND e.outcome <> ? GROUP BY c.n"
    )
    rows = store.run_query(
        query,
        [*values, EventOutcome.DENIED.value],
        {"intervals": build_chain_interval_table(keys)},
        build_filter_scope(EventFilter(), [list_key_values(keys)]),
    )
    return {
        cast("int", n): (cast("int", count), cast("int", last))
        for n, count, last in rows
    }


@dataclass(frozen=True, slots=True)
class AccountLogSpan:
    """Logged time span and data events of one account.

    Attributes:
        scope: The account.
        since: Time of the first event, UTC nanoseconds.
        until: Time of the last event.
        data: Services with data events (calls on the content of a resource).
    """

    scope: str
    since: int
    until: int
    data: frozenset[str]


def read_account_log_spans(store: "EvidenceStore") -> dict[str, AccountLogSpan]:
    """Read the first and last logged time of each account, by account number."""
    query = (
        "SELECT e.scope, min(e.event_time), max(e.event_time), list(DISTINCT "
        "CASE category WHEN 'Data' THEN split_part(e.action, ':', 1) END) "
        "FROM skimmed e WHERE e.source = 'cloudtrail' AND e.written_by = 'platform' "
        "GROUP BY e.scope"
    )
    found = {}
    for scope, since, until, data in store.run_query(query):
        services = frozenset(filter(None, cast("list[str | None]", data or [])))
        name = cast("str", scope)
        found[name] = AccountLogSpan(
            name, cast("int", since), cast("int", until), services
        )
    return found


@dataclass(frozen=True, slots=True)
class LogSpan:
    """Logged time span of one scope of a log that a platform wrote.

    Attributes:
        since: Time of the first event, UTC nanoseconds.
        until: Time of the last event.
        api_requests: Whether GitHub's events of API requests are among them.
    """

    since: int
    until: int
    api_requests: bool


def read_log_spans(store: "EvidenceStore") -> dict[tuple[str, str], LogSpan]:
    """Read the first and last logged time by source and scope, of every platform."""
    query = (
        "SELECT e.source, e.scope, min(e.event_time), max(e.event_time), "
        "bool_or(e.action = 'github:api.request') FROM skimmed e "
        "WHERE e.written_by = 'platform' GROUP BY e.source, e.scope"
    )
    return {
        (cast("str", source), cast("str", scope)): LogSpan(
            cast("int", since), cast("int", until), bool(requests)
        )
        for source, scope, since, until, requests in store.run_query(query)
    }


def read_logged_days(store: "EvidenceStore") -> dict[str, dict[str, frozenset[int]]]:
    """Read the days with events of each account and region.

    Returns:
        By account number and region (empty where events name none), UTC days since
            1970.
    """
    query = (
        "SELECT e.scope, e.region, "  # noqa: S608 - ours
        f"list(DISTINCT e.event_time // {DAY_NS}) FROM skimmed e "
        "WHERE e.source = 'cloudtrail' AND e.written_by = 'platform' "
        "GROUP BY ALL ORDER BY ALL"
    )
    found: dict[str, dict[str, frozenset[int]]] = {}
    for scope, region, days in store.run_query(query):
        regions = found.setdefault(cast("str", scope), {})
        regions[cast("str", region)] = frozenset(cast("list[int]", days))
    return found


@dataclass(frozen=True, slots=True)
class SourceResourceCount:
    """Events of one source, and how many of them name a resource."""

    source: str
    trusted: bool
    events: int
    with_resource: int


def count_resources_by_source(store: "EvidenceStore") -> list[SourceResourceCount]:
    """Count the events of each source, and those that name a resource."""
    query = (
        "SELECT source, written_by <> 'self-reported' AS trusted, count(*), "
        "count(*) FILTER (resource <> '') FROM skimmed GROUP BY ALL ORDER BY ALL"
    )
    return [
        SourceResourceCount(
            cast("str", source),
            bool(trusted),
            cast("int", events),
            cast("int", named),
        )
        for source, trusted, events, named in store.run_query(query)
    ]


def count_events_by_source(store: "EvidenceStore") -> list[tuple[str, int]]:
    """Count the events of each source, by its name; sealed ones from the catalogue."""
    query = "SELECT source, count(*) FROM skimmed GROUP BY source"
    if not store.queries.has_index:
        counts: Counter[str] = Counter()
        sources = store.queries.get_current_sources()
        known = [sources.statistics.get(each.segment) for each in sources.segments]
        # Else some are in object storage or in a lake alone.
        if all(known) and not sources.foreign:
            for each in known:
                counts.update(each.sources if each else {})
            if sources.journals:
                rows = store.run_query(query, scope=sources.build_newer_scope())
                counts.update({cast("str", name): cast("int", n) for name, n in rows})
            if sources.is_contained_in(store.queries.get_current_sources()):
                return sorted(counts.items())
    rows = store.run_query(query)
    return sorted((cast("str", name), cast("int", n)) for name, n in rows)


def read_event_sources(store: "EvidenceStore") -> frozenset[str]:
    """Read the log sources of all events."""
    return frozenset(source for source, _ in count_events_by_source(store))


def has_events(store: "EvidenceStore") -> bool:
    """Return whether the store has any event."""
    sources = store.queries.get_current_sources()
    return bool(sources.segments or sources.journals)
