"""Watch over the policy exceptions in a store.

A signature, a revocation, a key that is no longer trusted and a change of owner take
effect within a second.
"""

from pathlib import Path

from answerable.model.policy_exception import Amendment, Fallen
from answerable.server.store_watch import Changed, Refused, StoreWatch, Told, Unheld
from answerable.services.statements.policy_exceptions import AmendmentsOf, Held
from answerable.store.store import Store

# Ordinary ends of policy exceptions, which are not reported.
_EXPECTED = (None, Fallen.ENDED, Fallen.REVOKED, Fallen.UNCONFIRMED)


class AmendmentWatch(StoreWatch[tuple[Amendment, ...]]):
    """Watch over the policy exceptions of a store.

    Attributes:
        held: Result of the last reading; None before the first.
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
