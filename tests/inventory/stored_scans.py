"""Scans that a test made up, in a store as `scan` leaves them."""

from collections.abc import Sequence

from answerable.model.sighting import Sync
from answerable.services.inventory.snapshots import store_snapshot
from answerable.services.inventory.stored_sync import store_sync
from answerable.store.store import EvidenceStore


def save(store: EvidenceStore, syncs: Sequence[Sync], now: int) -> str:
    """Store syncs and the snapshot that they complete; the snapshot's name."""
    return store_snapshot(store, [store_sync(store, sync, now) for sync in syncs], now)
