"""Judge whether a value is new or gone between two time windows of a log.

A value without events in a window is known to be absent only if the log recorded that
window: events on every day of it, and some of the same account, region and service.
Otherwise its absence is not known.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from functools import cached_property

from answerable.model.time_units import DAY_NS, EPOCH

# Source, account or cluster, region, service of data events.
StreamKey = tuple[str, str, str, str]


class ValueChange(StrEnum):
    """Change of a value from an earlier to a later window."""

    NEW = "new"
    GONE = "gone"
    CHANGED = "changed"
    NOT_KNOWN = "not-known"


@dataclass(frozen=True)
class RecordedWindow:
    """Time window, and the streams of logs that have events in it.

    Attributes:
        since: UTC nanoseconds, inclusive; 0 for the first record of each log.
        until: UTC nanoseconds, exclusive.
        days: Days since 1970 with trusted events, by stream.
        unread: Why events of a log may be missing, by source of the log.
    """

    since: int
    until: int
    days: Mapping[StreamKey, Collection[int]]
    unread: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def days_by_log(self) -> Mapping[tuple[str, str], frozenset[int]]:
        """Days with events of each log and account."""
        found: dict[tuple[str, str], frozenset[int]] = {}
        for (source, scope, _, _), days in self.days.items():
            key = source, scope
            found[key] = found.get(key, frozenset()) | frozenset(days)
        return found

    def describe_gap(self, stream: StreamKey, *, days_only: bool = False) -> str:
        """Describe why the absence of an event is not known; empty if it is known.

        Args:
            stream: Part of a log in which the event could have been recorded.
            days_only: Judge the log and account, not the region and the service.
        """
        source, scope, region, data_service = stream
        if source in self.unread:
            return self.unread[source]
        log = f"{source} {scope}".strip()
        recorded = self.days_by_log.get((source, scope), frozenset())
        if not recorded:
            return f"no trusted record of {log} in that window"
        first = self.since // DAY_NS if self.since else min(recorded)
        days = range(first, (self.until - 1) // DAY_NS + 1)
        missing = [day for day in days if day not in recorded]
        if missing:
            example = (EPOCH + timedelta(days=missing[0])).date().isoformat()
            count = f"{len(missing):,} {'day' if len(missing) == 1 else 'days'}"
            return f"no record of {log} on {count}, such as {example}"
        if not days_only and stream not in self.days:
            part = f"data events of {data_service}" if data_service else "record"
            place = f" in {region}" if region else ""
            return f"no {part}{place} of {log} in that window"
        return ""


def describe_gaps(window: RecordedWindow, streams: Iterable[StreamKey]) -> str:
    """Describe the first gap of a window in some streams; empty if all recorded it."""
    return next(filter(None, map(window.describe_gap, sorted(streams))), "")
