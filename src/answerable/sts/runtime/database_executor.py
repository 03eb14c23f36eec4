"""Run database calls: inline for SQLite, in threads for PostgreSQL.

A SQLite call takes a fraction of a thread switch. A network database blocks its
callers, so it gets a bounded thread pool.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

MAX_THREADS = 8

ResultT = TypeVar("ResultT")


class DatabaseExecutor:
    """Executor for calls that may block."""

    def __init__(self, *, beside: bool) -> None:
        self.beside = beside
        self._pool = ThreadPoolExecutor(MAX_THREADS, "record") if beside else None

    async def run(self, call: Callable[[], ResultT]) -> ResultT:
        """Run a database call in the executor's thread, and return its result."""
        if self._pool is None:
            return call()
        return await asyncio.get_running_loop().run_in_executor(self._pool, call)

    def close(self) -> None:
        """Close the executor after the running database calls have finished."""
        if self._pool is not None:
            self._pool.shutdown()
