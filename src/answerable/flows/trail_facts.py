"""What ingested trails add to an inventory: who a key acts as, who made what."""

from answerable.model.sighting import Sync
from answerable.store.store import Store


def sync(store: Store) -> Sync | None:
    """Return the trail's facts as a sync, or None when no event says anything."""
    return None
