"""Add the state of scheduled sources to the coverage of an answer."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from answerable.model.collection import SourceState, UnreadLog
from answerable.model.inventory import SourceCoverage
from answerable.model.sighting import ReadProblem, ReadProblemKind
from answerable.model.time_units import SECOND_NS
from answerable.presentation.timestamps import format_time


def add_scheduled_source_states(
    coverage: Sequence[SourceCoverage], states: Sequence[SourceState], now: int
) -> list[SourceCoverage]:
    """Add a problem to each source whose last scheduled run failed, or that is late.

    A source that no snapshot contains becomes an entry of its own; its time is 0 where
    it was never read.

    Args:
        now: UTC nanoseconds.
    """
    found = {each.source: each for each in coverage}
    for state in states:
        names = (state.source, *state.names)
        read_at = min((found[n].at for n in names if n in found), default=0)
        problems = tuple(list_scheduled_source_problems(state, read_at, now))
        if not problems:
            continue
        entry = found.get(state.source) or SourceCoverage(
            source=state.source,
            connector=state.source.partition(":")[0],
            at=state.succeeded_at,
            problems=(),
            collected=(),
            not_collected=(),
        )
        found[state.source] = replace(entry, problems=(*entry.problems, *problems))
    return list(found.values())


def list_scheduled_source_problems(
    state: SourceState, read_at: int, now: int
) -> Iterator[ReadProblem]:
    """Yield the problems of a scheduled source: failed, late, unreadable parts.

    Args:
        read_at: Time of the newest reading in a snapshot, perhaps by a person's scan; 0
            for none.
        now: UTC nanoseconds.
    """
    from answerable.presentation.relative_time import format_span

    read_at = max(read_at, state.succeeded_at)
    if state.failed_at > read_at:
        what = f"its last scheduled run failed at {format_time(state.failed_at)}: "
        yield ReadProblem(ReadProblemKind.UNREADABLE, "", what + state.reason)
    late_after = state.late_after + max(0, read_at - state.since)
    if now > late_after:
        last = f"last read at {format_time(read_at)}" if read_at else "never read"
        what = f"late by {format_span((now - late_after) // SECOND_NS)}: {last}"
        yield ReadProblem(ReadProblemKind.UNREADABLE, "", what)
    if 0 < state.silent_at < now:
        since = format_span((now - state.silent_at) // SECOND_NS)
        newest = (
            f": newest event of {format_time(state.newest)}" if state.newest else ""
        )
        what = f"silent: no new event although one was expected for {since}{newest}"
        yield ReadProblem(ReadProblemKind.UNREADABLE, "", what)
    for line in state.problems:
        yield _parse_problem(line)


def _parse_problem(line: str) -> ReadProblem:
    """Parse a problem of a log, which begins with its kind in the states of a store."""
    kind, colon, what = line.partition(": ")
    if colon and kind in set(ReadProblemKind):
        return ReadProblem(ReadProblemKind(kind), "", what)
    return ReadProblem(ReadProblemKind.INVALID, "", line)


def add_unread_logs(
    coverage: Sequence[SourceCoverage], logs: Sequence[UnreadLog]
) -> list[SourceCoverage]:
    """Add a problem for each log that was not read completely, to its entry if it has one."""
    found = {each.source: each for each in coverage}
    for log in logs:
        problem = ReadProblem(ReadProblemKind.UNREADABLE, "", log.describe())
        entry = found.get(log.source) or SourceCoverage(
            log.source, log.connector, log.at, (), (), ()
        )
        found[log.source] = replace(entry, problems=(*entry.problems, problem))
    return list(found.values())
