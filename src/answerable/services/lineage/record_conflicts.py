"""Listed events of which the store has several records with different content."""

from collections import Counter
from collections.abc import Sequence

import msgspec

from answerable.model.documents.trace import TraceItem
from answerable.store.store import EvidenceStore


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
    for each in store.list_objects("conflict") if items else ():
        for record in _CONFLICTS.decode(store.get_object(each.digest)):
            if record.event_id in listed:
                found.add(record.event_id)
    return sorted(found)
