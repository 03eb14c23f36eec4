"""Estates compiled once for many questions; whoever serves pages keeps them."""

import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager

from answerable.connectors.iam_catalogue.fetch import known_services
from answerable.flows.asked import Asked, Context, asked_of
from answerable.flows.given import Given, read_given
from answerable.model.errors import EnvironmentRefused
from answerable.model.inventory import Inventory
from answerable.reach.collected import Collected

# With the keys that a question states, an estate is another one.
_MOST = 4
_PATIENCE_S = 10.0
_Key = tuple[tuple[str, tuple[str, ...]], ...]


class Estates:
    """The estates of one snapshot, by what questions state of the request.

    What one question finds out is kept for the next, so they come one after another.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._of: tuple[object, ...] = ()
        self._kept: OrderedDict[_Key, Asked] = OrderedDict()

    @contextmanager
    def asked(
        self,
        inventory: Inventory,
        now: int,
        *,
        direct: bool = False,
        context: Context = None,
    ) -> Iterator[Asked]:
        """Lend an estate to ask; compiled where it was not yet.

        Args:
            inventory: What stands now.
            now: UTC nanoseconds.
            direct: Whether paths are left aside.
            context: Condition keys of the request.

        Raises:
            UsageError: Nobody knows a key, and another is spelled much like it.
            EnvironmentRefused: Another question takes too long.
        """
        given = read_given(inventory.facts, context, "", "", now)
        key = tuple(sorted(given.context.values.items()))
        if not self._lock.acquire(timeout=_PATIENCE_S):
            raise EnvironmentRefused(
                "other questions about permissions are being worked out",
                "ask again in a moment",
            )
        try:
            graph = self._compiled(inventory, given, key, now).graph
            collected = Collected(held for c in inventory.coverage for held in c.held)
            yield Asked(inventory, graph, collected, given, direct, now)
        finally:
            self._lock.release()

    def _compiled(
        self, inventory: Inventory, given: Given, key: _Key, now: int
    ) -> Asked:
        of = _snapshot(inventory)
        if of != self._of:
            self._of, self._kept = of, OrderedDict()
        found = self._kept.get(key)
        if found is None:
            # A question may be of any service, whichever policies speak of.
            found = asked_of(inventory, known_services(), given, now)
            self._kept[key] = found
            if len(self._kept) > _MOST:
                # What states nothing is asked most, and was compiled first.
                self._kept.pop(next(one for one in self._kept if one))
        self._kept.move_to_end(key)
        return found


def _snapshot(inventory: Inventory) -> tuple[object, ...]:
    """Tell one snapshot from another: a trail adds identities to what was scanned."""
    facts = inventory.facts
    return inventory.name, len(facts.identities), len(facts.policies), inventory.at
