"""Watch signed statements in a store: one thread reads all kinds twice a second.

The store holds the only copy. So a signature, a revoked key and a change of owner take
effect within a second. An altered store leaves no statement in force that allows
something; while the store is unavailable, the last valid ones stay in force for a while.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from answerable.model.errors import AnswerableError, EnvironmentFailure
from answerable.services.statements.signed_statements import StatementReading
from answerable.services.statements.statements_in_force import (
    StatementKind,
    StatementsInForce,
)
from answerable.store.store import EvidenceStore

StatementReadings = Mapping[StatementKind, StatementReading[Any] | AnswerableError]
ChangeListener = Callable[[StatementsInForce], None]
RejectionListener = Callable[[str, str, str], None]
FailureListener = Callable[[str], None]


class StatementWatch:
    """Watch over signed statements of several kinds.

    Args:
        root: Folder of the store.
        kinds: Kinds to read.
        changed: Called with the statements in force whenever they change.
        rejected: Called once for each rejected statement, with the noun of its kind, its
            digest and the reason.
        failed: Called once for each reason that the store cannot be read.
        interval: Seconds between two readings.

    Attributes:
        current: Statements in force.
        failure: Reason that the last reading failed; empty where it did not.
    """

    def __init__(
        self,
        root: Path,
        kinds: Sequence[StatementKind],
        changed: ChangeListener,
        rejected: RejectionListener,
        failed: FailureListener,
        *,
        interval: float = 0.5,
    ) -> None:
        self.current = StatementsInForce()
        self.failure = ""
        self._root, self._kinds, self._interval = root, kinds, interval
        self._changed, self._rejected, self._failed = changed, rejected, failed
        self._reader = ThreadPoolExecutor(1, type(self).__name__)
        self._store: EvidenceStore | None = None
        self._failures: Mapping[str, None] = {}
        self._reported: set[tuple[str, str]] = set()
        self._read_at = dict.fromkeys(kinds, 0.0)

    async def refresh(self) -> None:
        """Read the store once now."""
        loop = asyncio.get_running_loop()
        readings = await loop.run_in_executor(self._reader, self._read_store)
        self._apply_readings(readings, loop.time())

    async def poll_forever(self) -> None:
        """Read the store periodically, until cancelled."""
        while True:
            await self.refresh()
            await asyncio.sleep(self._interval)

    async def close(self) -> None:
        """Close the evidence store that the watch reads."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._reader, self._close_store)
        self._reader.shutdown(wait=False)

    def _apply_readings(self, readings: StatementReadings, seconds: float) -> None:
        """Replace the statements in force; report changes, rejections and failures.

        Args:
            readings: Result of the reading, by kind.
            seconds: Monotonic time of the reading.
        """
        found: dict[StatementKind, tuple[Any, ...]] = {}
        failures: dict[str, None] = {}
        for kind, reading in readings.items():
            if isinstance(reading, AnswerableError):
                failures[reading.message] = None
                if not _outlives_read_failure(
                    kind, reading, seconds - self._read_at[kind]
                ):
                    found[kind] = ()
                continue
            self._read_at[kind], found[kind] = seconds, reading.active
            for rejection in reading.list_rejections():
                if rejection not in self._reported:
                    self._reported.add(rejection)
                    self._rejected(kind.shape.noun, *rejection)
        current = self.current.replace(found)
        if current is not self.current:
            self.current = current
            self._changed(current)
        before, self._failures = self._failures, failures
        self.failure = next(iter(failures), "")
        for reason in failures:
            if reason not in before:
                self._failed(reason)

    def _read_store(self) -> StatementReadings:
        """Open the store if necessary, and read every kind, in the thread."""
        now = time.time_ns()
        found: dict[StatementKind, StatementReading[Any] | AnswerableError] = {}
        try:
            store = self._store or EvidenceStore.open(self._root, now=now, create=False)
        except AnswerableError as error:
            return dict.fromkeys(self._kinds, error)
        self._store = store
        for kind in self._kinds:
            try:
                found[kind] = kind.open(store).read(now)
            except AnswerableError as error:
                found[kind] = error
        if any(isinstance(each, AnswerableError) for each in found.values()):
            self._close_store()  # reopen the store for the next reading
        return found

    def _close_store(self) -> None:
        """Close the store, so that the next reading opens it."""
        store, self._store = self._store, None
        if store is not None:
            store.close()


def _outlives_read_failure(
    kind: StatementKind, error: AnswerableError, seconds: float
) -> bool:
    """Return whether statements stay in force while the store cannot be read.

    Args:
        error: Reason of the failure.
        seconds: Seconds since the last successful reading.
    """
    is_unavailable = isinstance(error, EnvironmentFailure)
    return kind.only_restricts or (is_unavailable and seconds <= kind.last_good)
