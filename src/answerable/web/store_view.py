"""Immutable view of a store at one moment, and the data derived from it."""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeVar, cast

import msgspec

from answerable.inventory.ownership_score import (
    get_attestation_end,
    is_valid_attestation,
)
from answerable.inventory.sync_join import assess_owners_at_time
from answerable.lineage.chain_index import ChainIndex
from answerable.model.inventory import Inventory
from answerable.services.inventory import snapshots
from answerable.services.lineage.chain_cache import load_or_compute_chains
from answerable.services.reach.compiled_snapshots import compile_snapshot
from answerable.store import cache_generation
from answerable.store.collection_state import read_source_states, read_unread_logs
from answerable.store.store import EvidenceStore

DerivedT = TypeVar("DerivedT")
_NEVER = (1 << 63) - 1


# Derived data that takes longer than a page may; pages can show that of an earlier view.
FINDINGS, FINDING_TREND = "findings", "finding-trend"
SLOW_DERIVED = frozenset({FINDINGS, FINDING_TREND})


@dataclass(frozen=True, slots=True)
class StoreView:
    """View of a store at one moment.

    Attributes:
        version: Changes with any content.
        generation: Version of its inputs.
        at: Time at which ownership was evaluated, UTC nanoseconds.
        until: Expiry of the first attestation in force.
        build_seconds: CPU seconds of the build.
        inventory: The newest snapshot, completed by logs.
    """

    version: str
    generation: str
    at: int
    until: int
    build_seconds: float
    inventory: Inventory
    chains: ChainIndex
    _derived: dict[str, tuple[Callable[["StoreView"], object], object]] = field(
        default_factory=dict, compare=False, repr=False
    )

    def get_derived(
        self, name: str, build: Callable[["StoreView"], DerivedT]
    ) -> DerivedT:
        """Return named data derived from this view, built on first use."""
        if name not in self._derived:
            self._derived.setdefault(name, (build, build(self)))
        return cast("DerivedT", self._derived[name][1])

    def has_derived(self, name: str) -> bool:
        """Return whether derived data is built already."""
        return name in self._derived

    def get_built(self, name: str, kind: type[DerivedT]) -> DerivedT:
        """Return derived data that is built already.

        Raises:
            KeyError: It is not built, or is of another type.
        """
        found = self._derived[name][1]
        if not isinstance(found, kind):
            raise KeyError(name)
        return found

    def rebuild_from(self, previous: "StoreView") -> None:
        """Build the data that the previous view had, so that no request waits.

        Data of `SLOW_DERIVED` is built when a page needs it.
        """
        if previous.inventory is not self.inventory:
            self.inventory.recompute_values_of_previous(previous.inventory)
        if previous.chains is not self.chains:
            self.chains.build_lookups_used_by_previous(previous.chains)
        for name, (build, _) in list(previous._derived.items()):
            if name not in SLOW_DERIVED:
                self.get_derived(name, build)


def compute_store_stamp(store: EvidenceStore) -> bytes:
    """Return a digest that changes with log, journals and states of sources."""
    states = read_source_states(store.layout), read_unread_logs(store.layout)
    named = [store.log.checkpoint(), msgspec.json.encode(states)]
    for name in store.layout.list_journals():
        try:
            size = store.layout.journal_file(name).stat().st_size
        except FileNotFoundError:
            continue
        named.append(f"{name}:{size}".encode())
    return hashlib.sha256(b"\n".join(named)).digest()


def build_view(
    store: EvidenceStore, now: int, previous: StoreView | None = None
) -> StoreView:
    """Build the view of the store; reuse unchanged parts of the previous one.

    Args:
        now: UTC nanoseconds.
    """
    started = time.thread_time()
    generation = cache_generation.compute_chains_generation(store)
    if previous is not None and previous.generation == generation:
        inventory = _evaluate_again(previous.inventory, store, now)
        chains = previous.chains
    else:
        inventory = snapshots.load_inventory(store, now=now)
        if previous is not None and _is_same_input(previous.inventory, inventory):
            inventory = replace(
                _evaluate_again(previous.inventory, store, now),
                read_event_gaps=inventory.read_event_gaps,
            )
        chains = load_or_compute_chains(store)
    compile_snapshot(inventory, previous.inventory if previous is not None else None)
    return StoreView(
        version=hashlib.sha256(f"{generation} {now}".encode()).hexdigest()[:24],
        generation=generation,
        at=now,
        until=_find_first_expiry(inventory, now),
        build_seconds=time.thread_time() - started,
        inventory=inventory,
        chains=chains,
    )


def _is_same_input(one: Inventory, other: Inventory) -> bool:
    """Tell whether two inventories have the same scans, statements and log facts."""
    if one.derived is None or other.derived is None:
        return False
    return one.derived.generation == other.derived.generation


def _evaluate_again(inventory: Inventory, store: EvidenceStore, now: int) -> Inventory:
    """Evaluate the owners of an inventory at another time; its facts are shared."""
    return replace(
        assess_owners_at_time(inventory, now),
        scheduled=read_source_states(store.layout),
        merges=snapshots.read_merges_in_force(store, now),
    )


def _find_first_expiry(inventory: Inventory, now: int) -> int:
    """Return the earliest expiry of a valid attestation."""
    ends = (
        get_attestation_end(e)
        for e in inventory.facts.evidence
        if is_valid_attestation(e, now)
    )
    return min(ends, default=_NEVER)
