"""Run background tasks of a process, and cancel them at its end."""

import asyncio
from collections.abc import Coroutine
from typing import Any


class BackgroundTasks:
    """Background tasks, referenced here because the event loop keeps no references."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()

    def spawn(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        """Start an asyncio task, and hold a reference to it until it ends."""
        task = asyncio.get_running_loop().create_task(coroutine)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def cancel(self) -> None:
        """Cancel all tasks, and wait for their end."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)


async def wait_or_cancel(task: asyncio.Task[Any], seconds: float) -> None:
    """Wait for the end of a task; cancel it after a timeout."""
    await asyncio.wait({task}, timeout=seconds)
    task.cancel()
    await asyncio.wait({task})
