"""Load, list and complete the inventory snapshots in the store."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

import msgspec

from answerable.evidence.log_entries import RowsRemoved, list_unsealed_journals
from answerable.model.errors import (
    AnswerableError,
    UsageError,
    VerificationError,
)
from answerable.model.inventory import DERIVATION_STAGES, EventGaps, Inventory
from answerable.model.person import OwnerEvidence, OwnerEvidenceKind, PersonMerge
from answerable.model.progress import ProgressCallback, ignore_progress_report
from answerable.model.sighting import Snapshot, Sync
from answerable.store import inventory_cache
from answerable.store.cache_generation import (
    compute_history_generation,
    compute_snapshot_generation,
)
from answerable.store.collection_state import read_source_states, read_unread_logs
from answerable.store.store import EvidenceStore

# The rest is imported where a snapshot is joined: most commands read a joined one.
if TYPE_CHECKING:
    from answerable.inventory.fact_pool import FactPool
    from answerable.model.lineage import DeclaredUse
    from answerable.services.inventory.ownership_history import InventoryInterval
    from answerable.services.inventory.stored_sync import StoredSync

LATEST = "latest"
_MERGE_KINDS = ("person-merge", "signed-person-merge")
FOREVER = (1 << 63) - 1
_DECLARED_USES = "uses"  # derived file
_MAX_SUGGESTED = 3  # newest snapshots, listed when a name matches none
_RESTORE = "restore the file objects/... from a copy; see `answerable evidence verify`"
_OBJECT_NAMES = {
    Sync: "sync",
    Snapshot: "snapshot",
    OwnerEvidence: "statement of an owner",
}
_HINTS = {
    Sync: "scan the source again, or restore the file; see `answerable evidence verify`",
    Snapshot: _RESTORE,
    OwnerEvidence: _RESTORE,
}
StoredObject = TypeVar("StoredObject", Sync, Snapshot, OwnerEvidence)


@dataclass(frozen=True, slots=True)
class NamedSnapshot:
    """Snapshot in the store.

    Attributes:
        name: `2026-11-24T15-30-05Z`, with `-2` and so on for several in one second.
        digest: Digest of its object.
        at: Time of recording, UTC nanoseconds.
    """

    name: str
    digest: str
    at: int


def load_inventory(
    store: EvidenceStore,
    name: str = "",
    *,
    now: int = 0,
    progress: ProgressCallback = ignore_progress_report,
) -> Inventory:
    """Load a snapshot as an inventory, extended with ingested audit logs.

    Args:
        name: Name of a snapshot; empty or `latest` for the newest.
        now: Time at which ages of evidence are computed; 0 for that of the snapshot.
        progress: Receives the stages of what is derived and kept for later commands.

    Returns:
        An empty inventory if nothing was scanned yet.

    Raises:
        UsageError: The snapshot does not exist.
        VerificationError: A stored object was changed.
    """
    listed = list_snapshots(store)
    chosen = _select_snapshot(listed, name)
    is_newest = chosen is None or chosen == listed[-1]
    slot = "" if is_newest else inventory_cache.EARLIER
    digest = chosen.digest if chosen is not None else ""
    generation = compute_snapshot_generation(store, digest)
    kept = inventory_cache.load_cached_inventory(store, generation, now, slot)
    if kept is None:
        from answerable.services.inventory import inventory_input

        same = None
        if is_newest:
            same = inventory_input.find_same_input(store, digest, generation)
        if same is not None:
            kept = inventory_cache.load_cached_inventory(store, same, now)
            generation = same if kept is not None else generation
    if kept is None:
        progress(0, DERIVATION_STAGES, "joining scanned sources")
        from answerable.services.inventory.snapshot_join import (
            SnapshotCache,
            join_snapshot_with_audit_logs,
        )

        cache = SnapshotCache(store, generation, slot, now)
        joined = join_snapshot_with_audit_logs(store, chosen, cache)
        kept = joined.inventory
        if is_newest:
            inventory_input.save_input(
                store, digest, generation, joined.found, joined.log_facts
            )
    derived = inventory_cache.DerivedFiles(store, generation, progress, slot)
    if not is_newest:
        return replace(kept, derived=derived)
    return replace(
        kept,
        derived=derived,
        scheduled=read_source_states(store.layout),
        merges=read_merges_in_force(store, now),
        read_event_gaps=lambda: _read_event_gaps(store),
    )


def remove_outdated_inventories(store: EvidenceStore) -> None:
    """Remove the cached inventories, and what was derived from them, if facts changed.

    After a removal of events, they have facts that only the removed rows gave.

    Raises:
        EnvironmentFailure: A file cannot be deleted.
    """
    from answerable.services.inventory.inventory_input import find_same_input

    digest = next((each.digest for each in list_snapshots(store)[-1:]), "")
    generation = compute_snapshot_generation(store, digest)
    with suppress(AnswerableError):  # not known, so removed
        if find_same_input(store, digest, generation) is not None:
            return
    inventory_cache.delete_cache_files(store)


def read_merges_in_force(store: EvidenceStore, now: int) -> tuple[PersonMerge, ...]:
    """Read the person merges in force; the reader is loaded only if there are any."""
    if not any(map(store.list_objects, _MERGE_KINDS)):
        return ()
    from answerable.services.statements.person_merges import read_person_merges

    return read_person_merges(store, now or FOREVER)


def _read_event_gaps(store: EvidenceStore) -> EventGaps:
    """Read the events that a store lacks by now."""
    unread = read_unread_logs(store.layout)
    entries = store.log.entries()
    lacks = any(isinstance(each, RowsRemoved) for each in entries)
    lacks = lacks or bool(list_unsealed_journals(entries))
    if not lacks and not store.find_unreadable_segments():
        return EventGaps(unread=unread)
    from answerable.store.event_gaps import read_event_gaps

    return replace(read_event_gaps(store), unread=unread)


def store_snapshot(
    store: EvidenceStore, syncs: "Sequence[StoredSync]", now: int
) -> str:
    """Store a snapshot: these syncs, and the latest sync of every other source.

    Returns:
        The snapshot's name.
    """
    with store.log.lock():  # two scans at once: neither leaves out the other's syncs
        latest = load_latest_snapshot(store)
        parts = dict(latest.syncs) if latest is not None else {}
        parts |= {sync.source: sync.digest for sync in syncs}
        snapshot = Snapshot(now, tuple(sorted(parts.items())))
        store.put_object("snapshot", msgspec.json.encode(snapshot), now)
        return list_snapshots(store)[-1].name


def load_latest_snapshot(store: EvidenceStore) -> Snapshot | None:
    """Return the latest snapshot, or None if nothing was scanned."""
    logged = store.list_objects("snapshot")
    return read_stored_object(store, logged[-1].digest, Snapshot) if logged else None


def list_snapshots(store: EvidenceStore) -> tuple[NamedSnapshot, ...]:
    """List all inventory snapshots of the store, oldest first."""
    found: list[NamedSnapshot] = []
    same: dict[str, int] = {}
    for logged in store.list_objects("snapshot"):
        stamp = format_snapshot_name(logged.at)
        same[stamp] = same.get(stamp, 0) + 1
        suffix = f"-{same[stamp]}" if same[stamp] > 1 else ""
        found.append(NamedSnapshot(stamp + suffix, logged.digest, logged.at))
    return tuple(found)


def format_snapshot_name(at: int) -> str:
    """Format a time as a snapshot name that is a valid file name."""
    moment = datetime.fromtimestamp(at // 1_000_000_000, tz=UTC)
    return moment.strftime("%Y-%m-%dT%H-%M-%SZ")


def read_ownership_statements(store: EvidenceStore) -> tuple[OwnerEvidence, ...]:
    """Read all statements about owners: unsigned ones first, then signed ones.

    An unsigned statement counts as a confirmation, even if it claims another kind.
    """
    from answerable.services.statements.attested_owners import read_attestations

    plain = (
        read_stored_object(store, logged.digest, OwnerEvidence)
        for logged in store.list_objects("attestation")
    )
    unsigned = (
        item
        if item.kind is OwnerEvidenceKind.CONFIRMATION
        else replace(item, kind=OwnerEvidenceKind.CONFIRMATION)
        for item in plain
    )
    return (*unsigned, *read_attestations(store))


def read_stored_sync(store: EvidenceStore, digest: str, pool: "FactPool") -> Sync:
    """Read one stored sync in parts, so that its JSON is never in memory as a whole.

    Args:
        store: The store.
        digest: Digest of its object.
        pool: Values that facts share, also those of several syncs.

    Raises:
        VerificationError: It is damaged, missing, or malformed.
    """
    from answerable.services.inventory.sync_decoding import decode_sync

    found = None
    with suppress(UsageError, VerificationError):  # named below
        found = decode_sync(store.objects.iterate(digest), pool)
    return found or read_stored_object(store, digest, Sync)


def read_stored_object(
    store: EvidenceStore, digest: str, kind: type[StoredObject]
) -> StoredObject:
    """Read one stored object, and decode it as its type.

    Raises:
        VerificationError: It is damaged, missing, or malformed.
    """
    try:
        return msgspec.json.decode(store.get_object(digest), type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        why = "cannot be decoded"
    except UsageError:
        why = "is missing"
    except VerificationError:
        why = "is damaged"
    raise VerificationError(
        f"stored {_OBJECT_NAMES[kind]} {digest[:16]} {why}", _HINTS[kind]
    )


def iterate_snapshot_history(store: EvidenceStore) -> "Iterator[InventoryInterval]":
    """Yield each snapshot with the time interval in which it was the latest.

    A statement about an owner counts from the snapshot that was the latest at its time.
    """
    from answerable.inventory.fact_pool import FactPool
    from answerable.inventory.sync_join import join_syncs_into_inventory
    from answerable.services.inventory.ownership_history import InventoryInterval

    said = read_ownership_statements(store)
    syncs: dict[str, Sync] = {}
    every = [
        (each, read_stored_object(store, each.digest, Snapshot))
        for each in list_snapshots(store)
    ]
    for position, (each, snapshot) in enumerate(every):
        last = position + 1 == len(every)
        until = FOREVER if last else every[position + 1][1].taken_at
        # A sync that a later one replaced does not return.
        syncs = {
            digest: syncs.get(digest) or read_stored_sync(store, digest, FactPool())
            for _, digest in snapshot.syncs
        }
        joined = join_syncs_into_inventory(
            [(source, syncs[digest]) for source, digest in snapshot.syncs],
            now=snapshot.taken_at,
            taken_at=snapshot.taken_at,
            name=each.name,
            attestations=[item for item in said if item.seen.at < until],
        )
        yield InventoryInterval(joined, snapshot.taken_at if position else 0, until)


def load_declared_uses(store: EvidenceStore) -> "tuple[DeclaredUse, ...]":
    """Load the owners and users of each identity, over all snapshots.

    Returns:
        Uses sorted by subject and time; intervals of one subject do not overlap.
    """
    from answerable.model.lineage import DeclaredUse
    from answerable.services.inventory import ownership_history

    files = inventory_cache.DerivedFiles(store, compute_history_generation(store))
    kept = files.load(_DECLARED_USES)
    if kept is not None:
        rows = kept.section(_DECLARED_USES, DeclaredUse)
        return tuple(use for _, use in rows.iter_rows())
    found = ownership_history.list_declared_uses(iterate_snapshot_history(store))
    numbered = ((f"{number:09}", use) for number, use in enumerate(found))
    files.save(_DECLARED_USES, {_DECLARED_USES: numbered})
    return found


def _select_snapshot(
    snapshots: Sequence[NamedSnapshot], name: str
) -> NamedSnapshot | None:
    """Select a snapshot by name, or the latest; suggest names if it is unknown."""
    if not name or name == LATEST:
        return snapshots[-1] if snapshots else None
    for each in snapshots:
        if each.name == name:
            return each
    from difflib import get_close_matches

    names = [each.name for each in snapshots]
    close = get_close_matches(name, names, n=1, cutoff=0.3)
    if close:
        hint = f"did you mean {close[0]}?"
    elif names:
        hint = f"the newest are {', '.join(reversed(names[-_MAX_SUGGESTED:]))}"
    else:
        hint = "run `answerable scan` first"
    raise UsageError(f"unknown snapshot (got {name[:80]!r})", hint)
