"""Time of `aws credential-process`, as an SDK starts it: a new session, and its cache.

Run as `python -m bench --only credentials`.
"""

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path

from bench import command_run
from bench.figures import BenchFigure, BenchRemark, Line, at_most

ROUNDS, QUICK = 15, 3
LIMIT = 250  # milliseconds of processor time


def measure_credentials(folder: Path, command: str, *, quick: bool) -> Iterator[Line]:
    """Measure the command on a generated home, with a stand-in for AWS STS."""
    import pytest

    from tests.agent_credentials.conftest import NAME, build_home, open_laptop

    command = f"{command} --only credentials"
    rounds = QUICK if quick else ROUNDS
    words = ("aws", "credential-process", "--agent", NAME)
    (folder / "template").mkdir(parents=True)
    with contextlib.redirect_stdout(io.StringIO()):
        template = build_home(folder / "template")
    with (
        pytest.MonkeyPatch.context() as patch,
        open_laptop(template, folder, patch) as person,
    ):
        with contextlib.redirect_stdout(io.StringIO()):
            person.sign()
        first = command_run.answerable_command(*words)
        again = [command_run.answerable_command(*words) for _ in range(rounds)]
        calls = len(person.sts.operations())
    yield _build_figure("a new session", (first.cpu,), command)
    goal = f"<= {LIMIT} ms"
    cached = tuple(each.cpu for each in again)
    yield _build_figure("from its cache", cached, command, goal)
    yield BenchFigure("calls of AWS STS", "", (calls,), command, at_most(1, "1"))
    yield BenchRemark(
        "Processor time of the process, from interpreter start to exit; AWS STS is a "
        "stand-in on loopback, whose own time is not included.",
        command,
    )


def _build_figure(
    what: str, seconds: tuple[float, ...], command: str, goal: str = ""
) -> BenchFigure:
    values = tuple(each * 1000 for each in seconds)
    limit = at_most(LIMIT, goal) if goal else None
    what = f"aws credential-process, {what}, processor time"
    return BenchFigure(what, "ms", values, command, limit)
