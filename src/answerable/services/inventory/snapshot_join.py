"""Join the syncs of a snapshot and the audit logs, and cache the inventory."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from answerable.inventory.fact_pool import FactPool
from answerable.inventory.sync_join import (
    assess_owners_at_time,
    join_syncs_into_inventory,
)
from answerable.model.errors import EnvironmentFailure
from answerable.model.inventory import Inventory
from answerable.model.person import OwnerEvidence
from answerable.model.sighting import SightedFacts, Snapshot, Sync
from answerable.services.inventory import inventory_input
from answerable.services.inventory.divided_facts import DividedFacts
from answerable.services.inventory.large_join import LargeJoin
from answerable.services.inventory.owners_from_audit_logs import (
    collect_audit_log_facts,
)
from answerable.services.inventory.snapshots import (
    NamedSnapshot,
    read_ownership_statements,
    read_stored_object,
    read_stored_sync,
)
from answerable.store import inventory_cache, stored_facts
from answerable.store.cache_generation import get_erasures
from answerable.store.inventory_parts import InventoryParts
from answerable.store.store import EvidenceStore
from answerable.store.table_runs import TableRuns, open_runs_folder


def _assess_owners(joined: Inventory, now: int) -> Inventory:
    """Recompute who owns each subject at a time; 0 for the snapshot's own."""
    return assess_owners_at_time(joined, now or joined.judged_at)


@dataclass(frozen=True, slots=True)
class JoinedSnapshot:
    """Inventory of a snapshot and the audit logs.

    Attributes:
        found: Credentials that a source found in a place.
        log_facts: Facts from audit logs.
    """

    inventory: Inventory
    found: frozenset[str]
    log_facts: SightedFacts


@dataclass(frozen=True, slots=True)
class SnapshotCache:
    """Cached inventory of one generation.

    Attributes:
        slot: Prefix of the file; empty for the newest snapshot.
        now: Time at which ages of evidence are computed; 0 for that of the snapshot.
    """

    store: EvidenceStore
    generation: str
    slot: str
    now: int

    def load(self) -> Inventory | None:
        """Open the inventory; None if there is none."""
        return inventory_cache.load_cached_inventory(
            self.store, self.generation, self.now, self.slot
        )

    def save(self, joined: Inventory) -> Inventory:
        """Save an inventory; return it as it is read by row, if it could be saved.

        The joined facts then need not stay in memory.
        """
        inventory_cache.save_inventory_to_cache(
            self.store, self.generation, joined, self.slot
        )
        return self.load() or _assess_owners(joined, self.now)

    @contextmanager
    def open_join(
        self, said: Sequence[OwnerEvidence]
    ) -> Iterator[tuple[LargeJoin, InventoryParts]]:
        """Open a join of parts, which are in a temporary folder."""

        def write(sections: Mapping[str, Iterable[tuple[str, object]]]) -> None:
            inventory_cache.save_inventory_sections(
                self.store, self.generation, sections, self.slot
            )

        erasures = get_erasures(self.generation)
        with open_runs_folder(self.store, erasures) as (folder, put):
            divided = DividedFacts(folder, put)
            yield (
                LargeJoin(divided, said, stored_facts.IDENTITIES_PER_PART),
                InventoryParts(TableRuns(folder, put), write),
            )


def join_snapshot_with_audit_logs(
    store: EvidenceStore, selected: NamedSnapshot | None, cache: SnapshotCache
) -> JoinedSnapshot:
    """Build and cache the inventory of a snapshot and the audit logs, as of its time.

    Raises:
        EnvironmentFailure: The disk is full or fails, or something was erased meanwhile,
            and the identities are too many to be joined in memory.
    """
    snapshot = Snapshot(0, ())
    if selected is not None:
        snapshot = read_stored_object(store, selected.digest, Snapshot)
    name = selected.name if selected is not None else ""
    syncs = _read_syncs(store, snapshot, stored_facts.IDENTITIES_PER_PART)
    if syncs is None:
        try:
            return _join_large_snapshot(store, snapshot, name, cache)
        except EnvironmentFailure:
            syncs = _read_syncs(store, snapshot, stored_facts.MOST_IN_MEMORY)
            if syncs is None:
                raise
    return _join_syncs(store, snapshot, syncs, name, cache)


def _read_syncs(
    store: EvidenceStore, snapshot: Snapshot, most: int
) -> list[Sync] | None:
    """Read the syncs of a snapshot; None if they are many and have many identities.

    Args:
        most: Most identities of several syncs.
    """
    pool, size = FactPool(), 0
    syncs: list[Sync] = []
    for _, digest in snapshot.syncs:
        syncs.append(read_stored_sync(store, digest, pool))
        size += len(syncs[-1].facts.identities)
        if size > most and len(snapshot.syncs) > 1:
            return None
    return syncs


def _join_syncs(
    store: EvidenceStore,
    snapshot: Snapshot,
    syncs: Sequence[Sync],
    name: str,
    cache: SnapshotCache,
) -> JoinedSnapshot:
    """Join the syncs of a snapshot, all in memory, and cache the inventory."""
    found = frozenset(
        credential.id for sync in syncs for credential in sync.facts.credentials
    )
    trail = _build_audit_log_sync(store, found)
    joined = join_syncs_into_inventory(
        [(sync.source, sync) for sync in (*syncs, trail)],
        now=snapshot.taken_at or trail.started_at,
        taken_at=snapshot.taken_at,
        name=name,
        attestations=read_ownership_statements(store),
    )
    # An audit log is no scanned source: its age does not affect the others.
    scanned = tuple(c for c in joined.coverage if c.source != trail.source)
    inventory = cache.save(replace(joined, coverage=scanned))
    return JoinedSnapshot(inventory, found, trail.facts)


def _join_large_snapshot(
    store: EvidenceStore, snapshot: Snapshot, name: str, cache: SnapshotCache
) -> JoinedSnapshot:
    """Join a snapshot part by part.

    Raises:
        EnvironmentFailure: The disk is full or fails, or something was erased meanwhile.
    """
    with cache.open_join(read_ownership_statements(store)) as (join, parts):
        for _, digest in snapshot.syncs:
            join.add(read_stored_sync(store, digest, FactPool()))
        found = frozenset(join.found)
        trail = _build_audit_log_sync(store, found)
        join.save(parts, trail, taken_at=snapshot.taken_at, name=name)
    kept = cache.load()
    if kept is None:
        raise EnvironmentFailure(
            "the joined snapshot could not be written to derived/",
            "check the space and the permissions of the store, and run it again",
        )
    return JoinedSnapshot(kept, found, trail.facts)


def _build_audit_log_sync(store: EvidenceStore, found: frozenset[str]) -> Sync:
    """Build a sync from the audit logs: their identities and credentials.

    Args:
        found: Credentials that a source found in a place.
    """
    facts = collect_audit_log_facts(store)
    links = inventory_input.select_inventory_links(facts, found)
    times = [link.seen.at for link in links] + [e.seen.at for e in facts.evidence]
    last = max(times, default=0)
    return Sync("trail:", "trail", last, replace(facts, links=links))
