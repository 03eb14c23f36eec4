"""Fair queue of calls by caller, for large calls and for callers with many open calls.

Most calls never wait here. A call that may take long is started in an iteration of the
event loop of its own, callers in turn. A caller whose calls take long gets a small
share of the worker's time while others call, beyond a saved burst; alone, it gets half.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable

LARGE = 32 * 1024  # bytes of a body; a smaller one takes less than a millisecond
FEW = 8  # calls of a caller under way, up to which small ones do not wait
LONG = 0.001  # seconds of a call that are charged
PER_BYTE = 1e-8  # seconds of a machine for receiving and sending on, charged too
SHARE = 0.005  # of a worker's time, while others call
BURST = 0.25  # seconds that a caller may save up
PAUSE = 4  # times as long as a large call took, until the next; alone, once as long
_OTHERS = 1.0  # seconds for which another caller's call counts
_LOOK = 0.05  # seconds until the budget of a caller in debt is checked again
_MANY = 1024  # budgets, before those that are full again are dropped


class FairQueue:
    """Calls that wait to be parsed and decided.

    Attributes:
        deferred: Number of calls that had to wait, since the start.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.deferred = 0
        self._waiting: dict[str, deque[tuple[int, Callable[[], None]]]] = {}
        self._debts: dict[str, _Debt] = {}
        self._last, self._other_at = "", float("-inf")
        self._free_at = 0.0  # when the next large call may begin
        self._is_due = False

    def __len__(self) -> int:
        """Return the number of waiting calls."""
        return sum(map(len, self._waiting.values()))

    def defers(self, caller: str, size: int, under_way: int) -> bool:
        """Tell whether a call has to wait for its turn, and note its caller's activity.

        Args:
            caller: Principal of the caller.
            size: Bytes of its body.
            under_way: Number of open calls of that caller.
        """
        if caller != self._last:
            self._last, self._other_at = caller, self._loop.time()
        return size > LARGE or under_way >= FEW or caller in self._waiting

    def add(self, caller: str, size: int, work: Callable[[], None]) -> None:
        """Queue a call until it is its caller's turn.

        Args:
            caller: Principal of the caller.
            size: Bytes of its body.
            work: Parses and decides the call.
        """
        self.deferred += 1
        self._waiting.setdefault(caller, deque()).append((size, work))
        self._wake()

    def _wake(self) -> None:
        if not self._is_due:
            self._is_due = True
            self._loop.call_soon(self._step)

    def _step(self) -> None:
        """Start one call of the first caller without debt."""
        self._is_due = False
        now = self._loop.time()
        caller = next((each for each in self._waiting if self._may(each, now)), None)
        if caller is None:
            if self._waiting:
                self._is_due = True
                pause = self._free_at - now
                self._loop.call_later(pause if 0 < pause < _LOOK else _LOOK, self._step)
            return
        works = self._waiting.pop(caller)
        size, work = works.popleft()
        if works:
            self._waiting[caller] = works  # behind the others
        began = time.perf_counter()
        try:
            work()
        finally:
            seconds = time.perf_counter() - began
            if size > LARGE:
                pause = seconds if self._is_alone(now) else PAUSE * seconds
                self._free_at = self._loop.time() + pause
            self._charge(caller, seconds + size * PER_BYTE)
            if self._waiting:
                self._wake()

    def _may(self, caller: str, now: float) -> bool:
        """Tell whether a caller has no debt, and its next call may begin now.

        A call of another caller takes several iterations of the loop, and would wait
        for a large one in each.
        """
        is_large = self._waiting[caller][0][0] > LARGE
        return self._owes_nothing(caller, now) and (
            not is_large or now >= self._free_at
        )

    def _is_alone(self, now: float) -> bool:
        return now - self._other_at >= _OTHERS

    def _owes_nothing(self, caller: str, now: float) -> bool:
        debt = self._debts.get(caller)
        if debt is None:
            return True
        debt.pay(now, alone=self._is_alone(now))
        if debt.saved >= BURST:
            del self._debts[caller]
        return debt.saved >= 0

    def _charge(self, caller: str, seconds: float) -> None:
        if seconds < LONG:
            return
        now = self._loop.time()
        debt = self._debts.get(caller)
        if debt is None:
            if len(self._debts) >= _MANY:
                for each in [*self._debts]:
                    self._owes_nothing(each, now)
            debt = self._debts[caller] = _Debt(now)
        debt.saved -= seconds


class _Debt:
    """Seconds of work that a caller has saved up; negative for a debt."""

    __slots__ = ("_at", "saved")

    def __init__(self, now: float) -> None:
        self._at, self.saved = now, BURST

    def pay(self, now: float, *, alone: bool) -> None:
        """Add the share of the elapsed time; a caller alone has no debt."""
        since, self._at = now - self._at, now
        if alone:
            self.saved = min(BURST, max(self.saved, 0.0) + since)
        else:
            self.saved = min(BURST, self.saved + since * SHARE)
