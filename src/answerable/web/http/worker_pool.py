"""Run request handlers in a bounded pool of worker threads."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from answerable.web.http.errors import RequestRejected

POOL_SIZE = 4
MAX_WAITING = 64  # requests that may wait for a thread

WorkResult = TypeVar("WorkResult")


class WorkerPool:
    """Bounded pool of worker threads.

    Args:
        max_waiting: Maximum length of the queue.

    Attributes:
        busy: Running and waiting calls.
    """

    def __init__(
        self, threads: int = POOL_SIZE, max_waiting: int = MAX_WAITING
    ) -> None:
        self._threads = ThreadPoolExecutor(threads, "answers")
        self._max_busy = threads + max_waiting
        self.busy = 0

    async def run(self, work: Callable[[], WorkResult]) -> WorkResult:
        """Run a function in a thread; refuse it if the queue is full.

        Raises:
            RequestRejected: The queue is full.
        """
        if self.busy >= self._max_busy:
            raise RequestRejected(
                503, "busy", "too many concurrent queries", "try again later"
            )
        self.busy += 1
        future = asyncio.get_running_loop().run_in_executor(self._threads, work)
        future.add_done_callback(self._on_done)
        # The client may disconnect; the thread still runs and counts as busy.
        return await asyncio.shield(future)

    def _on_done(self, future: "asyncio.Future[WorkResult]") -> None:
        """Count a finished call; its error is retrieved even if the client left."""
        self.busy -= 1
        if not future.cancelled():
            future.exception()  # retrieve it: the waiting request may be gone

    def close(self) -> None:
        """Stop accepting calls and cancel the queued ones."""
        self._threads.shutdown(wait=False, cancel_futures=True)
