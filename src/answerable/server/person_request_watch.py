"""Watch over the requests that persons filed with agents.

A request only explains the origin of values; it allows nothing.
"""

from answerable.model.person_request import PersonRequest
from answerable.server.store_watch import Rejections, StoreWatch
from answerable.store.store import EvidenceStore
from answerable.usecases.evidence.filed_requests import FiledRequestReader


class PersonRequestWatch(StoreWatch[tuple[PersonRequest, ...]]):
    """Watch over the requests of persons in a store."""

    _nothing = ()
    _of: FiledRequestReader

    def _read_valid(
        self, store: EvidenceStore, now: int, *, fresh: bool
    ) -> tuple[tuple[PersonRequest, ...], Rejections]:
        if fresh:
            self._of = FiledRequestReader(store)
        held = self._of.read(now)
        return held.standing, [(each.digest, each.why) for each in held.unheld]
