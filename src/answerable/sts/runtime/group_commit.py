"""Commit exchanges in groups: concurrent ones share a transaction and a disk sync.

A sync costs the same for one record and for many. While one group is written, the next
collects; a single exchange is served at once, so none waits for more to arrive.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from answerable.model.spool_record import ExchangeRecord
from answerable.server.recording.record_ticket import NotRecorded
from answerable.services.federation.exchange_audit_records import PresentedRequest
from answerable.usecases.federation.token_exchange import ExchangeOutcome

# Exchanges in a group: the first waits for the last, and larger groups save little. A
# full group does not wait for the group before it.
MAX_GROUP = 16


class ExchangeService(Protocol):
    """Use case that serves several exchanges in one transaction."""

    def exchange_all(
        self, requests: Sequence[PresentedRequest], now: float
    ) -> Sequence[ExchangeOutcome | Exception]:
        """Serve all requests in one transaction; a failed one gives its exception."""


class EvidenceRecorder(Protocol):
    """Recorder of issued tokens."""

    def check_recordable(self) -> None:
        """Check that a record can be written now.

        Raises:
            NotRecorded: It cannot.
        """

    def queue_issued(
        self, record: ExchangeRecord, durable: "asyncio.Future[None]"
    ) -> str:
        """Queue a record; `durable` completes once it is on disk.

        Raises:
            NotRecorded: It cannot be queued.
        """


@dataclass(slots=True, eq=False, repr=False)
class _WaitingExchange:
    """One waiting exchange.

    Attributes:
        durable: Completed once its record is on disk.
    """

    shown: PresentedRequest
    durable: "asyncio.Future[None]"
    outcome: ExchangeOutcome | None = None


class GroupCommit:
    """Group commit of exchanges.

    Args:
        clock: Returns the time as a NumericDate. Each exchange is judged at the time it
            is served, so a slow disk extends no lifetime.
    """

    def __init__(
        self,
        serves: ExchangeService,
        records: EvidenceRecorder,
        loop: asyncio.AbstractEventLoop,
        clock: Callable[[], float],
    ) -> None:
        self._serves, self._records, self._loop = serves, records, loop
        self._clock = clock
        self._waiting: list[_WaitingExchange] = []
        self._under_way = 0  # groups that are not on disk yet

    async def exchange(self, request: PresentedRequest) -> ExchangeOutcome:
        """Serve one exchange in the next group; its record is on disk on return.

        Raises:
            UnknownKey: From the use case.
            TokenReviewNeeded: From the use case.
            NotRecorded: It could not be recorded, so no token may be issued.
        """
        waiting = self._waiting
        if not waiting and not self._under_way:
            self._loop.call_soon(self._commit_group)
        waits = _WaitingExchange(request, self._loop.create_future())
        waiting.append(waits)
        if len(waiting) >= MAX_GROUP:
            self._commit_group()
        await waits.durable
        assert waits.outcome is not None  # noqa: S101 - durable, or failed before
        return waits.outcome

    def _commit_group(self) -> None:
        """Serve the waiting exchanges in one group, and queue their records."""
        waiting, self._waiting = self._waiting, []
        # An exchange that cannot be recorded is not started, so it consumes nothing.
        waiting = [each for each in waiting if self._check_recordable(each)]
        if not waiting:
            return
        last: asyncio.Future[None] | None = None
        for each, told in zip(waiting, self._exchange_group(waiting), strict=True):
            if isinstance(told, ExchangeOutcome) and told.minting is not None:
                if self._queue_record(each, told):
                    last = each.durable
            elif not each.durable.done():
                _complete_exchange(each, told)
        if last is not None:
            # A group is on disk as a whole.
            self._under_way += 1
            last.add_done_callback(self._start_next_group)

    def _exchange_group(
        self, waiting: list[_WaitingExchange]
    ) -> Sequence[ExchangeOutcome | Exception]:
        """Serve a group; return an outcome or exception for each exchange."""
        try:
            shown = [each.shown for each in waiting]
            return self._serves.exchange_all(shown, self._clock())
        except Exception as error:  # noqa: BLE001 - every waiting exchange gets it
            return [error] * len(waiting)

    def _check_recordable(self, exchange: _WaitingExchange) -> bool:
        """Return whether an exchange can be recorded; fail it if not."""
        try:
            self._records.check_recordable()
        except NotRecorded as refused:
            if not exchange.durable.done():
                _complete_exchange(exchange, refused)
            return False
        return True

    def _queue_record(
        self, exchange: _WaitingExchange, outcome: ExchangeOutcome
    ) -> bool:
        """Queue the record of an issued token; return whether that worked."""
        exchange.outcome = outcome
        try:
            self._records.queue_issued(outcome.record, exchange.durable)
        except Exception as error:  # noqa: BLE001 - likewise
            if not exchange.durable.done():
                _complete_exchange(exchange, error)
            return False
        return True

    def _start_next_group(self, _: "asyncio.Future[None]") -> None:
        """Start the next group once the records of this one are on disk."""
        self._under_way -= 1
        if not self._under_way:
            self._commit_group()


def _complete_exchange(
    exchange: _WaitingExchange, result: ExchangeOutcome | Exception
) -> None:
    """Complete a waiting exchange whose result needs no record on disk."""
    if isinstance(result, Exception):
        exchange.durable.set_exception(result)
    else:
        exchange.outcome = result
        exchange.durable.set_result(None)
