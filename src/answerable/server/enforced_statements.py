"""Apply signed statements at the decision point of one process.

A policy exception ends by the clock of this process, even if its reader is late.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Protocol

from answerable.authorization.exception_validity import drop_expired, index_exceptions
from answerable.authorization.policy_exceptions import ExceptionIndex
from answerable.model.policy_exception import PolicyException
from answerable.services.statements.policy_exceptions import PolicyExceptionReader
from answerable.services.statements.statements_in_force import StatementsInForce

CHECK_INTERVAL = 0.25  # seconds between two checks of the clock


class PolicyExceptionTarget(Protocol):
    """Decision point that applies policy exceptions."""

    def set_policy_exceptions(self, policy_exceptions: ExceptionIndex) -> None:
        """Apply these policy exceptions."""


class StatementTarget(Protocol):
    """Part of a process that applies signed statements of other kinds."""

    def apply_statements(self, statements: StatementsInForce) -> None:
        """Apply the signed statements that are in force now."""


class EnforcedStatements:
    """Signed statements of one process, each policy exception until its end.

    Args:
        authority: Decision point of this process.
        baselines: Judges calls by signed baselines.
        loop: Event loop of the process.
        clock: Returns the time as a NumericDate.
    """

    def __init__(
        self,
        authority: PolicyExceptionTarget,
        baselines: StatementTarget,
        loop: asyncio.AbstractEventLoop,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._authority, self._baselines = authority, baselines
        self._loop, self._clock = loop, clock
        self._statements = StatementsInForce()
        self._exceptions: tuple[PolicyException, ...] = ()
        self._timer: asyncio.TimerHandle | None = None

    def apply(self, statements: StatementsInForce) -> None:
        """Decide by these statements from the next call on."""
        self._statements = statements
        self._baselines.apply_statements(statements)
        self._apply_exceptions()

    def close(self) -> None:
        """Stop checking which signed statements are in force."""
        if self._timer is not None:
            self._timer.cancel()

    def _list_exceptions(self) -> tuple[PolicyException, ...]:
        """List the policy exceptions that have not expired."""
        return drop_expired(self._statements.get(PolicyExceptionReader), self._clock())

    def _apply_exceptions(self) -> None:
        """Apply the policy exceptions, and schedule a check of the wall clock.

        The wall clock is right even after a suspend.
        """
        self._exceptions = self._list_exceptions()
        self._authority.set_policy_exceptions(index_exceptions(self._exceptions))
        self._schedule_check()

    def _schedule_check(self) -> None:
        """Schedule a check if an exception will expire."""
        self.close()
        if any(each.until for each in self._exceptions):
            self._timer = self._loop.call_later(CHECK_INTERVAL, self._check_expiry)

    def _check_expiry(self) -> None:
        """Drop expired policy exceptions, and schedule the next check."""
        if self._list_exceptions() != self._exceptions:
            self._apply_exceptions()
        else:
            self._schedule_check()
