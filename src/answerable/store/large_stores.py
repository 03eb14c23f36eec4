"""Tell large stores, whose questions read derived files, by the log alone."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from answerable.store.store import EvidenceStore

# With more sealed events, a question derives the chains of its own events.
LARGE_STORE_EVENTS = 250_000


def count_sealed_events(store: "EvidenceStore") -> int:
    """Count the sealed events by the log, without reading a segment."""
    return sum(each.count for each in store.log.list_live(store.log.entries()))


def is_large_store(store: "EvidenceStore") -> bool:
    """Return whether chains are derived for each question instead of for all events."""
    return count_sealed_events(store) > LARGE_STORE_EVENTS
