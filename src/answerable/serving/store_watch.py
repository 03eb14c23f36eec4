"""What persons have signed, looked at in a store twice a second by one thread.

The store is where it lies, and nowhere else: there is no second copy that somebody could
change. So a signature, and a key that counts no more, take hold within a second. What is
not what it was lets nothing stand; while the store is away, what stood stands for a
while.
"""

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Generic, TypeAlias, TypeVar

from answerable.model.errors import AnswerableError, EnvironmentRefused
from answerable.store.store import Store

Standing = TypeVar("Standing")
Changed: TypeAlias = Callable[[Standing], None]
Told = Callable[[str, str], None]
Refused = Callable[[str], None]
Unheld = Iterable[tuple[str, str]]


class StoreWatch(ABC, Generic[Standing]):
    """Looks at one kind of what persons sign.

    Args:
        root: Folder of the store.
        changed: Told what stands, whenever that is something else.
        unheld: Told what does not count and why, each once.
        refused: Told why the store cannot be read, each reason once.

    Attributes:
        every: Seconds between two looks.
        last_good: Seconds that what stood stands while the store is away.
        why: Why the store could not be read the last time, empty where it could.
    """

    every = 0.5
    last_good = 60.0
    _nothing: Standing  # what stands where nothing does

    def __init__(
        self, root: Path, changed: Changed[Standing], unheld: Told, refused: Refused
    ) -> None:
        self.why = ""
        self._root, self._changed = root, changed
        self._unheld, self._refused = unheld, refused
        self._reader = ThreadPoolExecutor(1, type(self).__name__)
        self._store: Store | None = None
        self._standing = self._nothing
        self._told: set[tuple[str, str]] = set()
        self._read_at = 0.0

    @abstractmethod
    def _look(self, store: Store, now: int, *, fresh: bool) -> tuple[Standing, Unheld]:
        """Say what stands, and what does not count and why; the thread's.

        Args:
            store: Opened.
            now: UTC nanoseconds.
            fresh: It was opened just now.
        """

    def _unread(self, error: AnswerableError, seconds: float) -> None:
        """Decide what stands while the store cannot be read.

        Args:
            error: Why.
            seconds: For how long.
        """
        if not isinstance(error, EnvironmentRefused) or seconds > self.last_good:
            self._drop()

    def _drop(self) -> None:
        """Let nothing stand."""
        self._stand(self._nothing)

    async def refresh(self) -> None:
        """Look now."""
        loop = asyncio.get_running_loop()
        try:
            standing, unheld = await loop.run_in_executor(self._reader, self._read)
        except AnswerableError as error:
            self._unread(error, loop.time() - self._read_at)
            if error.message != self.why:
                self.why = error.message
                self._refused(error.message)
            return
        self.why, self._read_at = "", loop.time()
        for each in unheld:
            if each not in self._told:
                self._told.add(each)
                self._unheld(*each)
        self._stand(standing)

    async def keep_fresh(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await self.refresh()
            await asyncio.sleep(self.every)

    async def close(self) -> None:
        """Let go of the store."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._reader, self._shut)
        self._reader.shutdown(wait=False)

    def _stand(self, standing: Standing) -> None:
        if standing is not self._standing and standing != self._standing:
            self._standing = standing
            self._changed(standing)

    def _read(self) -> tuple[Standing, Unheld]:
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
