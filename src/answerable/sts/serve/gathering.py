"""Exchanges that come together are served together, and committed in one transaction.

A transaction writes whole pages, and its neighbours the same ones: of a few exchanges
at once, each costs half. What one round of the loop has read is served in the next, so
nobody waits for more to come.
"""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from answerable.flows.attempts import Shown
from answerable.flows.exchange import Outcomes

# Exchanges at once: whoever is first waits for the last of them, and more than these
# share little.
MOST = 16


class Serves(Protocol):
    """The story, as far as it takes several requests at once."""

    def exchange_all(
        self, shown: Sequence[Shown], now: float
    ) -> Sequence[Outcomes | Exception]:
        """Serve each of them; give what would be raised for one, where it would."""


class Gathering:
    """Gathers what is to be exchanged.

    Args:
        serves: Whoever tells the story.
        loop: The process's loop.
    """

    def __init__(self, serves: Serves, loop: asyncio.AbstractEventLoop) -> None:
        self._serves, self._loop = serves, loop
        self._waiting: list[tuple[Shown, asyncio.Future[Outcomes]]] = []
        self._now = 0.0

    async def exchange(self, shown: Shown, now: float) -> Outcomes:
        """Serve one with whatever else is there.

        Args:
            shown: What came.
            now: NumericDate; of several, the latest counts.

        Raises:
            KeyUnknown: As the story says.
            ReviewNeeded: Likewise.
        """
        if not self._waiting:
            self._loop.call_soon(self._flush)
        self._now = max(self._now, now) if self._waiting else now
        future: asyncio.Future[Outcomes] = self._loop.create_future()
        self._waiting.append((shown, future))
        if len(self._waiting) >= MOST:
            self._flush()
        return await future

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        told: Sequence[Outcomes | Exception]
        try:
            told = self._serves.exchange_all([shown for shown, _ in waiting], self._now)
        except Exception as error:  # noqa: BLE001 - whoever waits is told, each of them
            told = [error] * len(waiting)
        for (_, future), each in zip(waiting, told, strict=True):
            if future.done():
                continue
            if isinstance(each, Exception):
                future.set_exception(each)
            else:
                future.set_result(each)
