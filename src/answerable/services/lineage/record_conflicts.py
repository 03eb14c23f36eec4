"""Events of which the store has several records with different content."""

from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec

from answerable.model.documents.trace import TraceItem
from answerable.store.store import EvidenceStore

_NS_PER_MS = 1_000_000
_TIME_BYTES = 6  # of an event id, which begins with its time in milliseconds


class _ConflictingRecord(msgspec.Struct):
    event_id: str


_CONFLICTS = msgspec.json.Decoder(list[_ConflictingRecord])


def list_conflicting_events(
    store: EvidenceStore, items: Sequence[TraceItem]
) -> list[str]:
    """List the ids of those rows that share their id with another record.

    The other record may be no row: it may not match the query.
    """
    listed = Counter(item["event_id"] for item in items)
    found = {event_id for event_id, count in listed.items() if count > 1}
    if items:
        found.update(each for each in _iterate_conflicts(store) if each in listed)
    return sorted(found)


def list_conflicts_between(store: EvidenceStore, since: int, until: int) -> list[str]:
    """List the ids of events in a time span that have different records.

    Each of these records is counted as an event.

    Args:
        store: Store of the events.
        since: UTC nanoseconds, inclusive, 0 for the beginning.
        until: UTC nanoseconds, exclusive, 0 for the end.
    """
    first, end = since // _NS_PER_MS, -(-until // _NS_PER_MS)
    return sorted(
        {
            event_id
            for event_id in _iterate_conflicts(store)
            if (at := int(event_id[: 2 * _TIME_BYTES], 16)) >= first
            and (not until or at < end)
        }
    )


def _iterate_conflicts(store: EvidenceStore) -> Iterator[str]:
    """Yield the ids of events that were recorded with different content."""
    for each in store.list_objects("conflict"):
        for record in _CONFLICTS.decode(store.get_object(each.digest)):
            yield record.event_id
