"""Which call is begun next, where callers have calls waiting."""

import asyncio
import heapq
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


@pytest.fixture
def loop(monkeypatch: pytest.MonkeyPatch) -> VirtualLoop:
    """A loop whose time is all the time there is: a busy machine changes nothing."""
    made = VirtualLoop()
    monkeypatch.setattr(fair_queue.time, "perf_counter", made.time)
    return made


@pytest.fixture
def queue(loop: VirtualLoop) -> FairQueue:
    return FairQueue(cast(asyncio.AbstractEventLoop, loop))


def call(
    caller: str, size: int, begun: list[str], loop: VirtualLoop, seconds: float = 0.0
) -> QueuedCall:
    """A call that notes its caller when it begins, and takes some seconds."""

    def run() -> None:
        begun.append(caller)
        loop.now += seconds

    return QueuedCall(caller, size, run)


def test_a_small_call_of_a_caller_with_few_waits_for_nothing(queue: FairQueue) -> None:
    assert not queue.must_wait("ana", LARGE_BODY, UNQUEUED_CALLS - 1)
    assert queue.must_wait("ana", LARGE_BODY + 1, 0)
    assert queue.must_wait("ana", 1, UNQUEUED_CALLS)


def test_callers_take_turns_however_many_calls_each_has(
    loop: VirtualLoop, queue: FairQueue
) -> None:
    begun: list[str] = []
    for _ in range(3):
        queue.add(call("ana", 1, begun, loop))
    queue.add(call("ben", 1, begun, loop))
    loop.run(0.05)
    assert begun == ["ana", "ben", "ana", "ana"]


def test_a_caller_keeps_the_order_of_its_calls(
    loop: VirtualLoop, queue: FairQueue
) -> None:
    begun: list[str] = []
    queue.add(QueuedCall("ana", 1, lambda: begun.append("first")))
    assert queue.must_wait("ana", 1, 0)  # a small one stays behind it
    queue.add(QueuedCall("ana", 1, lambda: begun.append("second")))
    loop.run(0.05)
    assert begun == ["first", "second"]


def test_a_caller_whose_calls_take_long_waits_while_others_call(
    loop: VirtualLoop, queue: FairQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fair_queue, "LARGE_CALL_PAUSE", 0)
    begun: list[str] = []
    queue.must_wait("ana", LARGE_BODY + 1, 0)
    queue.must_wait("ben", 1, 0)
    for _ in range(6):
        queue.add(call("ana", LARGE_BODY + 1, begun, loop, MAX_CREDIT / 2))
    loop.run(2 * MAX_CREDIT)
    assert 2 <= len(begun) <= 3


@pytest.mark.parametrize(("others", "times"), [(True, LARGE_CALL_PAUSE), (False, 1)])
def test_a_pause_follows_a_large_call(
    loop: VirtualLoop, queue: FairQueue, others: bool, times: int
) -> None:
    took, at, begun = 0.02, list[float](), list[str]()

    def large() -> None:
        at.append(loop.now)
        loop.now += took

    queue.must_wait("ana", LARGE_BODY + 1, 0)
    queue._other_at = loop.now if others else float("-inf")
    queue.add(QueuedCall("ana", LARGE_BODY + 1, large))
    queue.add(QueuedCall("ben", LARGE_BODY + 1, large))
    queue.add(call("cat", 1, begun, loop))
    loop.run(1.0)
    assert begun == ["cat"]
    assert at[1] - at[0] == pytest.approx(took + times * took)


def test_a_caller_alone_is_served_on(loop: VirtualLoop, queue: FairQueue) -> None:
    begun: list[str] = []
    queue._other_at = float("-inf")
    for _ in range(6):
        queue.add(call("ana", LARGE_BODY + 1, begun, loop, MAX_CREDIT / 2))
    loop.run(8 * MAX_CREDIT)  # half of the time
    assert begun == ["ana"] * 6


def test_a_call_that_was_removed_is_not_begun_and_keeps_no_place(
    loop: VirtualLoop, queue: FairQueue
) -> None:
    begun: list[str] = []
    calls = [call(who, 1, begun, loop) for who in ("ana", "ben", "ana")]
    for each in calls:
        queue.add(each)
    queue.remove(calls[0])
    queue.remove(calls[1])
    queue.remove(calls[1])  # a second time: nothing
    assert len(queue) == 1
    assert queue.must_wait("ana", 1, 0)
    assert not queue.must_wait("ben", 1, 0)
    loop.run(0.05)
    assert begun == ["ana"]


def test_a_large_call_that_was_removed_is_charged_to_its_caller(
    loop: VirtualLoop, queue: FairQueue
) -> None:
    begun: list[str] = []
    queue._other_at = loop.now
    queue._last = "ana"
    removed = call("ana", int(2 * MAX_CREDIT / SECONDS_PER_BYTE), begun, loop)
    queue.add(removed)
    queue.remove(removed)
    queue.add(call("ana", 1, begun, loop))
    loop.run(0.05)
    assert begun == []


def test_a_call_does_not_wait_for_the_retry_of_a_caller_in_debt(
    loop: VirtualLoop, queue: FairQueue
) -> None:
    begun: list[str] = []
    queue.must_wait("ben", 1, 0)
    queue._charge_caller("ana", 2 * MAX_CREDIT)
    queue.add(call("ana", LARGE_BODY + 1, begun, loop))
    loop.run(fair_queue._RETRY_DELAY / 5)  # the retry is scheduled
    for _ in range(3):
        queue.add(call("ben", 1, begun, loop))
        loop.run(loop.now)
    assert loop.now < fair_queue._RETRY_DELAY
    assert begun == ["ben"] * 3


def test_what_fails_leaves_the_others_their_turns(
    loop: VirtualLoop, queue: FairQueue
) -> None:
    begun: list[str] = []

    def fail() -> None:
        raise ZeroDivisionError

    queue.add(QueuedCall("ana", 1, fail))
    queue.add(call("ben", 1, begun, loop))
    assert len(queue) == 2
    with pytest.raises(ZeroDivisionError):  # an event loop would log it, and go on
        loop.run(0.05)
    loop.run(0.05)
    assert begun == ["ben"]


def test_debts_that_are_paid_are_forgotten(loop: VirtualLoop, queue: FairQueue) -> None:
    for number in range(fair_queue._MAX_BUDGETS + 10):
        queue._charge_caller(f"caller-{number}", 0.001)
        loop.now += 1.0
    assert len(queue._debts) <= fair_queue._MAX_BUDGETS


def test_a_caller_that_waits_is_not_alone_while_another_calls(
    loop: VirtualLoop, queue: FairQueue
) -> None:
    size, took, seconds = 3_800_000, 0.02, 60.0
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
