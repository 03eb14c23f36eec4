"""What owners have signed, on its way from the store into the decisions of a process.

So a signature, a revocation, a key that counts no more and an owner who changed all
take hold within a second.
"""

from pathlib import Path

from answerable.flows.amendments import AmendmentsOf, Held
from answerable.model.amendment import Amendment, Fallen
from answerable.serving.store_watch import Changed, Refused, StoreWatch, Told, Unheld
from answerable.store.store import Store

# What becomes of amendments, and is no fault of anybody's.
_EXPECTED = (None, Fallen.ENDED, Fallen.REVOKED, Fallen.UNCONFIRMED)


class AmendmentWatch(StoreWatch[tuple[Amendment, ...]]):
    """Looks at the amendments of a store.

    Attributes:
        held: What was read last; None before the first look.
    """

    _nothing = ()
    _of: AmendmentsOf

    def __init__(
        self,
        root: Path,
        changed: Changed[tuple[Amendment, ...]],
        unheld: Told,
        refused: Refused,
    ) -> None:
        super().__init__(root, changed, unheld, refused)
        self.held: Held | None = None

    def _look(
        self, store: Store, now: int, *, fresh: bool
    ) -> tuple[tuple[Amendment, ...], Unheld]:
        if fresh:
            self._of = AmendmentsOf(store)
        self.held = held = self._of.now(now)
        unheld = [(each.digest, each.why) for each in held.unheld]
        unheld += [
            (each.amendment.id, each.fallen.value)
            for each in held.judged
            if each.fallen not in _EXPECTED
        ]
        return held.standing, unheld

    def _drop(self) -> None:
        self.held = None
        super()._drop()
