"""Check the deadlines of all connections of a process, twice a second.

A timer per request would cost more than its precision is worth: a deadline may be late
by half a second.
"""

import asyncio
from typing import Protocol

CHECK_INTERVAL = 0.5  # seconds
NEVER = float("inf")


class HasDeadline(Protocol):
    """Object with a deadline."""

    deadline: float

    def on_deadline(self) -> None:
        """Handle the passed deadline of this object."""


class DeadlineTimer:
    """Timer that calls objects whose deadline has passed.

    Args:
        loop: Event loop whose clock the deadlines use.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._timed: set[HasDeadline] = set()
        self._handle: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        """Return the number of watched objects, such as open connections."""
        return len(self._timed)

    def add(self, connection: HasDeadline) -> None:
        """Watch the deadline of an object from now on."""
        self._timed.add(connection)
        if self._handle is None:
            self._handle = self._loop.call_later(CHECK_INTERVAL, self._check_deadlines)

    def discard(self, connection: HasDeadline) -> None:
        """Stop watching an object."""
        self._timed.discard(connection)

    def _check_deadlines(self) -> None:
        """Call each object whose deadline has passed; schedule the next check."""
        now = self._loop.time()
        for timed in [each for each in self._timed if each.deadline <= now]:
            timed.on_deadline()
        self._handle = None
        if self._timed:
            self._handle = self._loop.call_later(CHECK_INTERVAL, self._check_deadlines)
