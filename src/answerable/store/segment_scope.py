"""Segments that a query has to read: those that may hold rows it can match."""

from bisect import bisect_left
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from answerable.model.encoded_event import VALUE_COLUMNS
from answerable.store.bloom_filter import TextHash, hash_text, may_contain

if TYPE_CHECKING:
    from answerable.evidence.log_entries import SegmentManifest
    from answerable.store.event_sources import EventSources
    from answerable.store.segment_statistics import SegmentStatistics, TextSet

# With more values, most segments have one of them, and testing costs more than reading.
MAX_VALUES = 64
_FIRST_WINDOW_EVENTS, _WINDOW_GROWTH = 200_000, 4
_MORE_THAN_ESTIMATED = 1.25
SOURCE, KIND = "source", "kind"
ANY_TEXT = frozenset(("\0any",))  # as values of a column: a row has a text in it
TESTED_COLUMNS = frozenset({SOURCE, *VALUE_COLUMNS})
# Kinds of events; `segment_statistics` has their conditions.
TOKEN, IMPERSONATION, SIGN_IN, ACCESS_KEY = (
    "token",
    "impersonation",
    "sign-in",
    "access-key",
)


@dataclass(frozen=True)
class SegmentScope:
    """Conditions that each row of a query's result meets, at least.

    Attributes:
        since: UTC nanoseconds, inclusive, 0 for the beginning.
        until: UTC nanoseconds, exclusive, 0 for the end.
        alternatives: Values by column; a row has one of the values of each column of
            one alternative. A column is one of `VALUE_COLUMNS`, `source`, or `kind`
            for a kind of events. `ANY_TEXT` for any text. Empty for all rows.
        times: Event times, sorted; a row has one of them. Empty for all rows.
        without: Names of segments whose rows the caller has already.
    """

    since: int = 0
    until: int = 0
    alternatives: tuple[Mapping[str, Collection[str]], ...] = ()
    times: tuple[int, ...] = ()
    without: frozenset[str] = frozenset()

    def may_match(
        self, segment: "SegmentManifest", statistics: "SegmentStatistics | None"
    ) -> bool:
        """Return False only if no row of the segment can match."""
        if segment.segment in self.without:
            return False
        if not self.overlaps(int(segment.min_time), int(segment.max_time)):
            return False
        if not self.alternatives:
            return True
        if statistics is None:
            return bool(self._list_hashed_values)
        return any(
            all(_has_value(statistics, column, wanted) for column, wanted in each)
            for each in self._list_hashed_values
        )

    def overlaps(self, first: int, last: int) -> bool:
        """Return whether a time span, its last moment included, may match."""
        if self.times:
            at = bisect_left(self.times, first)
            if at == len(self.times) or self.times[at] > last:
                return False
        return last >= self.since and (not self.until or first < self.until)

    @cached_property
    def _list_hashed_values(self) -> list[list[tuple[str, dict[str, TextHash]]]]:
        """Return the tested values with their hashes; long lists are not tested.

        An alternative with a column of no value is left out: no row meets it.
        """
        return [
            [
                (column, {value: hash_text(value) for value in values})
                for column, values in each.items()
                if len(values) <= MAX_VALUES
            ]
            for each in self.alternatives
            if all(each.values())
        ]


def build_kind_scope(kind: str) -> SegmentScope:
    """Build the scope of the segments with events of a kind."""
    return SegmentScope(alternatives=({KIND: {kind}},))


# Scope of a query that reads its own tables alone: unsealed events are not read either.
NO_EVENTS = SegmentScope(alternatives=({"source": ()},))


def _has_value(
    statistics: "SegmentStatistics", column: str, wanted: Mapping[str, TextHash]
) -> bool:
    """Return False only if a segment has none of the wanted values in a column."""
    if column == SOURCE:
        return not statistics.sources.keys().isdisjoint(wanted)
    if column == KIND:
        return any(kind in wanted for kind in statistics.kinds)
    values: TextSet = statistics.values[VALUE_COLUMNS.index(column)]
    if wanted.keys() == ANY_TEXT:
        return isinstance(values, bytes) or any(values)
    if isinstance(values, bytes):
        return any(may_contain(values, hashed) for hashed in wanted.values())
    return any(value in wanted for value in values)


@dataclass(frozen=True, slots=True)
class SearchWindow:
    """Time window of a search for the newest events.

    Attributes:
        since: UTC nanoseconds, inclusive, 0 for no bound.
        until: UTC nanoseconds, exclusive, 0 for no bound.
        events: Number of sealed events in its segments, about; None if not known.
    """

    since: int
    until: int
    events: int | None = None


def list_newest_windows(
    sources: "EventSources", scope: SegmentScope, first: int = 0
) -> list[SearchWindow]:
    """Split the time span of a scope into windows, the newest first.

    Each has about four times as many sealed events as the one before. The oldest may
    hold unsealed events alone; it is left out where there are none.

    Args:
        sources: Segments of the store.
        scope: The scope.
        first: Least number of sealed events of the newest window; 0 for 200,000.
    """
    segments = sources.select_segments(scope).segments
    windows: list[SearchWindow] = []
    until, rows, wanted = scope.until, 0, first or _FIRST_WINDOW_EVENTS
    for each in sorted(segments, key=lambda each: int(each.min_time), reverse=True):
        rows += each.count
        start = int(each.min_time)
        if rows >= wanted and start > scope.since and (not until or start < until):
            windows.append(SearchWindow(start, until, rows))
            until, rows, wanted = start, 0, wanted * _WINDOW_GROWTH
    if windows and not rows and not sources.journals:
        return windows
    return [*windows, SearchWindow(scope.since, until, rows)]


def list_older_windows(
    sources: "EventSources", scope: SegmentScope, searched: SearchWindow, missing: float
) -> list[SearchWindow]:
    """Split the time before a searched window into windows, the newest first.

    Args:
        sources: Segments of the store.
        scope: The scope.
        searched: The newest window of the scope, with its number of events.
        missing: Number of wanted events that are missing, for each one found there.
    """
    events = searched.events or 0
    first = min(missing * _MORE_THAN_ESTIMATED, _WINDOW_GROWTH) * events
    older = replace(scope, until=searched.since)
    return list_newest_windows(sources, older, max(int(first), 1))
