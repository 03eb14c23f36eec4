"""Steps of a store's life, each by a process of its own."""

from collections.abc import Callable
from pathlib import Path

from answerable.model.event import AuditEvent
from answerable.store.compaction import compact_segments, plan_compaction
from answerable.store.retention import apply_retention
from answerable.store.store import EvidenceStore
from tests.store.conftest import NOW

DAY = 86_400 * 10**9


class StoreHistory:
    """Ingests, compacts and removes the events of a store.

    Args:
        root: Folder of the store.
        make_event: Makes an event of a number and of a day.
    """

    def __init__(
        self, root: Path, make_event: Callable[[int, int], AuditEvent]
    ) -> None:
        self.root, self.number = root, 0
        self._make_event = make_event

    def ingest(self, day: int, count: int, *, sealed: bool) -> None:
        """Store new events, of the day and of the one before."""
        with EvidenceStore.open(self.root, now=NOW) as store:
            numbers = range(self.number, self.number + count)
            store.append([self._make_event(n, day + n % 2) for n in numbers], NOW)
            if sealed:
                store.seal(NOW)
        self.number += count

    def compact(self) -> None:
        """Compact what can be compacted."""
        with EvidenceStore.open(self.root, now=NOW) as store:
            for group in plan_compaction(store):
                compact_segments(store, group, NOW)

    def retain(self, days: int) -> None:
        """Remove the old events of one source."""
        with EvidenceStore.open(self.root, now=NOW) as store:
            apply_retention(store, days, "okta", NOW, dry_run=False)
