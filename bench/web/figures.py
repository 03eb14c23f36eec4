"""Web figures: each page under the load of twenty users."""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench import command_run, process_launcher
from bench.figures import BenchFigure, BenchRemark, Line, at_most
from bench.web import large_store
from bench.web.simulated_users import THINKS, USERS

IDENTITIES, EVENTS = 100_000, 2_000_000
QUICK_IDENTITIES, QUICK_EVENTS = 2_000, 20_000
SECONDS, QUICK_SECONDS = 120.0, 10.0
MEDIAN, TAIL, QUERY = 300, 1_000, 1_000
PAINT = 250
SEED = 7


@contextmanager
def run_web(store: Path) -> Iterator[tuple[str, str, int]]:
    """Run the web page; yield its address, sign-in link and process."""
    words = ("--store", str(store), "serve", "--only", "web", "--listen", "127.0.0.1:0")
    process = subprocess.Popen(
        [*command_run.ANSWERABLE, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    try:
        said = dict(process.stdout.readline().split(maxsplit=1) for _ in range(2))
        at = said["web"].strip().removeprefix("http://")
        yield at, said["sign-in"].strip(), process.pid
    finally:
        process.terminate()
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def measure_web(folder: Path, command: str, *, quick: bool) -> Iterator[Line]:
    """Measure them all."""
    command = f"{command} --only web"
    identities = QUICK_IDENTITIES if quick else IDENTITIES
    events = QUICK_EVENTS if quick else EVENTS
    store = folder / "store"
    if not store.is_dir():
        large_store.write_store(folder, identities, events, SEED)
    with run_web(store) as (at, link, pid):
        watch = process_launcher.PeakMemorySampler(pid)
        watch.start()
        seconds = str(QUICK_SECONDS if quick else SECONDS)
        ran = subprocess.run(
            [
                sys.executable,
                "-m",
                "bench.web.simulated_users",
                at,
                link,
                str(pid),
                seconds,
            ],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        )
        watch.done.set()
        told = json.loads(ran.stdout)
    size = f"{identities:,} identities, {events:,} events"
    yield from _page_figures(told["took"], size, command)
    yield BenchFigure(
        "first paint, compressed",
        "KiB",
        (told["paint"] / 1024,),
        command,
        at_most(PAINT, f"<= {PAINT} KiB"),
    )
    slowest = max(told["first"], key=told["first"].__getitem__)
    yield BenchFigure(
        f"the first of its kind, the slowest ({slowest})",
        "ms",
        (told["first"][slowest] * 1000,),
        command,
    )
    asked = sum(len(values) for values in told["took"].values())
    each = told["processor"] / asked * 1000
    yield BenchFigure("processor for each answer, mean", "ms", (each,), command)
    for name, seconds in sorted(told["alone"].items(), key=lambda each: -each[1]):
        yield BenchFigure(
            f"processor for {name}, alone", "ms", (seconds * 1000,), command
        )
    yield BenchFigure("processor until it is ready", "s", (told["started"],), command)
    yield BenchFigure("peak memory", "MiB", (watch.bytes / (1 << 20),), command)
    wrong = {
        name: count
        for name, statuses in told["statuses"].items()
        if (count := sum(n for status, n in statuses.items() if int(status) >= 500))
    }
    yield BenchRemark(
        f"{USERS} users with an average of {THINKS:g} s between a response and the next "
        f"request: {asked:,} random requests of {len(told['took'])} kinds, over {size} and "
        f"{large_store.AGENTS:,} agents. Times are measured by the client, from the request "
        f"to the last byte, on one machine. Failed: {wrong or 'none'}.",
        command,
    )


def _page_figures(
    took: dict[str, list[float]], size: str, command: str
) -> Iterator[BenchFigure]:
    every = [each for values in took.values() for each in values]
    yield from _one_page_figures(f"all of them, {size}", every, command)
    for name, values in sorted(took.items()):
        if name.startswith("/trace"):
            goal = at_most(QUERY, f"<= {QUERY:,} ms")
            yield BenchFigure(
                f"query {name}, median", "ms", (_median(values),), command, goal
            )
        else:
            yield from _one_page_figures(name, values, command)


def _one_page_figures(
    name: str, values: Sequence[float], command: str
) -> Iterator[BenchFigure]:
    goal = at_most(MEDIAN, f"<= {MEDIAN} ms")
    yield BenchFigure(f"{name}, median", "ms", (_median(values),), command, goal)
    goal = at_most(TAIL, f"<= {TAIL:,} ms")
    yield BenchFigure(f"{name}, p99", "ms", (_p99(values),), command, goal)


def _median(values: Sequence[float]) -> float:
    return statistics.median(values) * 1000


def _p99(values: Sequence[float]) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))] * 1000
