"""Summarize the evidence log: segments, objects and unsealed events."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from answerable.evidence.log_entries import (
    ObjectEntry,
    SegmentManifest,
    list_live_segments,
)
from answerable.store.investigation_queries import count_all_events
from answerable.store.store import EvidenceStore


@dataclass(frozen=True, slots=True)
class LogSummary:
    """Summary of the evidence log.

    Attributes:
        newest: Newest segments, latest first.
        segments: Number of segments.
        events: Number of events in them.
        waiting: Stored events that are not sealed yet.
        objects: Number of objects of each kind.
        days: First and last day of events, empty for none.
    """

    newest: Sequence[SegmentManifest]
    segments: int
    events: int
    waiting: int
    objects: Mapping[str, int]
    days: tuple[str, ...]


def summarize_log(store: EvidenceStore, max_segments: int) -> LogSummary:
    """Count the log's contents; list its newest segments, at most `max_segments`."""
    entries = store.log.entries()
    segments = list_live_segments(entries)
    events = sum(each.count for each in segments)
    days = sorted({each.day for each in segments})
    return LogSummary(
        newest=segments[::-1][:max_segments],
        segments=len(segments),
        events=events,
        waiting=max(count_all_events(store) - events, 0),
        objects=Counter(each.of for each in entries if isinstance(each, ObjectEntry)),
        days=(days[0], days[-1]) if days else (),
    )
