"""Statistics of a store by day, from the log and the sizes of files."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from answerable.evidence.log_entries import (
    SegmentManifest,
    SegmentState,
    read_segment_states,
)
from answerable.store.damaged_segments import has_parquet_ends

if TYPE_CHECKING:
    from answerable.store.store import EvidenceStore

_ENDINGS = (".parquet", ".leaves", ".manifest.json", ".order", ".removed")


@dataclass(frozen=True, slots=True)
class DayStatistics:
    """Statistics of the sealed events of one day.

    Attributes:
        events: Events that can be read.
        segments: Segments that contain them.
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
    """Read the statistics of each day with sealed events, oldest first.

    Of each file, only its size and its ends are read.
    """
    missing = store.find_unreadable_segments()
    days: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0, 0])
    for state in read_segment_states(store.log.entries()):
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
    return [DayStatistics(day, *counts) for day, counts in sorted(days.items())]


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
