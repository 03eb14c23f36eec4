"""Name the events that answers lack: unreadable segments, and rows removed by a policy."""

from collections import defaultdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from answerable.evidence.log_entries import RowsRemoved
from answerable.model.inventory import EventGaps

if TYPE_CHECKING:
    from answerable.store.store import EvidenceStore


def read_event_gaps(store: "EvidenceStore") -> EventGaps:
    """Read the events that a store lacks, as lines for the coverage of an answer."""
    unreadable = [
        f"events of {manifest.day}: segment {manifest.segment} "
        f"({manifest.count:,} events) is {reason}"
        for manifest, reason in store.find_unreadable_segments().values()
    ]
    return EventGaps(tuple(unreadable), tuple(_describe_removals(store)))


def _describe_removals(store: "EvidenceStore") -> list[str]:
    """Describe the rows that policies removed: cause, first and last day, dates."""
    entries = store.log.entries()
    removals = [each for each in entries if isinstance(each, RowsRemoved)]
    if not removals:
        return []
    from answerable.evidence.log_entries import read_segment_states

    states = {e.manifest.segment: e.manifest for e in read_segment_states(entries)}
    left = {name: manifest.count for name, manifest in states.items()}
    counts: dict[str, int] = defaultdict(int)
    days: dict[str, set[str]] = defaultdict(set)
    dates: dict[str, str] = {}
    for each in removals:
        counts[each.cause] += left[each.segment] - each.count
        left[each.segment] = each.count
        days[each.cause].add(states[each.segment].day)
        dates[each.cause] = format_date(int(each.at))
    words = {"retention": "removed by retention", "erasure": "erased by policy"}
    return [
        f"{counts[cause]:,} events of {min(days[cause])} to {max(days[cause])}: "
        f"{words.get(cause, cause)}, last on {dates[cause]}"
        for cause in sorted(counts)
    ]


def format_date(at: int) -> str:
    """Format a time as a UTC date, `YYYY-MM-DD`."""
    return datetime.fromtimestamp(at // 10**9, tz=UTC).strftime("%Y-%m-%d")
