"""What persons asked agents for, on its way from the store into a process.

A request only explains.
"""

from answerable.flows.requests import RequestsOf
from answerable.model.requested import Requested
from answerable.serving.store_watch import StoreWatch, Unheld
from answerable.store.store import Store


class RequestWatch(StoreWatch[tuple[Requested, ...]]):
    """Looks at the requests of a store."""

    _nothing = ()
    _of: RequestsOf

    def _look(
        self, store: Store, now: int, *, fresh: bool
    ) -> tuple[tuple[Requested, ...], Unheld]:
        if fresh:
            self._of = RequestsOf(store)
        held = self._of.now(now)
        return held.standing, [(each.digest, each.why) for each in held.unheld]
