"""Items of a long list, built when they are read, so that none stays in memory."""

from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import cast, overload

from answerable.model.identity import Identity
from answerable.model.inventory import Inventory
from answerable.presentation.inventory_items import (
    build_agent_item,
    build_credential_item,
    build_identity_item,
)

Item = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class ListedItems(Sequence[Item]):
    """Items of a list in one order.

    Attributes:
        size: Number of all items.
        iterate: Builds all items in order, again at each call.
        positions: Positions of the selected items; None for all.
    """

    size: int
    iterate: Callable[[], Iterator[Item]]
    positions: Sequence[int] | None = None

    def select(self, keep: Callable[[Item], bool]) -> "ListedItems":
        """Select items; only their positions stay in memory."""
        kept = array("Q", (at for at, each in enumerate(self) if keep(each)))
        if self.positions is not None:
            kept = array("Q", (self.positions[at] for at in kept))
        return ListedItems(self.size, self.iterate, kept)

    def __len__(self) -> int:
        """Count the items."""
        return self.size if self.positions is None else len(self.positions)

    def __iter__(self) -> Iterator[Item]:
        """Build the items one after the other."""
        if self.positions is None:
            yield from self.iterate()
            return
        wanted = iter(self.positions)
        following = next(wanted, None)
        for at, item in enumerate(self.iterate()):
            if following is None:
                return
            if at == following:
                yield item
                following = next(wanted, None)

    @overload
    def __getitem__(self, at: int) -> Item: ...

    @overload
    def __getitem__(self, at: slice) -> Sequence[Item]: ...

    def __getitem__(self, at: int | slice) -> Item | Sequence[Item]:
        """Build the item at a position, or a part of the list."""
        if isinstance(at, slice):
            start, stop, step = at.indices(len(self))
            if step > 0:
                return list(islice(self, start, max(start, stop), step))
            return list(self)[at]
        found = at + len(self) if at < 0 else at
        if not 0 <= found < len(self):
            raise IndexError(at)
        return next(islice(self, found, None))


def list_agent_items(inventory: Inventory) -> ListedItems:
    """List the agents of an inventory."""
    return ListedItems(
        len(inventory.agents),
        lambda: (
            build_agent_item(inventory, each) for each in inventory.agents.values()
        ),
    )


def list_identity_items(inventory: Inventory) -> ListedItems:
    """List the identities of an inventory."""
    return ListedItems(
        len(inventory.facts.identities_by_id()),
        lambda: (
            build_identity_item(inventory, each)
            for each in cast(
                "Iterator[Identity]", inventory.facts.iterate("identities")
            )
        ),
    )


def list_credential_items(inventory: Inventory) -> ListedItems:
    """List the credentials of an inventory."""
    return ListedItems(
        len(inventory.credentials),
        lambda: (
            build_credential_item(inventory, each)
            for each in inventory.credentials.values()
        ),
    )
