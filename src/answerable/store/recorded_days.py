"""Read the days on which each part of a log has events, by the statistics of segments.

Each segment has the events of one day, so the rows tell only of the parts of days at the
ends of a time span, and of unsealed records.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from answerable.model.time_units import DAY_NS
from answerable.store.event_columns import DATA_SERVICE
from answerable.store.event_queries import END_OF_TIME, EventFilter, build_filter_scope

if TYPE_CHECKING:
    from answerable.store.segment_scope import SegmentScope
    from answerable.store.segment_statistics import RecordedDays
    from answerable.store.store import EvidenceStore


@dataclass(frozen=True, slots=True, order=True)
class LogStream:
    """Part of a log that may be recorded or not: one account, region and service.

    Attributes:
        source: The log.
        scope: Account, cluster or organisation.
        region: Empty where the log names none.
        data_service: Service of data events (calls on the content of a resource),
            empty for all other events.
    """

    source: str
    scope: str
    region: str
    data_service: str


RecordedStreams = dict[LogStream, frozenset[int]]


def read_recorded_days(
    store: "EvidenceStore", since: int, until: int
) -> RecordedStreams:
    """Read the UTC days since 1970 on which each stream has events in a time span.

    Self-reported events are left out: their writer may omit some.

    Args:
        store: The evidence store.
        since: UTC nanoseconds, inclusive.
        until: UTC nanoseconds, exclusive.
    """
    sources = store.queries.get_current_sources()
    first = -(-since // DAY_NS) * DAY_NS
    end = until if until >= END_OF_TIME else until // DAY_NS * DAY_NS
    known = list_days_of_segments(store, first, end) if first < end else None
    if known is None:
        return _read_days_of_rows(store, since, until)
    found: RecordedStreams = {}
    for source, scope, region, data_service, days in known:
        _add_days(found, LogStream(source, scope, region, data_service), days)
    parts = [
        _read_days_of_rows(store, start, stop)
        for start, stop in ((since, first), (end, until))
        if start < stop
    ]
    if sources.journals:
        newer = sources.build_newer_scope()
        parts.append(_read_days_of_rows(store, first, end, newer))
    for part in parts:
        for stream, of_stream in part.items():
            _add_days(found, stream, of_stream)
    return dict(sorted(found.items()))


def list_days_of_segments(
    store: "EvidenceStore", since: int, until: int
) -> "list[RecordedDays] | None":
    """List the days of each stream by segment, of the segments in a time span.

    Args:
        store: The evidence store.
        since: UTC nanoseconds, inclusive; the start of a day.
        until: UTC nanoseconds, exclusive; the end of a day.

    Returns:
        None if only the rows tell.
    """
    sources = store.queries.get_current_sources()
    known = [
        sources.statistics.get(each.segment)
        for each in sources.segments
        if since <= int(each.min_time) and int(each.max_time) < until
    ]
    if sources.foreign or not all(known):
        return None
    return [days for each in known if each for days in each.recorded]


def _add_days(found: RecordedStreams, stream: LogStream, days: Iterable[int]) -> None:
    """Add days of a stream."""
    found[stream] = found.get(stream, frozenset()).union(days)


def _read_days_of_rows(
    store: "EvidenceStore",
    since: int,
    until: int,
    scope: "SegmentScope | None" = None,
) -> RecordedStreams:
    """Read the days of each stream in a time span from the rows."""
    query = (
        f"SELECT e.source, e.scope, e.region, {DATA_SERVICE}, "  # noqa: S608 - ours
        f"list(DISTINCT e.event_time // {DAY_NS}) FROM skimmed e "
        "WHERE e.written_by <> 'self-reported' AND e.event_time >= ? "
        "AND e.event_time < ? GROUP BY ALL ORDER BY ALL"
    )
    scope = scope or build_filter_scope(EventFilter(since=since, until=until))
    rows = store.run_query(query, [since, until], scope=scope)
    return {
        LogStream(*cast("list[str]", names)): frozenset(cast("list[int]", days))
        for *names, days in rows
    }
