"""Queue calls fairly by caller: large calls, and callers with many open calls.

Most calls never wait here. A call that may take long is started in an iteration of the
event loop of its own, callers in turn. A caller whose calls take long gets a small
share of the worker's time while others call, beyond a saved burst; alone, it gets half.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

LARGE_BODY = 32 * 1024  # bytes of a body; a smaller one takes less than a millisecond
UNQUEUED_CALLS = 8  # calls of a caller under way, up to which small ones do not wait
MIN_CHARGE = 0.001  # seconds of a call that are charged
SECONDS_PER_BYTE = (
    1e-8  # seconds of a machine for receiving and sending on, charged too
)
BUSY_SHARE = 0.005  # of a worker's time, while others call
MAX_CREDIT = 0.25  # seconds that a caller may save up
LARGE_CALL_PAUSE = (
    4  # times as long as a large call took, until the next; alone, once as long
)
_BUSY_SECONDS = 1.0  # seconds for which another caller's call counts
_RETRY_DELAY = 0.05  # seconds until the budget of a caller in debt is checked again
_MAX_BUDGETS = 1024  # budgets, before those that are full again are dropped


@dataclass(frozen=True, slots=True, eq=False)
class QueuedCall:
    """Call that waits for its caller's turn.

    Attributes:
        caller: Principal of the caller.
        size: Bytes of its body.
        run: Parses and decides the call.
    """

    caller: str
    size: int
    run: Callable[[], None]


class FairQueue:
    """Calls that wait to be parsed and decided.

    Attributes:
        deferred: Number of calls that had to wait, since the start.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.deferred = 0
        self._waiting: dict[str, deque[QueuedCall]] = {}
        self._debts: dict[str, _CallerBudget] = {}
        # The caller of the last call, its time, and that of the last call of another.
        self._last, self._last_at, self._other_at = "", float("-inf"), float("-inf")
        self._free_at = 0.0  # when the next large call may begin
        self._handed_off: QueuedCall | None = None  # it is parsed in another process
        self._is_due = False
        self._is_retry_due = False  # later, for callers that may not call now

    def __len__(self) -> int:
        """Return the number of waiting calls."""
        return sum(map(len, self._waiting.values()))

    def must_wait(self, caller: str, size: int, open_calls: int) -> bool:
        """Return whether a call has to wait for its turn, and note its caller's activity.

        Args:
            caller: Principal of the caller.
            size: Bytes of its body.
            open_calls: Number of open calls of that caller.
        """
        now = self._loop.time()
        if caller != self._last:
            self._last, self._other_at = caller, self._last_at
        self._last_at = now
        return (
            size > LARGE_BODY or open_calls >= UNQUEUED_CALLS or caller in self._waiting
        )

    def add(self, call: QueuedCall) -> None:
        """Queue a call until it is its caller's turn."""
        self.deferred += 1
        self._waiting.setdefault(call.caller, deque()).append(call)
        self._schedule_next()

    def remove(self, call: QueuedCall) -> None:
        """Drop a call whose client is gone, with its body; receiving it is charged."""
        calls = self._waiting.get(call.caller)
        if calls is not None and call in calls:
            calls.remove(call)
            if not calls:
                del self._waiting[call.caller]
            self._charge_caller(call.caller, call.size * SECONDS_PER_BYTE)

    def _schedule_next(self) -> None:
        """Schedule the next queued call, unless one is scheduled."""
        if not self._is_due:
            self._is_due = True
            self._loop.call_soon(self._run_next_call)

    def _retry_waiting_callers(self) -> None:
        """Check the budgets of waiting callers again."""
        self._is_retry_due = False
        self._schedule_next()

    def _run_next_call(self) -> None:
        """Start one call of the first caller without debt."""
        self._is_due = False
        now = self._loop.time()
        caller = next(
            (each for each in self._waiting if self._may_run(each, now)), None
        )
        if caller is None:
            if self._waiting and not self._is_retry_due:
                self._is_retry_due = True
                pause = self._free_at - now
                self._loop.call_later(
                    pause if 0 < pause < _RETRY_DELAY else _RETRY_DELAY,
                    self._retry_waiting_callers,
                )
            return
        calls = self._waiting.pop(caller)
        call = calls.popleft()
        if calls:
            self._waiting[caller] = calls  # behind the others
        began = time.perf_counter()
        try:
            call.run()
        finally:
            if call is not self._handed_off:
                self._charge_call(call, time.perf_counter() - began, 0.0)
            if self._waiting:
                self._schedule_next()

    def hand_off(self, call: QueuedCall) -> None:
        """Note that a started call continues in another process.

        No large call begins before it is settled.
        """
        self._handed_off = call

    def settle(self, call: QueuedCall, seconds: float, elsewhere: float) -> None:
        """Charge a call that was handed off, and let the next large one begin.

        Args:
            call: The call.
            seconds: Time that it took of the event loop.
            elsewhere: Processor time that it took of another process.
        """
        self._handed_off = None
        self._charge_call(call, seconds, elsewhere)

    def _charge_call(self, call: QueuedCall, seconds: float, elsewhere: float) -> None:
        """Charge a call to its caller, and pause after a large one."""
        now = self._loop.time()
        if call.size > LARGE_BODY:
            is_alone = self._is_only_caller(call.caller, now)
            self._free_at = now + seconds * (1 if is_alone else LARGE_CALL_PAUSE)
        self._charge_caller(
            call.caller, seconds + elsewhere + call.size * SECONDS_PER_BYTE
        )

    def _may_run(self, caller: str, now: float) -> bool:
        """Return whether a caller has no debt, and its next call may begin now.

        A call of another caller takes several iterations of the loop, and would wait
        for a large one in each.
        """
        is_large = self._waiting[caller][0].size > LARGE_BODY
        may_begin = self._handed_off is None and now >= self._free_at
        return self._has_no_debt(caller, now) and (not is_large or may_begin)

    def _is_only_caller(self, caller: str, now: float) -> bool:
        """Return whether no other caller has called in the last second.

        The caller itself may have sent nothing meanwhile: its calls wait here.
        """
        others_at = self._other_at if caller == self._last else self._last_at
        return now - others_at >= _BUSY_SECONDS

    def _has_no_debt(self, caller: str, now: float) -> bool:
        """Return whether a caller has used no more than its share of time."""
        debt = self._debts.get(caller)
        if debt is None:
            return True
        debt.replenish(now, is_only_caller=self._is_only_caller(caller, now))
        if debt.saved >= MAX_CREDIT:
            del self._debts[caller]
        return debt.saved >= 0

    def _charge_caller(self, caller: str, seconds: float) -> None:
        """Subtract processing time from a caller's budget."""
        if seconds < MIN_CHARGE:
            return
        now = self._loop.time()
        debt = self._debts.get(caller)
        if debt is None:
            if len(self._debts) >= _MAX_BUDGETS:
                for each in [*self._debts]:
                    self._has_no_debt(each, now)
            debt = self._debts[caller] = _CallerBudget(now)
        debt.saved -= seconds


class _CallerBudget:
    """Seconds of work that a caller has saved up; negative for a debt."""

    __slots__ = ("_at", "saved")

    def __init__(self, now: float) -> None:
        self._at, self.saved = now, MAX_CREDIT

    def replenish(self, now: float, *, is_only_caller: bool) -> None:
        """Add the share of the elapsed time; a caller alone has no debt."""
        since, self._at = now - self._at, now
        if is_only_caller:
            self.saved = min(MAX_CREDIT, max(self.saved, 0.0) + since)
        else:
            self.saved = min(MAX_CREDIT, self.saved + since * BUSY_SHARE)
