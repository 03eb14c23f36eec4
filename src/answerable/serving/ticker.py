"""One timer for a whole process: whoever has deadlines is asked twice a second.

A timer for each request would cost more than the request's own deadline is worth; what
is late is late by half a second more.
"""

import asyncio
from typing import Protocol

EVERY = 0.5  # seconds
NEVER = float("inf")


class Timed(Protocol):
    """Something with a deadline."""

    deadline: float

    def late(self) -> None:
        """Its deadline has passed."""


class Ticker:
    """Tells whatever is late so.

    Args:
        loop: The loop whose time deadlines are in.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._timed: set[Timed] = set()
        self._handle: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        """How many are watched: connections that are open, on either side."""
        return len(self._timed)

    def add(self, timed: Timed) -> None:
        """Watch something from now on."""
        self._timed.add(timed)
        if self._handle is None:
            self._handle = self._loop.call_later(EVERY, self._tick)

    def discard(self, timed: Timed) -> None:
        """Watch it no more."""
        self._timed.discard(timed)

    def _tick(self) -> None:
        now = self._loop.time()
        for timed in [each for each in self._timed if each.deadline <= now]:
            timed.late()
        self._handle = None
        if self._timed:
            self._handle = self._loop.call_later(EVERY, self._tick)
