"""What pages are answered from: the store, and what of it is kept in memory."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, cast

from answerable.flows import snapshots
from answerable.flows.stitch import stitched
from answerable.lineage.joints import JointChains
from answerable.model.config import Config
from answerable.model.inventory import Inventory
from answerable.store.store import Store

Kept = TypeVar("Kept")
# Evidence ages, so what is kept of it is made anew.
_MINUTE = 60_000_000_000


@dataclass(frozen=True, slots=True)
class Standing:
    """What stood in the store when it was last looked at.

    Attributes:
        version: Changes with the store's log; what is the same is unchanged.
        inventory: The newest snapshot, completed by trails.
        chains: Chains behind events.
    """

    version: str
    inventory: Inventory
    chains: tuple[JointChains, ...]


class Desk:
    """Answers from one store.

    Args:
        root: Folder of the store.
        config: The configuration, None where none was named.
        spools: Folders where decisions wait that are not in the store yet.
    """

    def __init__(
        self, root: Path, config: Config | None = None, spools: tuple[Path, ...] = ()
    ) -> None:
        self.root, self.config, self.spools = root, config, spools
        self._own = threading.local()
        self._lock = threading.Lock()
        self._standing: Standing | None = None
        self._kept: dict[str, tuple[str, object]] = {}

    @property
    def now(self) -> int:
        """UTC nanoseconds."""
        return time.time_ns()

    @contextmanager
    def store(self) -> Iterator[Store]:
        """Lend the store, as this thread has it open."""
        held: Store | None = getattr(self._own, "store", None)
        if held is None:
            held = self._own.store = Store.open(self.root, now=self.now, create=False)
        yield held

    def standing(self) -> Standing:
        """Give what stands in the store now, read anew where its log has grown."""
        with self.store() as store, self._lock:
            version = str(len(store.log.entries()))
            if self._standing is None or self._standing.version != version:
                self._standing = Standing(
                    version, snapshots.load(store, now=self.now), stitched(store)
                )
            return self._standing

    def kept(self, name: str, make: Callable[[Standing], Kept]) -> Kept:
        """Give what is made of what stands; made once for each version and minute."""
        standing = self.standing()
        version = f"{standing.version}/{self.now // _MINUTE}"
        known = self._kept.get(name)
        if known is None or known[0] != version:
            known = self._kept[name] = (version, make(standing))
        return cast("Kept", known[1])
