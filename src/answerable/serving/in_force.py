"""Amendments in force in one process, each until it ends by the wall clock."""

import asyncio
import time
from collections.abc import Callable
from typing import Protocol

from answerable.enforce.amending import Amendments
from answerable.enforce.signed import standing, unended
from answerable.model.amendment import Amendment

TICK = 0.25  # seconds between two looks at the clock

Standing = tuple[Amendment, ...]


class Bound(Protocol):
    """Whatever decides in a process."""

    def set_amendments(self, amendments: Amendments) -> None:
        """Allow what these amendments allow."""


class InForce:
    """Keeps what stands in force in one process, each amendment until it ends.

    Args:
        bound: Decides in this process.
        loop: Its event loop.
        clock: Gives the time as a NumericDate.
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
        """Put these in force, and no others."""
        self._standing = unended(amendments, self._clock())
        self._bound.set_amendments(standing(self._standing))
        self._look_later()

    def close(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()

    def _look_later(self) -> None:
        """Look at the wall clock: what ends does so also after the machine slept."""
        self.close()
        if any(each.until for each in self._standing):
            self._timer = self._loop.call_later(TICK, self._look)

    def _look(self) -> None:
        if unended(self._standing, self._clock()) != self._standing:
            self.take(self._standing)
        else:
            self._look_later()
