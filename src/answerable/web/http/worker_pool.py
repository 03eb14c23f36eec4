"""Worker thread pool for handlers, each thread with its own store connection."""

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
        waiting: Maximum length of the queue.

    Attributes:
        busy: Running and waiting calls.
    """

    def __init__(self, threads: int = POOL_SIZE, waiting: int = MAX_WAITING) -> None:
        self._threads = ThreadPoolExecutor(threads, "answers")
        self._most = threads + waiting
        self.busy = 0

    async def run(self, work: Callable[[], WorkResult]) -> WorkResult:
        """Run a function in a thread.

        Raises:
            Refused: The queue is full.
        """
        if self.busy >= self._most:
            raise RequestRejected(
                503, "busy", "too much is asked at once", "ask again later"
            )
        self.busy += 1
        future = asyncio.get_running_loop().run_in_executor(self._threads, work)
        future.add_done_callback(self._on_done)
        # Whoever asked may go; the thread goes on, and counts until it is free.
        return await asyncio.shield(future)

    def _on_done(self, future: "asyncio.Future[WorkResult]") -> None:
        self.busy -= 1
        if not future.cancelled():
            future.exception()  # retrieve it: the waiting request may be gone

    def close(self) -> None:
        """Stop accepting work."""
        self._threads.shutdown(wait=False, cancel_futures=True)
