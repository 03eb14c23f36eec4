"""View of a store at one moment, with data derived from it."""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar, cast

from answerable.inventory import aged
from answerable.inventory.ownership_score import attests, end_of
from answerable.lineage.chain_index import Chains
from answerable.model.inventory import Inventory
from answerable.services.inventory import snapshots
from answerable.services.lineage.stitched_chains import stitched
from answerable.services.reach.query_context import keep_graph
from answerable.store import journal_files, lineage_facts
from answerable.store.store import Store

Kept = TypeVar("Kept")
_NEVER = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Standing:
    """View of a store at one moment.

    Attributes:
        version: Changes with any content.
        generation: Version of its inputs.
        at: Time at which ownership was evaluated, UTC nanoseconds.
        until: Expiry of the first attestation in force.
        took: CPU seconds of the build.
        inventory: The newest snapshot, completed by logs.
    """

    version: str
    generation: str
    at: int
    until: int
    took: float
    inventory: Inventory
    chains: Chains
    _kept: dict[str, tuple[Callable[["Standing"], object], object]] = field(
        default_factory=dict, compare=False, repr=False
    )

    def kept(self, name: str, make: Callable[["Standing"], Kept]) -> Kept:
        """Return data derived from this view, built on first use."""
        if name not in self._kept:
            self._kept.setdefault(name, (make, make(self)))
        return cast("Kept", self._kept[name][1])

    def has(self, name: str) -> bool:
        """Tell whether derived data is built already."""
        return name in self._kept

    def follow(self, before: "Standing") -> None:
        """Rebuild the derived data of the previous view, so that no request waits."""
        if before.inventory is not self.inventory:
            self.inventory.follow(before.inventory)
        if before.chains is not self.chains:
            self.chains.follow(before.chains)
        for name, (make, _) in list(before._kept.items()):
            self.kept(name, make)


def stamp(store: Store) -> bytes:
    """Return a stamp that changes with every entry and record of a store."""
    named = [store.log.checkpoint()]
    for name in journal_files.names(store.layout):
        try:
            size = store.layout.journal_file(name).stat().st_size
        except FileNotFoundError:
            continue
        named.append(f"{name}:{size}".encode())
    return hashlib.sha256(b"\n".join(named)).digest()


def stand(store: Store, now: int, before: Standing | None = None) -> Standing:
    """Build the view, reusing unchanged parts.

    Args:
        now: UTC nanoseconds.
    """
    started = time.thread_time()
    generation = lineage_facts.chains_generation(store)
    if before is not None and before.generation == generation:
        inventory, chains = aged(before.inventory, now), before.chains
    else:
        inventory = snapshots.load(store, now=now)
        chains = stitched(store, inventory)
    keep_graph(inventory, before.inventory if before is not None else None)
    return Standing(
        version=hashlib.sha256(f"{generation} {now}".encode()).hexdigest()[:24],
        generation=generation,
        at=now,
        until=_until(inventory, now),
        took=time.thread_time() - started,
        inventory=inventory,
        chains=chains,
    )


def _until(inventory: Inventory, now: int) -> int:
    """Return the expiry of the first attestation in force."""
    ends = (end_of(e) for e in inventory.facts.evidence if attests(e, now))
    return min(ends, default=_NEVER)
