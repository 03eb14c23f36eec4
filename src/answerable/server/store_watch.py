"""Watch signed statements in a store: one thread reads them twice a second.

The store holds the only copy. So a signature, and a revoked key, take effect within a
second. An altered store leaves no statement in force; while the store is unavailable,
the last valid ones stay in force for a while.
"""

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Generic, TypeAlias, TypeVar

from answerable.model.errors import AnswerableError, EnvironmentFailure
from answerable.store.store import EvidenceStore

ValidT = TypeVar("ValidT")
ChangeListener: TypeAlias = Callable[[ValidT], None]
RejectionListener = Callable[[str, str], None]
FailureListener = Callable[[str], None]
Rejections = Iterable[tuple[str, str]]


class StoreWatch(ABC, Generic[ValidT]):
    """Watch over one kind of signed statements.

    Args:
        root: Folder of the store.
        changed: Called with the valid statements whenever they change.
        unheld: Called once for each rejected statement, with the reason.
        refused: Called once for each reason that the store cannot be read.

    Attributes:
        every: Seconds between two readings.
        last_good: Seconds that statements stay in force while the store is unavailable.
        why: Reason that the last reading failed; empty where it did not.
    """

    every = 0.5
    last_good = 60.0
    _nothing: ValidT  # the value without valid statements

    def __init__(
        self,
        root: Path,
        changed: ChangeListener[ValidT],
        unheld: RejectionListener,
        refused: FailureListener,
    ) -> None:
        self.why = ""
        self._root, self._changed = root, changed
        self._unheld, self._refused = unheld, refused
        self._reader = ThreadPoolExecutor(1, type(self).__name__)
        self._store: EvidenceStore | None = None
        self._standing = self._nothing
        self._told: set[tuple[str, str]] = set()
        self._read_at = 0.0

    @abstractmethod
    def _read_valid(
        self, store: EvidenceStore, now: int, *, is_new_store: bool
    ) -> tuple[ValidT, Rejections]:
        """Return valid statements, and rejected ones with reasons, in the thread.

        Args:
            store: The open store.
            now: UTC nanoseconds.
            is_new_store: It was opened just now.
        """

    def _on_unreadable(self, error: AnswerableError, seconds: float) -> None:
        """Decide whether statements stay in force while the store cannot be read.

        Args:
            error: Reason of the failure.
            seconds: Seconds since the last successful reading.
        """
        if not isinstance(error, EnvironmentFailure) or seconds > self.last_good:
            self._clear_statements()

    def _clear_statements(self) -> None:
        """Leave no statement in force."""
        self._publish_changes(self._nothing)

    async def refresh(self) -> None:
        """Read the store once now."""
        loop = asyncio.get_running_loop()
        try:
            standing, unheld = await loop.run_in_executor(
                self._reader, self._read_store
            )
        except AnswerableError as error:
            self._on_unreadable(error, loop.time() - self._read_at)
            if error.message != self.why:
                self.why = error.message
                self._refused(error.message)
            return
        self.why, self._read_at = "", loop.time()
        for each in unheld:
            if each not in self._told:
                self._told.add(each)
                self._unheld(*each)
        self._publish_changes(standing)

    async def poll_forever(self) -> None:
        """Read the store periodically, until cancelled."""
        while True:
            await self.refresh()
            await asyncio.sleep(self.every)

    async def close(self) -> None:
        """Close the store."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._reader, self._close_store)
        self._reader.shutdown(wait=False)

    def _publish_changes(self, statements: ValidT) -> None:
        """Call the listener if the valid statements have changed."""
        if statements is not self._standing and statements != self._standing:
            self._standing = statements
            self._changed(statements)

    def _read_store(self) -> tuple[ValidT, Rejections]:
        """Open the store if necessary, and read the statements."""
        now, fresh = time.time_ns(), self._store is None
        store = self._store or EvidenceStore.open(self._root, now=now, create=False)
        self._store = store
        try:
            return self._read_valid(store, now, is_new_store=fresh)
        except AnswerableError:
            self._close_store()  # reopen the store for the next reading
            raise

    def _close_store(self) -> None:
        """Close the store, so that the next reading opens it."""
        store, self._store = self._store, None
        if store is not None:
            store.close()
