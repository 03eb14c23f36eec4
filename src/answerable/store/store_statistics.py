"""Statistics of a store by day, from the log, open journals and the sizes of files."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from answerable.evidence.log_entries import (
    SegmentManifest,
    SegmentState,
    read_segment_states,
)
from answerable.model.time_units import DAY_NS
from answerable.store.damaged_segments import has_parquet_ends
from answerable.store.segment_scope import SegmentScope
from answerable.store.store_layout import format_day

if TYPE_CHECKING:
    from answerable.store.store import EvidenceStore

_ENDINGS = (".parquet", ".leaves", ".manifest.json", ".order", ".removed")


@dataclass(frozen=True, slots=True)
class DayStatistics:
    """Statistics of the events of one day.

    Attributes:
        events: Events that can be read, also those that are not sealed yet.
        segments: Segments that contain the sealed ones.
        size: Bytes of all files of the day's segments.
        removed: Events that policies removed.
        unreadable: Events in segments that are missing or damaged.
    """

    day: str
    events: int
    segments: int
    size: int
    removed: int
    unreadable: int


def read_day_statistics(store: "EvidenceStore") -> list[DayStatistics]:
    """Read the statistics of each day, oldest first.

    Of each segment file, only its size and its ends are read.
    """
    missing = store.find_unreadable_segments()
    has_journals = bool(store.layout.list_journals())
    entries = store.log.entries()  # a journal may be sealed meanwhile
    days: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0, 0])
    for state in read_segment_states(entries):
        if state.compacted:
            continue
        counts = days[state.manifest.day]
        live = state.live
        count = live.count if live is not None else 0
        lost = 0
        if live is not None and (live.segment in missing or _is_cut(store, live)):
            lost = count
        counts[0] += count - lost
        counts[1] += live is not None and not lost
        counts[2] += sum(_list_file_sizes(store, state))
        counts[3] += state.manifest.count - count
        counts[4] += lost
    names = [each.segment for each in store.log.list_live(entries)]
    unsealed = _count_other_events(store, names) if has_journals else {}
    for day, count in unsealed.items():
        days[day][0] += count
    return [DayStatistics(day, *counts) for day, counts in sorted(days.items())]


def _count_other_events(
    store: "EvidenceStore", segments: Iterable[str]
) -> dict[str, int]:
    """Count the events by day that are in none of these segments."""
    rows = store.run_query(
        f"SELECT event_time // {DAY_NS}, count(*) FROM events GROUP BY 1",  # noqa: S608 - ours
        scope=SegmentScope(without=frozenset(segments)),
    )
    return {format_day(cast("int", day)): cast("int", count) for day, count in rows}


def _is_cut(store: "EvidenceStore", segment: SegmentManifest) -> bool:
    """Return whether the file of a segment is here, and cut or overwritten at an end."""
    path = store.layout.segment_file(segment.day, segment.segment, ".parquet")
    return path.is_file() and not has_parquet_ends(path)


def _list_file_sizes(store: "EvidenceStore", state: SegmentState) -> Iterator[int]:
    """Yield the sizes of the existing files of a segment."""
    names = {state.manifest.segment, state.live.segment if state.live else ""} - {""}
    for name in names:
        for ending in _ENDINGS:
            path = store.layout.segment_file(state.manifest.day, name, ending)
            try:
                yield path.stat().st_size
            except OSError:
                continue
