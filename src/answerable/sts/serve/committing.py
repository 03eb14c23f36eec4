"""Exchanges that come together are committed together.

A transaction writes whole pages, and its neighbours the same ones: of a few exchanges
at once, each costs half. What one round of the loop has read is committed in the next,
so nobody waits for more to come.
"""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from answerable.model.errors import AnswerableError
from answerable.store.control.contract import Committed, Exchange

MOST = 64  # exchanges of one transaction


class Commits(Protocol):
    """The record, as far as it takes several exchanges at once."""

    def commit_all(
        self, exchanges: Sequence[Exchange], now: float
    ) -> tuple[Committed | AnswerableError, ...]:
        """Do each of them, or nothing of it."""


class Committing:
    """Gathers what is to be committed.

    Args:
        control: The record.
        loop: The process's loop.
    """

    def __init__(self, control: Commits, loop: asyncio.AbstractEventLoop) -> None:
        self._control, self._loop = control, loop
        self._waiting: list[tuple[Exchange, asyncio.Future[Committed]]] = []
        self._now = 0.0

    async def commit(self, exchange: Exchange, now: float) -> Committed:
        """Commit one with whatever else is there.

        Args:
            exchange: All of it, or nothing.
            now: NumericDate; of several, the latest counts.

        Raises:
            ControlUnavailable: Whether it was done is not known.
            IdTaken: Of what it opens.
        """
        if not self._waiting:
            self._loop.call_soon(self._flush)
        self._now = max(self._now, now) if self._waiting else now
        future: asyncio.Future[Committed] = self._loop.create_future()
        self._waiting.append((exchange, future))
        if len(self._waiting) >= MOST:
            self._flush()
        return await future

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        answers: Sequence[Committed | BaseException]
        try:
            exchanges = [exchange for exchange, _ in waiting]
            answers = self._control.commit_all(exchanges, self._now)
        except Exception as error:  # noqa: BLE001 - whoever waits is told, each of them
            answers = [error] * len(waiting)
        for (_, future), answer in zip(waiting, answers, strict=True):
            if future.done():
                continue
            if isinstance(answer, Committed):
                future.set_result(answer)
            else:
                future.set_exception(answer)
