"""Watch the requests that persons filed with agents, in a store.

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
        self, store: EvidenceStore, now: int, *, is_new_store: bool
    ) -> tuple[tuple[PersonRequest, ...], Rejections]:
        """Return the valid requests, and the rejected ones with reasons."""
        if is_new_store:
            self._of = FiledRequestReader(store)
        held = self._of.read(now)
        return held.active, [(each.digest, each.reason) for each in held.rejected]
