"""What stands in a store at one moment, and what pages make of it."""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar, cast

from answerable.flows import snapshots
from answerable.flows.asked import keep_graph
from answerable.flows.chains import Chains
from answerable.flows.stitch import stitched
from answerable.inventory import aged
from answerable.inventory.owners import attests, end_of
from answerable.model.inventory import Inventory
from answerable.store import journals, lineage
from answerable.store.store import Store

Kept = TypeVar("Kept")
_NEVER = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Standing:
    """What stood in the store when it was last looked at.

    Attributes:
        version: Changes whenever anything here does.
        generation: Names what it was derived from.
        at: Moment at which ownership was judged, UTC nanoseconds.
        until: When a statement about an owner ends that counts now.
        took: Seconds of a processor that making it took.
        inventory: The newest snapshot, completed by trails.
        chains: Chains behind events.
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
        """Give what is made of this alone, made when first asked for."""
        if name not in self._kept:
            self._kept.setdefault(name, (make, make(self)))
        return cast("Kept", self._kept[name][1])

    def has(self, name: str) -> bool:
        """Tell whether something is made already."""
        return name in self._kept

    def follow(self, before: "Standing") -> None:
        """Make what was kept of the one before, so that nobody waits for it."""
        if before.inventory is not self.inventory:
            self.inventory.follow(before.inventory)
        if before.chains is not self.chains:
            self.chains.follow(before.chains)
        for name, (make, _) in list(before._kept.items()):
            self.kept(name, make)


def stamp(store: Store) -> bytes:
    """Name the state of a store: it changes with every entry and every record."""
    named = [store.log.checkpoint()]
    for name in journals.names(store.layout):
        try:
            size = store.layout.journal_file(name).stat().st_size
        except FileNotFoundError:
            continue
        named.append(f"{name}:{size}".encode())
    return hashlib.sha256(b"\n".join(named)).digest()


def stand(store: Store, now: int, before: Standing | None = None) -> Standing:
    """Read what stands now; what did not change is taken over.

    Args:
        store: The store.
        now: UTC nanoseconds.
        before: What stood last.
    """
    started = time.thread_time()
    generation = lineage.chains_generation(store)
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
    """Tell when the first attestation ends that holds now."""
    ends = (end_of(e) for e in inventory.facts.evidence if attests(e, now))
    return min(ends, default=_NEVER)
