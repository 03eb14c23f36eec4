"""Watch over the requests that persons filed with agents.

A request only explains the origin of values; it allows nothing.
"""

from answerable.model.person_request import Requested
from answerable.server.store_watch import StoreWatch, Unheld
from answerable.store.store import Store
from answerable.usecases.evidence.filed_requests import RequestsOf


class RequestWatch(StoreWatch[tuple[Requested, ...]]):
    """Watch over the requests of persons in a store."""

    _nothing = ()
    _of: RequestsOf

    def _look(
        self, store: Store, now: int, *, fresh: bool
    ) -> tuple[tuple[Requested, ...], Unheld]:
        if fresh:
            self._of = RequestsOf(store)
        held = self._of.now(now)
        return held.standing, [(each.digest, each.why) for each in held.unheld]
