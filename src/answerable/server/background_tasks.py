"""Run background tasks of a process, and cancel them at its end."""

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any


def do_nothing() -> None:
    """Do nothing: the default callback when a background task fails."""


class BackgroundTasks:
    """Background tasks, referenced here because the event loop keeps no references."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()

    def spawn(
        self,
        coroutine: Coroutine[Any, Any, Any],
        give_up: Callable[[], None] = do_nothing,
    ) -> None:
        """Start an asyncio task, and hold a reference to it until it ends.

        An exception of the task goes to the exception handler of the event loop at once.

        Args:
            coroutine: Its work.
            give_up: Called when the task fails or is cancelled: ends the request that
                waits for it.
        """
        task = asyncio.get_running_loop().create_task(coroutine)
        self._running.add(task)
        task.add_done_callback(partial(self._on_done, give_up))

    async def cancel(self) -> None:
        """Cancel all tasks, and wait for their end."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    def _on_done(self, give_up: Callable[[], None], task: asyncio.Task[Any]) -> None:
        """Drop a task that has ended; report its failure, and give up its request."""
        self._running.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            task.get_loop().call_exception_handler(
                {"message": "a background task failed", "exception": error}
            )
        if error is not None or task.cancelled():
            give_up()


async def wait_or_cancel(task: asyncio.Task[Any], seconds: float) -> None:
    """Wait for the end of a task; cancel it after a timeout."""
    await asyncio.wait({task}, timeout=seconds)
    task.cancel()
    await asyncio.wait({task})
