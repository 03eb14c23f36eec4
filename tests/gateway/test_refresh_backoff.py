"""What is refused again and again is got anew less and less often."""

from hypothesis import given, settings
from hypothesis import strategies as st

from answerable.gateway.upstream_credentials.refresh_backoff import (
    MAX_PAUSE,
    MAX_TRACKED,
    MIN_PAUSE,
    RefreshBackoff,
)


class Slow:
    """The rule as it is told: the whole past is looked at each time."""

    def __init__(self) -> None:
        self.taken: list[tuple[float, float]] = []  # when, and the pause after it

    def may(self, now: float) -> bool:
        if self.taken and now < sum(self.taken[-1]):
            return False
        pause = MIN_PAUSE
        if self.taken and now < sum(self.taken[-1]) + MAX_PAUSE:
            pause = min(self.taken[-1][1] * 2, MAX_PAUSE)
        self.taken.append((now, pause))
        return True


@settings(max_examples=80)
@given(st.lists(st.sampled_from([0.0, 0.5, 1.0, 5.0, 9.0, 20.0, 60.0, 119.5, 120.0])))
def test_pauses_double_until_one_has_helped(steps: list[float]) -> None:
    now, slow = [1000.0], Slow()
    anew = RefreshBackoff(lambda: now[0])
    for step in steps:
        now[0] += step
        assert anew.may_refresh("files") == slow.may(now[0])


def test_a_server_that_always_refuses_has_it_read_once_a_minute() -> None:
    now = [1000.0]
    anew = RefreshBackoff(lambda: now[0])
    times = 0
    for _ in range(3600):
        times += anew.may_refresh("files")
        now[0] += 1
    assert 3600 / MAX_PAUSE <= times <= 3600 / MAX_PAUSE + 4
    assert anew.may_refresh("others")


def test_a_clock_that_is_set_back_stops_nothing() -> None:
    now = [1000.0]
    anew = RefreshBackoff(lambda: now[0])
    assert anew.may_refresh("files")
    now[0] -= 3600
    assert anew.may_refresh("files")
    assert not anew.may_refresh("files")


def test_no_more_is_remembered_than_there_is_room_for() -> None:
    anew = RefreshBackoff(lambda: 1000.0)
    assert all(anew.may_refresh(each) for each in range(2 * MAX_TRACKED))
    assert len(anew._known) == MAX_TRACKED
    assert not anew.may_refresh(2 * MAX_TRACKED - 1)
