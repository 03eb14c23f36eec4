"""Where what waits for the record is run: here for SQLite, beside for PostgreSQL.

SQLite answers in a fraction of what handing work to a thread costs. A database over
the network keeps its callers waiting, and those are bounded.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

THREADS = 8

Result = TypeVar("Result")


class Blocking:
    """Runs what may wait.

    Args:
        beside: In threads, since it waits for a network.

    Attributes:
        beside: Likewise.
    """

    def __init__(self, *, beside: bool) -> None:
        self.beside = beside
        self._pool = ThreadPoolExecutor(THREADS, "record") if beside else None

    async def run(self, work: Callable[[], Result]) -> Result:
        """Run something to its end."""
        if self._pool is None:
            return work()
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    def close(self) -> None:
        """Wait for what still runs."""
        if self._pool is not None:
            self._pool.shutdown()
