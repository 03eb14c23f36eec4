"""The benchmark of the engines: processor time, sessions, and the size computed from it."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bench import engine_client
from bench.engine_client import EngineSession
from bench.engine_slopes import (
    EngineSlope,
    compute_crossover,
    compute_slopes,
    describe_crossover,
)
from bench.process_time import (
    end_processes,
    list_descendants,
    read_processor_seconds,
)

COUNT = "SELECT count(*) AS n FROM events"
# The second process is started by another thread than the first one's main thread.
NESTED = """
import subprocess, sys, threading
code = "while True: pass"
thread = threading.Thread(target=subprocess.run, args=([sys.executable, "-c", code],))
thread.start()
thread.join()
"""


@pytest.fixture
def busy() -> Iterator[int]:
    """Start a process whose child is busy, and does not end."""
    process = subprocess.Popen((sys.executable, "-c", NESTED))
    yield process.pid
    started = list(list_descendants(process.pid))
    process.kill()
    process.wait()
    end_processes(started)


def test_time_of_processes_that_do_not_end_is_read(busy: int) -> None:
    until = time.monotonic() + 60
    while read_processor_seconds(list_descendants(busy)) < 0.05:
        assert time.monotonic() < until
        time.sleep(0.05)


def test_a_session_answers_until_it_is_closed(filled: Path) -> None:
    with closing(EngineSession(filled, "", [])) as session:
        start = session.start(COUNT)
        again = session.ask(COUNT)
        pid = session.process.pid
    assert again.rows == start.rows
    assert start.cpu > again.cpu > 0
    assert not Path(f"/proc/{pid}").exists()


def test_a_session_that_does_not_end_is_killed(
    filled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_client, "_END_SECONDS", 0.0)
    session = EngineSession(filled, "", [])
    session.close()
    assert session.process.returncode


def test_slopes_are_those_of_each_round() -> None:
    assert compute_slopes((1.0, 2.0), (2.0, 4.0), 10) == (0.1, 0.2)


@pytest.mark.parametrize(
    ("duckdb", "spark", "cores", "size"),
    [
        (2e-6, 1e-6, 2, 20e6),  # 10 s later, and half a microsecond gained an event
        (1e-6, 1e-6, 2, None),
        (1e-6, 4e-6, 8, None),
        (1e-6, 4e-6, 16, 40e6),
    ],
)
def test_the_size_follows_from_start_and_slope(
    duckdb: float, spark: float, cores: int, size: float | None
) -> None:
    found = compute_crossover(
        EngineSlope(1.0, (duckdb,)), EngineSlope(21.0, (spark,)), cores
    )
    assert found == (size if size is None else pytest.approx(size))


def test_an_engine_that_costs_more_is_never_faster_on_the_same_machine() -> None:
    said = describe_crossover(
        "a", EngineSlope(1.0, (1e-6,)), EngineSlope(21.0, (4e-6,))
    )
    assert "one machine of 2 cores: never" in said
    assert "workers with 16 cores: from 40.0 million events" in said
    assert "any number of cores: from 20.0 million events" in said


def test_a_slope_within_the_spread_gives_no_size() -> None:
    noise = EngineSlope(1.0, (1e-9, -1e-9))
    said = describe_crossover("a", noise, EngineSlope(21.0, (4e-6,)))
    assert "no size was found" in said


def test_a_slope_of_spark_within_the_spread_is_no_never() -> None:
    said = describe_crossover(
        "a", EngineSlope(1.0, (1e-6,)), EngineSlope(21.0, (9e-6, -1e-6))
    )
    assert "spread too much to compare" in said
    assert "never" not in said
    assert "from 20.0 million events" in said
