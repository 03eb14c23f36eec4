"""Find and count the events of a resource in a large store.

The counts of each day tell which days have such events. Those of the newest days are
read whole; the total needs no other day.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from answerable.model.errors import EnvironmentFailure
from answerable.model.event import AuditEvent
from answerable.model.time_units import DAY_NS
from answerable.store import large_stores
from answerable.store.duckdb_engine import DuckDbEngine
from answerable.store.event_alternative import EventAlternative
from answerable.store.event_columns import NAMES, ROW_NUMBER_SQL, decode_event_row
from answerable.store.event_places import (
    FOUND_PLACE,
    FoundPlace,
    list_found_columns,
    read_newest_events,
    sort_newest_first,
)
from answerable.store.event_queries import build_resource_options
from answerable.store.event_sources import build_segment_rows_sql
from answerable.store.investigation_queries import (
    InvestigationFilter,
    NewestEvents,
    build_matching_query,
)
from answerable.store.resource_days import ResourceDays, count_resource_days
from answerable.store.search_index import NOT_INDEXED
from answerable.store.segment_scope import SegmentScope

if TYPE_CHECKING:
    from answerable.evidence.log_entries import SegmentManifest
    from answerable.store.event_sources import EventSources
    from answerable.store.store import EvidenceStore

# With fewer events in its days, a question reads their rows.
_MIN_EVENTS = 1_500_000
# Events of the newest days that are read whole, at most.
_MAX_READ_EVENTS = 5_000
# An engine keeps the metadata of each file that it has read: half a MiB.
_FILES_AT_ONCE = 250


@dataclass(frozen=True, slots=True)
class ResourceAnswer:
    """Events and total of a resource, as far as counts tell them without a search.

    Attributes:
        newest: The newest events; None if a search has to find them.
        total: Number of all events; None if a search has to count them.
    """

    newest: NewestEvents | None = None
    total: int | None = None


_UNKNOWN = ResourceAnswer()


@dataclass(frozen=True, slots=True)
class _Day:
    """Day of sealed events.

    Attributes:
        number: Days since 1970.
        segments: Its segments.
        is_whole: All its events are in the time span of the question.
    """

    number: int
    segments: "Sequence[SegmentManifest]"
    is_whole: bool


@dataclass(frozen=True, slots=True)
class _Search:
    """Search of one question in the sources of one moment.

    Attributes:
        days: Days in the time span of the question, newest first.
        counted: Counts of the events of all days.
    """

    store: "EvidenceStore"
    asked: InvestigationFilter
    sources: "EventSources"
    days: Sequence[_Day]
    counted: ResourceDays

    def count_on(self, day: _Day) -> int:
        """Return the number of events of a day, in and out of the time span."""
        counted = self.counted
        return counted.first.get(day.number, 0) + counted.other.get(day.number, 0)

    def select_days(self, limit: int) -> list[_Day]:
        """Select the days whose rows are needed: the newest, and those in part."""
        found: list[_Day] = []
        left = limit
        for each in self.days:
            number = self.count_on(each)
            if number and (left > 0 or not each.is_whole or self.asked.equal_columns):
                found.append(each)
            if each.is_whole and not self.asked.equal_columns:
                left -= number
        return found

    def has_all_columns(self, days: Sequence[_Day]) -> bool:
        """Return whether the segments of days have the columns of this release."""
        known = self.sources.statistics
        names = [segment.segment for day in days for segment in day.segments]
        return all(name in known and known[name].complete for name in names)

    def read_events(self, days: Sequence[_Day]) -> dict[FoundPlace, AuditEvent]:
        """Read the events of days that match the question, by place."""
        first, other = build_resource_options(self.asked.filter.resources)
        if self.counted.names is not None:
            marks = ", ".join("?" * len(self.counted.names))
            first = f"resource IN ({marks})", list[object](self.counted.names)
        found: dict[FoundPlace, AuditEvent] = {}
        for (condition, values), numbers in (
            (first, self.counted.first),
            (other, self.counted.other),
        ):
            files = [
                self.sources.segment_path(segment)
                for day in days
                if numbers.get(day.number)
                for segment in day.segments
            ]
            if files:
                found |= self._read_rows(files, condition, values)
        return found

    def _read_rows(
        self, files: Sequence[str], condition: str, values: Sequence[object]
    ) -> dict[FoundPlace, AuditEvent]:
        """Read the rows of files that meet a condition, and match the question."""
        found: dict[FoundPlace, AuditEvent] = {}
        for start in range(0, len(files), _FILES_AT_ONCE):
            part = files[start : start + _FILES_AT_ONCE]
            rows = build_segment_rows_sql(part, same_columns=True)
            query = (
                f"SELECT filename, {ROW_NUMBER_SQL}, {NAMES} FROM {rows} "  # noqa: S608 - ours
                f"WHERE {condition}"
            )
            engine = DuckDbEngine(self.sources.layout.segments)
            try:
                read = engine.run(query, values)
            finally:
                engine.close()
            for file, number, *columns in read:
                event = decode_event_row(columns)
                if self._matches(event):
                    key = event.event_time, event.event_id, NOT_INDEXED, 0
                    place = event.identity, cast("str", file), cast("int", number)
                    found[*key, *place] = event
        return found

    def _matches(self, event: AuditEvent) -> bool:
        """Return whether an event of the resource meets the other conditions."""
        span, before = self.asked.filter, self.asked.before
        return (
            event.event_time >= span.since
            and (not span.until or event.event_time < span.until)
            and (before is None or (event.event_time, event.event_id) < before)
            and all(
                str(getattr(event, column)) == value
                for column, value in self.asked.equal_columns
            )
        )

    def find_unsealed_places(self) -> list[FoundPlace]:
        """Find the places of the unsealed events of the question."""
        if not self.sources.journals:
            return []
        span = SegmentScope(self.asked.filter.since, _get_end(self.asked))
        columns = list_found_columns(self.store, FOUND_PLACE)
        query, values, tables = build_matching_query(self.asked, columns)
        scope = self.sources.build_newer_scope(span)
        return cast(
            "list[FoundPlace]", self.store.run_query(query, values, tables, scope)
        )


def search_resource(
    store: "EvidenceStore", asked: InvestigationFilter, limit: int
) -> ResourceAnswer:
    """Find the newest events of a resource, and count all, by the counts of days.

    Args:
        store: The store.
        asked: The question.
        limit: Most events.

    Returns:
        What is known; a search tells the rest.
    """
    if not _is_about_resource(asked) or store.queries.has_index:
        return _UNKNOWN
    if not large_stores.is_large_store(store):
        return _UNKNOWN
    import _duckdb as duckdb

    try:
        sources = store.queries.call_with_sources(_require_sizes)
        days = _list_days(sources, asked.filter.since, _get_end(asked))
        events = sum(part.count for each in days for part in each.segments)
        if not days or sources.foreign or events <= _MIN_EVENTS:
            return _UNKNOWN
        span = days[-1].number, days[0].number
        counted = count_resource_days(store, asked.filter.resources, span)
        if counted is None or _list_names(counted.sources) != _list_names(sources):
            return _UNKNOWN
        return _answer(_Search(store, asked, sources, days, counted), limit)
    except (duckdb.Error, EnvironmentFailure):  # a file is damaged, or was compacted
        return _UNKNOWN


def _answer(search: _Search, limit: int) -> ResourceAnswer:
    """Answer a question: read the newest events, if they are few, and count the rest."""
    store, needed = search.store, search.select_days(limit)
    is_read = sum(map(search.count_on, needed)) <= _MAX_READ_EVENTS
    if is_read and not search.has_all_columns(needed):
        return _UNKNOWN
    sealed = search.read_events(needed) if is_read else {}
    unsealed = search.find_unsealed_places()
    if not search.sources.is_contained_in(store.queries.get_current_sources()):
        return _UNKNOWN
    if not is_read:
        if search.asked.equal_columns or not all(each.is_whole for each in needed):
            return _UNKNOWN
        total = sum(map(search.count_on, search.days)) + len(unsealed)
        return ResourceAnswer(total=total)
    read = {each.number for each in needed}
    others = (each for each in search.days if each.number not in read)
    total = sum(map(search.count_on, others)) + len(sealed) + len(unsealed)
    places = sorted([*sealed, *unsealed], reverse=True)[:limit]
    events = [sealed[place] for place in places if place in sealed]
    events += read_newest_events(store, [p for p in places if p not in sealed], limit)
    # With an unsealed event, those of the same id are read.
    unique = {(each.event_id, each.raw_sha256): each for each in events}
    return ResourceAnswer(
        NewestEvents(sort_newest_first(unique.values()), total), total
    )


def _require_sizes(sources: "EventSources") -> "EventSources":
    """Check the sizes of segment files, and return the sources.

    Files from object storage are checked when they are fetched.
    """
    if sources.layout.remote is None:
        sources.require_sizes()
    return sources


def _is_about_resource(asked: InvestigationFilter) -> bool:
    """Return whether a question names resources, and else nothing but columns."""
    span = asked.filter
    return (
        bool(span.resources)
        and not span.actions
        and not span.event
        and not span.outcome
        and tuple(asked.alternatives) == (EventAlternative(),)
    )


def _list_days(sources: "EventSources", since: int, until: int) -> list[_Day]:
    """List the days of the segments in a time span, newest first."""
    parts: dict[int, list[SegmentManifest]] = defaultdict(list)
    for each in sources.segments:
        parts[int(each.min_time) // DAY_NS].append(each)
    found: list[_Day] = []
    for day in sorted(parts, reverse=True):
        start, end = day * DAY_NS, (day + 1) * DAY_NS
        if end > since and (not until or start < until):
            is_whole = start >= since and (not until or end <= until)
            found.append(_Day(day, parts[day], is_whole))
    return found


def _get_end(asked: InvestigationFilter) -> int:
    """Return the time before which all results are, 0 for none."""
    until = asked.filter.until
    if asked.before is None:
        return until
    end = asked.before[0] + 1
    return min(until or end, end)


def _list_names(sources: "EventSources") -> set[str]:
    """List the names of the segments of sources."""
    return {each.segment for each in sources.segments}
