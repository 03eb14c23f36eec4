"""What persons have signed, looked at in a store twice a second by one thread.

The store is where it lies, and nowhere else: there is no second copy that somebody could
change. So a signature, and a key that counts no more, take hold within a second.
"""

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Generic, TypeVar

from answerable.model.errors import AnswerableError
from answerable.store.store import Store

EVERY = 0.5  # seconds between two looks at the store

Signed = TypeVar("Signed")
Unheld = Iterable[tuple[str, str]]


class StoreWatch(ABC, Generic[Signed]):
    """Looks at one kind of what persons sign.

    Args:
        root: Folder of the store.
        changed: Told what stands, whenever that is something else.
        unheld: Told what does not count and why, each once.
        refused: Told why the store cannot be read, each reason once.
    """

    def __init__(
        self,
        root: Path,
        changed: Callable[[tuple[Signed, ...]], None],
        unheld: Callable[[str, str], None],
        refused: Callable[[str], None],
    ) -> None:
        self._root, self._changed = root, changed
        self._unheld, self._refused = unheld, refused
        self._reader = ThreadPoolExecutor(1, type(self).__name__)
        self._store: Store | None = None
        self._standing: tuple[Signed, ...] = ()
        self._told: set[tuple[str, str]] = set()
        self._why = ""
        self._read_at = 0.0

    @abstractmethod
    def _look(
        self, store: Store, now: int, *, fresh: bool
    ) -> tuple[tuple[Signed, ...], Unheld]:
        """Say what stands, and what does not count and why; the thread's.

        Args:
            store: Opened.
            now: UTC nanoseconds.
            fresh: It was opened just now.
        """

    def _unread(self, error: AnswerableError, seconds: float) -> None:
        """Decide what stands while the store cannot be read: what stood, unless said.

        Args:
            error: Why.
            seconds: For how long.
        """

    async def refresh(self) -> None:
        """Look now."""
        loop = asyncio.get_running_loop()
        try:
            standing, unheld = await loop.run_in_executor(self._reader, self._read)
        except AnswerableError as error:
            self._unread(error, loop.time() - self._read_at)
            if error.message != self._why:
                self._why = error.message
                self._refused(error.message)
            return
        self._why, self._read_at = "", loop.time()
        for each in unheld:
            if each not in self._told:
                self._told.add(each)
                self._unheld(*each)
        self._stand(standing)

    async def keep_fresh(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await self.refresh()
            await asyncio.sleep(EVERY)

    async def close(self) -> None:
        """Let go of the store."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._reader, self._shut)
        self._reader.shutdown(wait=False)

    def _stand(self, standing: tuple[Signed, ...]) -> None:
        if standing != self._standing:
            self._standing = standing
            self._changed(standing)

    def _read(self) -> tuple[tuple[Signed, ...], Unheld]:
        now, fresh = time.time_ns(), self._store is None
        store = self._store or Store.open(self._root, now=now, create=False)
        self._store = store
        try:
            return self._look(store, now, fresh=fresh)
        except AnswerableError:
            self._shut()  # whatever it was, look with fresh eyes the next time
            raise

    def _shut(self) -> None:
        store, self._store = self._store, None
        if store is not None:
            store.close()
