"""Tell open pages that the store has changed since they were rendered.

The store is checked every five seconds while there are listeners, once for all of them.
A page is notified once; it then asks its reader to refresh.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from weakref import WeakKeyDictionary

from answerable.model.errors import AnswerableError
from answerable.web.routing import RouteRequest, StreamEvent, StreamRoute
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import Visitor, WebPermission

POLL_INTERVAL = 5.0  # seconds


class UpdateStream:
    """Changes of one store.

    Args:
        cache: Cache over the store; a check starts the rebuild of its view.
    """

    def __init__(self, cache: StoreCache) -> None:
        self._cache = cache
        self._stamp = ""
        self._listener_count = 0
        self._checked = asyncio.Condition()
        self._checking: asyncio.Task[None] | None = None

    async def listen(self, since: str) -> AsyncIterator[StreamEvent]:
        """Yield one event when the shown data is no longer that of the page.

        Args:
            since: `StoreCache.get_shown_stamp` of the page.
        """
        self._listener_count += 1
        try:
            if self._checking is None or self._checking.done():
                self._checking = asyncio.ensure_future(self._check_store())
            async with self._checked:
                while self._stamp in ("", since):
                    await self._checked.wait()
            yield StreamEvent("update", {})
        finally:
            self._listener_count -= 1

    async def _check_store(self) -> None:
        """Read the stamp of the shown data every five seconds while there are listeners.

        While the store is loaded for the first time, nothing is read: a server that is
        told to end would wait for the thread that reads.
        """
        while self._listener_count:
            stamp = self._stamp
            if self._cache.has_view:
                # A page shows an error of the store itself.
                with suppress(AnswerableError):
                    stamp = await asyncio.to_thread(self._cache.get_shown_stamp)
            async with self._checked:
                self._stamp = stamp
                self._checked.notify_all()
            await asyncio.sleep(POLL_INTERVAL)
        self._stamp = ""


_STREAMS_BY_CACHE: WeakKeyDictionary[StoreCache, UpdateStream] = WeakKeyDictionary()


def stream_updates(
    cache: StoreCache, _visitor: Visitor, request: RouteRequest
) -> AsyncIterator[StreamEvent]:
    """Handle `/updates`: tell a page that its data has changed."""
    stream = _STREAMS_BY_CACHE.get(cache)
    if stream is None:
        stream = _STREAMS_BY_CACHE[cache] = UpdateStream(cache)
    return stream.listen(request.query.get("since", ""))


STREAMS: tuple[StreamRoute, ...] = (
    StreamRoute(
        "/updates", stream_updates, frozenset({WebPermission.LOOK}), ("since",)
    ),
)
