"""Write received records to the store: one thread, with group commit.

A delivery is answered after its records are durable. All deliveries that wait are
stored together, so the cost of a commit is shared.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from answerable.connectors import registry
from answerable.model.errors import AnswerableError
from answerable.server.operator_log import OperatorLog
from answerable.store.store import EvidenceStore
from answerable.usecases.evidence.receive_records import (
    ReceivedRecords,
    parse_received_records,
    store_received_records,
)

MAX_QUEUED = 256  # deliveries
MAX_GROUP = 64
SEAL_INTERVAL = 60.0  # seconds after which stored records are sealed


class QueueFullError(Exception):
    """Refused delivery: too many others wait."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """Body of one request.

    Attributes:
        source: Name of the log source.
        place: Name of the sender as a source.
        options: Options of the log format.
        split: Splits the body into records; raises `ValueError`.
    """

    source: str
    place: str
    options: Mapping[str, str]
    split: Callable[[], Sequence[bytes]]


@dataclass(frozen=True, slots=True)
class DeliveryResult:
    """Result of a delivery whose records are durable.

    Attributes:
        received: Number of events.
        rejected: Number of quarantined records.
        reason: Reason of the first one.
        newest: Time of the newest event, UTC nanoseconds; 0 for none.
        invalid: Reason that the body is undecodable; empty if it is not.
    """

    received: int = 0
    rejected: int = 0
    reason: str = ""
    newest: int = 0
    invalid: str = ""


class RecordWriter:
    """Writer of received records.

    Args:
        root: Folder of the store.
        log: Log of the process.

    Attributes:
        stored: Number of new events.
        duplicate: Number of events that were stored before.
    """

    def __init__(self, root: Path, log: OperatorLog) -> None:
        self._root, self._log = root, log
        self._thread = ThreadPoolExecutor(1, "received-records")
        self._store: EvidenceStore | None = None
        self._queue: deque[tuple[Delivery, asyncio.Future[DeliveryResult]]] = deque()
        self._arrived = asyncio.Event()
        self._unsealed_since = 0.0
        self.stored = self.duplicate = 0

    def __len__(self) -> int:
        """Return the number of deliveries that wait."""
        return len(self._queue)

    async def write(self, delivery: Delivery) -> DeliveryResult:
        """Store a delivery; its records are durable when this returns.

        Raises:
            QueueFullError: Too many deliveries wait.
            AnswerableError: The store cannot be written; nothing is acknowledged.
        """
        if len(self._queue) >= MAX_QUEUED:
            raise QueueFullError
        future: asyncio.Future[DeliveryResult]
        future = asyncio.get_running_loop().create_future()
        self._queue.append((delivery, future))
        self._arrived.set()
        return await future

    async def run_forever(self) -> None:
        """Store deliveries as they arrive, and seal them after a while."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(SEAL_INTERVAL / 4):
                    await self._arrived.wait()
            self._arrived.clear()
            while self._queue:
                await self._store_next_group()
            since = self._unsealed_since
            if since and time.monotonic() - since > SEAL_INTERVAL:
                await self._run_in_thread(self._seal_stored_records)

    async def close(self) -> None:
        """Seal what is stored, and close the store."""
        for _, future in self._queue:
            future.cancel()
        self._queue.clear()
        await self._run_in_thread(self._seal_stored_records)
        await self._run_in_thread(self._close_store)
        self._thread.shutdown()

    async def _store_next_group(self) -> None:
        """Store the deliveries that wait, up to a maximum, in one commit."""
        count = min(len(self._queue), MAX_GROUP)
        group = [self._queue.popleft() for _ in range(count)]
        try:
            results = await self._run_in_thread(
                self._store_group, [delivery for delivery, _ in group]
            )
        except Exception as error:  # noqa: BLE001 - each sender gets an answer
            why = error.message if isinstance(error, AnswerableError) else "internal"
            self._log.error("receiver.not-stored", why=why, kind=type(error).__name__)
            for _, future in group:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future), result in zip(group, results, strict=True):
            if not future.done():  # its client may be gone
                future.set_result(result)

    def _store_group(self, group: Sequence[Delivery]) -> list[DeliveryResult]:
        """Parse and store deliveries."""
        now = time.time_ns()
        if self._store is None:
            self._store = EvidenceStore.open(self._root, now=now)
        parsed = [_parse_delivery(each) for each in group]
        valid = [each for each in parsed if isinstance(each, ReceivedRecords)]
        appended = store_received_records(self._store, valid, now)
        self.stored += appended.stored
        self.duplicate += appended.duplicate
        if appended.stored and not self._unsealed_since:
            self._unsealed_since = time.monotonic()
        return [_build_result(each) for each in parsed]

    def _seal_stored_records(self) -> None:
        """Seal what is stored; a failure is logged, and sealing is tried again."""
        if self._store is None or not self._unsealed_since:
            return
        try:
            self._store.seal(time.time_ns())
            self._unsealed_since = 0.0
        except AnswerableError as error:
            self._log.error("receiver.not-sealed", why=error.message)
            self._unsealed_since = time.monotonic()

    def _close_store(self) -> None:
        """Close the store."""
        if self._store is not None:
            self._store.close()
            self._store = None

    async def _run_in_thread(
        self, function: Callable[..., list[DeliveryResult] | None], *args: object
    ) -> list[DeliveryResult]:
        """Run a function in the one thread that uses the store."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, function, *args) or []


def _parse_delivery(delivery: Delivery) -> ReceivedRecords | str:
    """Parse the records of a delivery; return the reason if it is undecodable."""
    try:
        raws = delivery.split()
    except ValueError as error:
        return str(error)
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - the sender would repeat it for ever
        return f"the body cannot be read ({type(error).__name__})"
    log = registry.load_log_format(delivery.source)
    return parse_received_records(log, raws, delivery.options, delivery.place)


def _build_result(parsed: ReceivedRecords | str) -> DeliveryResult:
    """Build the result of a delivery."""
    if isinstance(parsed, str):
        return DeliveryResult(invalid=parsed)
    return DeliveryResult(
        len(parsed.events),
        parsed.rejected,
        parsed.reason,
        max((each.event_time for each in parsed.events), default=0),
    )
