"""Keep the policy exceptions in force in one process, and drop each at its end."""

import asyncio
import time
from collections.abc import Callable
from typing import Protocol

from answerable.authorization.exception_validity import drop_expired, index_exceptions
from answerable.authorization.policy_exceptions import ExceptionIndex
from answerable.model.policy_exception import PolicyException

CHECK_INTERVAL = 0.25  # seconds between two checks of the clock

PolicyExceptions = tuple[PolicyException, ...]


class PolicyExceptionTarget(Protocol):
    """Decision point that applies policy exceptions."""

    def set_policy_exceptions(self, policy_exceptions: ExceptionIndex) -> None:
        """Apply these policy exceptions."""


class ActivePolicyExceptions:
    """Policy exceptions of one process, each in force until its end.

    Args:
        bound: Decision point of this process.
        loop: Event loop of the process.
        clock: Returns the time as a NumericDate.
    """

    def __init__(
        self,
        bound: PolicyExceptionTarget,
        loop: asyncio.AbstractEventLoop,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._bound, self._loop, self._clock = bound, loop, clock
        self._standing: PolicyExceptions = ()
        self._timer: asyncio.TimerHandle | None = None

    def replace_all(self, policy_exceptions: PolicyExceptions) -> None:
        """Replace the policy exceptions in force."""
        self._standing = drop_expired(policy_exceptions, self._clock())
        self._bound.set_policy_exceptions(index_exceptions(self._standing))
        self._schedule_check()

    def close(self) -> None:
        """Stop checking."""
        if self._timer is not None:
            self._timer.cancel()

    def _schedule_check(self) -> None:
        """Schedule a check of the wall clock, which is right even after a suspend."""
        self.close()
        if any(each.until for each in self._standing):
            self._timer = self._loop.call_later(CHECK_INTERVAL, self._check_expiry)

    def _check_expiry(self) -> None:
        """Drop expired policy exceptions, and schedule the next check."""
        if drop_expired(self._standing, self._clock()) != self._standing:
            self.replace_all(self._standing)
        else:
            self._schedule_check()
