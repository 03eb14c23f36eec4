"""What goes on beside the requests of a process, held until it ends."""

import asyncio
from collections.abc import Coroutine
from typing import Any


class Tasks:
    """Tasks that nobody waits for; the event loop alone would let go of them."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()

    def spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        """Have something done."""
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def cancel(self) -> None:
        """End all of it, and wait until it has."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)


async def ended(task: asyncio.Task[Any], seconds: float) -> None:
    """Wait until a task has ended, however it did; it is cancelled where it does not."""
    await asyncio.wait({task}, timeout=seconds)
    task.cancel()
    await asyncio.wait({task})
