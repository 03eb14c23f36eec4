"""When a source is read next, and when its data is late."""

from hypothesis import given
from hypothesis import strategies as st

from answerable.collector.run_timing import (
    MAX_RETRY_DELAY,
    compute_late_time,
    next_regular_start,
    next_retry_start,
)
from answerable.model.collection import CollectionSchedule

HOURLY = CollectionSchedule(every=3600, jitter=60, deadline=600, retry=30)
TWICE = CollectionSchedule(at=(9000, 50400), deadline=600)
DAY = 86_400.0


def test_the_next_run_is_one_interval_after_the_start_of_the_last() -> None:
    assert next_regular_start(HOURLY, 1000.0, 1000.0) == 4600.0


def test_missed_runs_are_one_run() -> None:
    now = 1000.0 + 50 * 3600
    assert next_regular_start(HOURLY, 1000.0, now) < now
    assert next_regular_start(HOURLY, now, now) == now + 3600


def test_a_time_of_day_is_in_utc_and_comes_once() -> None:
    assert next_regular_start(TWICE, DAY, DAY) == DAY + 9000
    assert next_regular_start(TWICE, DAY + 9000, DAY + 9000) == DAY + 50400
    assert next_regular_start(TWICE, DAY + 50400, DAY + 50400) == 2 * DAY + 9000


def test_a_clock_that_was_set_back_delays_no_run_beyond_its_interval() -> None:
    assert next_regular_start(HOURLY, 10 * DAY, DAY) == DAY + 3600


def test_retries_back_off_and_end_at_the_schedule() -> None:
    delays = [next_retry_start(HOURLY, DAY, n, DAY + 5) - DAY - 5 for n in range(1, 9)]
    assert delays == [30, 60, 120, 240, 480, 960, 1920, 3595]


def test_a_run_that_failed_at_its_deadline_is_not_repeated_before_it_ended() -> None:
    often = CollectionSchedule(every=10, deadline=600, retry=30)
    assert next_retry_start(often, DAY, 1, DAY + 600) == DAY + 600


def test_data_is_late_after_the_next_start_its_jitter_and_its_deadline() -> None:
    assert compute_late_time(HOURLY, DAY, is_read=True) == DAY + 3600 + 60 + 600
    assert compute_late_time(HOURLY, DAY, is_read=False) == DAY + 60 + 600
    assert compute_late_time(TWICE, DAY, is_read=True) == DAY + 9000 + 600


@given(
    st.integers(1, 10**6),
    st.lists(st.integers(0, 86_399), max_size=4),
    st.integers(1, 40),
    st.floats(1, 4e9),
    st.floats(0, 10**6),
)
def test_a_next_start_is_after_the_last_and_never_further_than_the_schedule(
    every: int, at: list[int], failures: int, last: float, took: float
) -> None:
    schedule = CollectionSchedule(
        every=0 if at else every, at=tuple(sorted(set(at))), retry=30
    )
    longest = DAY if at else every
    start = next_regular_start(schedule, last, last)
    assert last < start <= last + longest + 1e-6
    retry = next_retry_start(schedule, last, failures, last + took)
    assert last + took <= retry <= last + took + min(MAX_RETRY_DELAY, longest) + 1e-6
