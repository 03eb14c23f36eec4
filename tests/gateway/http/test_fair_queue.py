"""Which call is begun next, where callers have calls waiting."""

import asyncio
import heapq
import time
from collections.abc import Callable
from itertools import count
from typing import Any, cast

import pytest

from answerable.gateway.http import fair_queue
from answerable.gateway.http.fair_queue import (
    BUSY_SHARE,
    LARGE_BODY,
    LARGE_CALL_PAUSE,
    MAX_CREDIT,
    SECONDS_PER_BYTE,
    UNQUEUED_CALLS,
    FairQueue,
    QueuedCall,
)

Play = Callable[[FairQueue, list[str]], None]


def played(play: Play, seconds: float = 0.05, enough: int = 0) -> list[str]:
    """Run a queue for a while, or until it began enough; give what it began."""
    begun: list[str] = []

    async def run() -> None:
        play(FairQueue(asyncio.get_running_loop()), begun)
        step = min(seconds, 0.05)
        for _ in range(round(seconds / step)):
            await asyncio.sleep(step)
            if 0 < enough <= len(begun):
                break

    asyncio.run(run())
    return begun


def test_a_small_call_of_a_caller_with_few_waits_for_nothing() -> None:
    def play(queue: FairQueue, _: list[str]) -> None:
        assert not queue.must_wait("ana", LARGE_BODY, UNQUEUED_CALLS - 1)
        assert queue.must_wait("ana", LARGE_BODY + 1, 0)
        assert queue.must_wait("ana", 1, UNQUEUED_CALLS)

    played(play)


def test_callers_take_turns_however_many_calls_each_has() -> None:
    def play(queue: FairQueue, begun: list[str]) -> None:
        for _ in range(3):
            queue.add(QueuedCall("ana", 1, lambda: begun.append("ana")))
        queue.add(QueuedCall("ben", 1, lambda: begun.append("ben")))

    assert played(play) == ["ana", "ben", "ana", "ana"]


def test_a_caller_keeps_the_order_of_its_calls() -> None:
    def play(queue: FairQueue, begun: list[str]) -> None:
        queue.add(QueuedCall("ana", 1, lambda: begun.append("first")))
        assert queue.must_wait("ana", 1, 0)  # a small one stays behind it
        queue.add(QueuedCall("ana", 1, lambda: begun.append("second")))

    assert played(play) == ["first", "second"]


def test_a_caller_whose_calls_take_long_waits_while_others_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fair_queue, "LARGE_CALL_PAUSE", 0)

    def play(queue: FairQueue, begun: list[str]) -> None:
        def long() -> None:
            begun.append("ana")
            time.sleep(MAX_CREDIT / 2)

        queue.must_wait("ana", LARGE_BODY + 1, 0)
        queue.must_wait("ben", 1, 0)
        for _ in range(6):
            queue.add(QueuedCall("ana", LARGE_BODY + 1, long))

    assert 2 <= len(played(play, 2 * MAX_CREDIT)) <= 4


@pytest.mark.parametrize(("others", "times"), [(True, LARGE_CALL_PAUSE), (False, 1)])
def test_a_pause_follows_a_large_call(others: bool, times: int) -> None:
    took, at = 0.02, list[float]()

    def play(queue: FairQueue, begun: list[str]) -> None:
        def large() -> None:
            at.append(time.perf_counter())
            time.sleep(took)

        queue.must_wait("ana", LARGE_BODY + 1, 0)
        queue._other_at = time.monotonic() if others else float("-inf")
        queue.add(QueuedCall("ana", LARGE_BODY + 1, large))
        queue.add(QueuedCall("ben", LARGE_BODY + 1, large))
        queue.add(QueuedCall("cat", 1, lambda: begun.append("cat")))

    assert played(play, 1.0) == ["cat"]
    assert at[1] - at[0] >= took + times * took


def test_a_caller_alone_is_served_on() -> None:
    def play(queue: FairQueue, begun: list[str]) -> None:
        def long() -> None:
            begun.append("ana")
            time.sleep(MAX_CREDIT / 2)

        queue._other_at = float("-inf")
        for _ in range(6):
            queue.add(QueuedCall("ana", LARGE_BODY + 1, long))

    # A machine that is busy serves it later; half of the time would be 6 of 8 credits.
    assert len(played(play, 120 * MAX_CREDIT, 6)) == 6


def test_a_call_that_was_removed_is_not_begun_and_keeps_no_place() -> None:
    def play(queue: FairQueue, begun: list[str]) -> None:
        calls = [
            QueuedCall(who, 1, lambda who=who: begun.append(who))
            for who in ("ana", "ben", "ana")
        ]
        for each in calls:
            queue.add(each)
        queue.remove(calls[0])
        queue.remove(calls[1])
        queue.remove(calls[1])  # a second time: nothing
        assert len(queue) == 1
        assert queue.must_wait("ana", 1, 0)
        assert not queue.must_wait("ben", 1, 0)

    assert played(play) == ["ana"]


def test_a_large_call_that_was_removed_is_charged_to_its_caller() -> None:
    def play(queue: FairQueue, begun: list[str]) -> None:
        queue._other_at = time.monotonic()
        queue._last = "ana"
        size = int(2 * MAX_CREDIT / SECONDS_PER_BYTE)
        call = QueuedCall("ana", size, lambda: begun.append("large"))
        queue.add(call)
        queue.remove(call)
        queue.add(QueuedCall("ana", 1, lambda: begun.append("next")))

    assert played(play) == []


def test_a_call_does_not_wait_for_the_retry_of_a_caller_in_debt() -> None:
    begun: list[float] = []

    async def run() -> None:
        loop = asyncio.get_running_loop()
        queue = FairQueue(loop)
        queue.must_wait("ben", 1, 0)
        queue._charge_caller("ana", 2 * MAX_CREDIT)
        queue.add(QueuedCall("ana", LARGE_BODY + 1, lambda: begun.append(-1.0)))
        await asyncio.sleep(fair_queue._RETRY_DELAY / 5)  # the retry is scheduled
        for _ in range(3):
            at = loop.time()
            queue.add(
                QueuedCall("ben", 1, lambda at=at: begun.append(loop.time() - at))
            )
            await asyncio.sleep(fair_queue._RETRY_DELAY / 5)

    asyncio.run(run())
    assert len(begun) == 3
    assert max(begun) < fair_queue._RETRY_DELAY / 5


def test_what_fails_leaves_the_others_their_turns() -> None:
    def play(queue: FairQueue, begun: list[str]) -> None:
        def fail() -> None:
            raise ValueError

        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        queue.add(QueuedCall("ana", 1, fail))
        queue.add(QueuedCall("ben", 1, lambda: begun.append("ben")))
        assert len(queue) == 2

    assert played(play) == ["ben"]


def test_debts_that_are_paid_are_forgotten() -> None:
    def play(queue: FairQueue, begun: list[str]) -> None:
        for number in range(fair_queue._MAX_BUDGETS + 10):
            queue._charge_caller(f"caller-{number}", 0.001)
        begun.append(str(len(queue._debts)))

    (kept,) = played(play)
    assert int(kept) <= fair_queue._MAX_BUDGETS + 10


class VirtualLoop:
    """An event loop whose clock moves by what is scheduled and by the work itself."""

    def __init__(self) -> None:
        self.now = 0.0
        self._due: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._order = count()

    def time(self) -> float:
        return self.now

    def call_later(self, delay: float, run: Callable[..., None], *given: Any) -> None:
        due = self.now + delay
        heapq.heappush(self._due, (due, next(self._order), run, given))

    def call_soon(self, run: Callable[..., None], *given: Any) -> None:
        self.call_later(0.0, run, *given)

    def run(self, seconds: float) -> None:
        while self._due and self._due[0][0] <= seconds:
            at, _, run, given = heapq.heappop(self._due)
            self.now = max(self.now, at)
            run(*given)


def test_a_caller_that_waits_is_not_alone_while_another_calls(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loop, size, took, seconds = VirtualLoop(), 3_800_000, 0.02, 60.0
    monkeypatch.setattr(fair_queue.time, "perf_counter", loop.time)
    queue = FairQueue(cast(asyncio.AbstractEventLoop, loop))
    begun = []

    def send_large() -> None:
        assert queue.must_wait("ana", size, 0)
        queue.add(QueuedCall("ana", size, handle_large))

    def handle_large() -> None:
        begun.append(loop.now)
        loop.now += took
        loop.call_later(0.01, send_large)  # again, with its answer

    def send_small() -> None:
        assert not queue.must_wait("ben", 100, 0)
        loop.call_later(0.005, send_small)

    for _ in range(8):
        loop.call_soon(send_large)
    loop.call_soon(send_small)
    loop.run(seconds)
    charged = took + size * SECONDS_PER_BYTE
    assert 1 < len(begun) <= (MAX_CREDIT + seconds * BUSY_SHARE) / charged + 1
