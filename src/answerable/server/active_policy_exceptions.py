"""Policy exceptions in force in one process, each until its end by the wall clock."""

import asyncio
import time
from collections.abc import Callable
from typing import Protocol

from answerable.authorization.exception_validity import standing, unended
from answerable.authorization.policy_exceptions import Amendments
from answerable.model.policy_exception import Amendment

TICK = 0.25  # seconds between two checks of the clock

Standing = tuple[Amendment, ...]


class Bound(Protocol):
    """Decision point that applies policy exceptions."""

    def set_amendments(self, amendments: Amendments) -> None:
        """Apply these policy exceptions."""


class InForce:
    """Policy exceptions of one process, each in force until its end.

    Args:
        bound: Decision point of this process.
        loop: Event loop of the process.
        clock: Returns the time as a NumericDate.
    """

    def __init__(
        self,
        bound: Bound,
        loop: asyncio.AbstractEventLoop,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._bound, self._loop, self._clock = bound, loop, clock
        self._standing: Standing = ()
        self._timer: asyncio.TimerHandle | None = None

    def take(self, amendments: Standing) -> None:
        """Replace the policy exceptions in force."""
        self._standing = unended(amendments, self._clock())
        self._bound.set_amendments(standing(self._standing))
        self._look_later()

    def close(self) -> None:
        """Stop checking."""
        if self._timer is not None:
            self._timer.cancel()

    def _look_later(self) -> None:
        """Schedule a check of the wall clock, which is right also after a suspend."""
        self.close()
        if any(each.until for each in self._standing):
            self._timer = self._loop.call_later(TICK, self._look)

    def _look(self) -> None:
        if unended(self._standing, self._clock()) != self._standing:
            self.take(self._standing)
        else:
            self._look_later()
