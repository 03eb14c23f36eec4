"""Describe what the stored events of each log show about its coverage.

The days without events, the regions and the services with data events come from the
events themselves. A day without events does not prove that a file is missing, but the
activity of that day is not known.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import timedelta

from answerable.model.documents.logged_days import LoggedDaysItem
from answerable.model.documents.shared_shapes import CoverageRecord
from answerable.model.log_sources import CLOUDTRAIL, GATEWAY
from answerable.model.time_units import DAY_NS, EPOCH
from answerable.presentation.recorded_days import build_recorded_item
from answerable.store.event_queries import END_OF_TIME
from answerable.store.mediated_call_queries import find_recorder_gaps
from answerable.store.recorded_days import LogStream, read_recorded_days
from answerable.store.store import EvidenceStore

_MOST_SCOPES = 3  # accounts described one by one

RecordedDays = Mapping[LogStream, Collection[int]]


def describe_recorded_logs(store: EvidenceStore, now: int) -> dict[str, str]:
    """Describe the recorded days, regions and data events of each trusted log."""
    by_source: dict[str, dict[LogStream, Collection[int]]] = defaultdict(dict)
    for stream, days in read_recorded_days(store, 0, END_OF_TIME).items():
        by_source[stream.source][stream] = days
    return {
        source: _describe_log(streams, now // DAY_NS)
        for source, streams in by_source.items()
    }


def add_recorded_data(
    covered: CoverageRecord, store: EvidenceStore, since: int, until: int, *, now: int
) -> None:
    """Add what the logs recorded in the time span of a query to its coverage.

    Args:
        covered: Coverage of the answer.
        store: The evidence store.
        since: UTC nanoseconds, inclusive.
        until: UTC nanoseconds, exclusive, 0 for the end.
        now: UTC nanoseconds.
    """
    days = read_recorded_days(store, since, until or END_OF_TIME)
    covered["recorded"] = list_recorded_days(days)
    if ahead := _list_clocks_ahead(days, now // DAY_NS):
        covered["clocks_ahead"] = ahead
    services: dict[str, set[str]] = {}
    for stream in days:
        if stream.source == CLOUDTRAIL:
            found = services.setdefault(stream.scope, set())
            found |= {stream.data_service} - {""}
    if services:
        covered["data_events"] = {
            account: sorted(found) for account, found in sorted(services.items())
        }
    if GATEWAY in covered["seen"]:
        covered["record_gaps"] = len(find_recorder_gaps(store))


def list_recorded_days(days: RecordedDays) -> list[LoggedDaysItem]:
    """List the recorded days of each log and account, by region."""
    found: dict[str, dict[str, set[int]]] = {}
    for stream, of_stream in days.items():
        regions = found.setdefault(_name_log(stream), {})
        regions.setdefault(stream.region, set()).update(of_stream)
    return [build_recorded_item(log, regions) for log, regions in sorted(found.items())]


def _name_log(stream: LogStream) -> str:
    """Name a log and its account, if it has one of another name."""
    scope = "" if stream.scope == stream.source else stream.scope
    return f"{stream.source} {scope}".strip()


def _list_clocks_ahead(days: RecordedDays, today: int) -> list[str]:
    """List the logs with an event that is later than tomorrow, each with that day."""
    newest: dict[str, int] = {}
    for stream, of_stream in days.items():
        if (last := max(of_stream, default=0)) > today + 1:
            log = _name_log(stream)
            newest[log] = max(newest.get(log, 0), last)
    return [f"{log}: {_format_day(last)}" for log, last in sorted(newest.items())]


def _describe_log(streams: RecordedDays, today: int) -> str:
    """Describe one log: its accounts with their days, its regions and data events."""
    by_scope: dict[str, set[int]] = defaultdict(set)
    for stream, days in streams.items():
        by_scope[stream.scope] |= set(days)
    parts = [
        _describe_days(scope, days, today)
        for scope, days in sorted(by_scope.items())[:_MOST_SCOPES]
    ]
    if len(by_scope) > _MOST_SCOPES:
        parts.append(f"{len(by_scope) - _MOST_SCOPES:,} more accounts")
    regions = sorted({stream.region for stream in streams} - {""})
    if regions:
        parts.append(f"regions {', '.join(regions)}")
    services = sorted({stream.data_service for stream in streams} - {""})
    if any(stream.source == CLOUDTRAIL for stream in streams):
        parts.append(f"data events of {', '.join(services) or 'no service'}")
    return "; ".join(parts)


def _describe_days(scope: str, days: Collection[int], today: int) -> str:
    """Describe the first, the last and the missing days of one account."""
    first, last = min(days), max(days)
    without = last - first + 1 - len(days)
    text = f"{scope or 'all'}: {_format_day(first)} to {_format_day(last)}"
    if without:
        text += f", {without:,} {'day' if without == 1 else 'days'} without events"
    if today > last:
        age = today - last
        text += f", newest event {age:,} {'day' if age == 1 else 'days'} ago"
    return text


def _format_day(day: int) -> str:
    """Format a number of days since 1970 as a date."""
    return (EPOCH + timedelta(days=day)).date().isoformat()
