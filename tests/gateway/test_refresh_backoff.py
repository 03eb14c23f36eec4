"""What is refused again and again is got anew less and less often."""

from hypothesis import given, settings
from hypothesis import strategies as st

from answerable.gateway.upstream_credentials.refresh import FIRST, LAST, MAX_KNOWN, Anew


class Slow:
    """The rule as it is told: the whole past is looked at each time."""

    def __init__(self) -> None:
        self.taken: list[tuple[float, float]] = []  # when, and the pause after it

    def may(self, now: float) -> bool:
        if self.taken and now < sum(self.taken[-1]):
            return False
        pause = FIRST
        if self.taken and now < sum(self.taken[-1]) + LAST:
            pause = min(self.taken[-1][1] * 2, LAST)
        self.taken.append((now, pause))
        return True


@settings(max_examples=80)
@given(st.lists(st.sampled_from([0.0, 0.5, 1.0, 5.0, 9.0, 20.0, 60.0, 119.5, 120.0])))
def test_pauses_double_until_one_has_helped(steps: list[float]) -> None:
    now, slow = [1000.0], Slow()
    anew = Anew(lambda: now[0])
    for step in steps:
        now[0] += step
        assert anew.may("files") == slow.may(now[0])


def test_a_server_that_always_refuses_has_it_read_once_a_minute() -> None:
    now = [1000.0]
    anew = Anew(lambda: now[0])
    times = 0
    for _ in range(3600):
        times += anew.may("files")
        now[0] += 1
    assert 3600 / LAST <= times <= 3600 / LAST + 4
    assert anew.may("others")


def test_a_clock_that_is_set_back_stops_nothing() -> None:
    now = [1000.0]
    anew = Anew(lambda: now[0])
    assert anew.may("files")
    now[0] -= 3600
    assert anew.may("files")
    assert not anew.may("files")


def test_no_more_is_remembered_than_there_is_room_for() -> None:
    anew = Anew(lambda: 1000.0)
    assert all(anew.may(each) for each in range(2 * MAX_KNOWN))
    assert len(anew._known) == MAX_KNOWN
    assert not anew.may(2 * MAX_KNOWN - 1)
