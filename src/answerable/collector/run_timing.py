"""Compute the next run of a source, and the time after which its data is late.

Times are seconds since the epoch, UTC.
"""

from answerable.model.collection import CollectionSchedule

MAX_RETRY_DELAY = 3600.0
_DAY = 86_400


def next_regular_start(
    schedule: CollectionSchedule, last_start: float, now: float
) -> float:
    """Return the next start by schedule; if it has passed, a run is due at once.

    Args:
        schedule: Schedule of the source.
        last_start: Start of the last run.
    """
    last_start = min(last_start, now)  # the clock may have been set back
    if schedule.every:
        return last_start + schedule.every
    midnight = last_start - last_start % _DAY
    starts = (midnight + day + at for day in (0, _DAY) for at in schedule.at)
    return min(start for start in starts if start > last_start)


def next_retry_start(
    schedule: CollectionSchedule, last_start: float, failures: int, failed_end: float
) -> float:
    """Return the next start after failures: the retry, or by schedule if that is first.

    Args:
        schedule: Schedule of the source.
        last_start: Start of the last run.
        failures: Failed runs since the last successful one, at least 1.
        failed_end: End of the last run.
    """
    delay = min(schedule.retry * 2.0 ** min(failures - 1, 16), MAX_RETRY_DELAY)
    regular = next_regular_start(schedule, last_start, failed_end)
    return min(max(regular, failed_end), failed_end + delay)


def compute_late_time(
    schedule: CollectionSchedule, since: float, *, is_read: bool
) -> float:
    """Compute when a source's data counts as late: a missed run of its schedule.

    It is the next start by schedule, its jitter, and the time limit of a run.

    Args:
        schedule: Schedule of the source.
        since: Start of the last successful run, or of the schedule.
        is_read: A run has succeeded.
    """
    due = next_regular_start(schedule, since, since) if is_read else since
    return due + schedule.jitter + schedule.deadline
