"""Reload of a large policy set under load; no call may be dropped."""

import http.client
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from bench.authorization import policy_sets
from bench.figures import BenchFigure, at_most
from bench.gateway import process_usage
from tests.gateway.serve.running_gateway import (
    Serving,
    backend,
    call,
    configuration,
    serving,
)

CALLERS = 2
ROUNDS = 3
LONGEST = 300.0  # seconds
_TAKEN = at_most(2, "<= 2 s")
_NONE = at_most(0, "none")
_MEMORY = at_most(120, "<= 120 MiB")


@dataclass(frozen=True, slots=True)
class ReloadSample:
    """One reload: its seconds, and the calls during it.

    Attributes:
        taken: From the signal to the line of the log.
        cpu: Processor seconds of the supervisor meanwhile, and of what it started.
        answered: Calls.
        lost: Calls that were not answered by the tool.
        slowest: Seconds of the slowest.
    """

    taken: float
    cpu: float
    answered: int
    lost: int
    slowest: float


def build_settings(port: int) -> dict[str, Any]:
    """Write the configuration: one agent, and all servers of the set."""
    given = configuration(port, policy=["a.cedar"])
    given["servers"] |= {
        f"s{number}": {"url": f"http://127.0.0.1:{port}/mcp", "reads": ["*"]}
        for number in range(policy_sets.SERVERS)
    }
    given["agents"]["a0"] = {"callers": [{"issuer": "corp", "sub": "a0"}]}
    return given


def measure_reload(folder: Path, count: int, command: str) -> Iterator[BenchFigure]:
    """Reload with few changes and with only changes, under load."""
    folder = folder / "enforce"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "a.cedar"
    file.write_text(_policy_set(count, lambda _: 0))
    with (
        backend() as behind,
        serving(folder, build_settings(behind.server_port)) as served,
    ):
        (worker,) = served.workers()
        _call_every_tool(served, count)
        few: list[ReloadSample] = []
        for edition in range(1, ROUNDS + 1):
            file.write_text(_policy_set(count, partial(_policy_edition, edition)))
            few.append(_measure_reload(served, count))
        file.write_text(_policy_set(count, lambda _: 99))
        every = _measure_reload(served, count)
        _call_every_tool(served, count)
        memory = process_usage.peak_memory(worker)
    what = f"reload of {count:,} slices, signal to answer"
    yield BenchFigure(
        f"{what}, 1 % changed", "s", tuple(each.taken for each in few), command, _TAKEN
    )
    yield BenchFigure(f"{what}, all changed", "s", (every.taken,), command, _TAKEN)
    runs = [*few, every]
    for words, some in (("1 %", few), ("all", [every])):
        what = f"processor time of the supervisor and what it starts, {words} changed"
        yield BenchFigure(what, "s", tuple(each.cpu for each in some), command)
    lost = sum(each.lost for each in runs)
    answered = sum(each.answered for each in runs)
    what = f"calls lost or refused by these reloads, of {answered:,}"
    yield BenchFigure(what, "", (lost,), command, _NONE)
    slowest = tuple(each.slowest * 1000 for each in runs)
    yield BenchFigure("slowest call during a reload", "ms", slowest, command)
    what = f"peak memory of the worker with {count:,} slices"
    yield BenchFigure(what, "MiB", (memory,), command, _MEMORY)


def _policy_edition(edition: int, number: int) -> int:
    return edition if number % 100 == 0 else 0


def _policy_set(count: int, edition: Callable[[int], int]) -> str:
    return "".join(
        policy_sets.build_policy(
            number, policy_sets.KINDS[number % 3], edition(number), agents=1
        )
        for number in range(count)
    )


def _call_tool(connection: http.client.HTTPConnection, number: int) -> bool:
    """Call the tool of a policy; return whether it was allowed."""
    given = policy_sets.allowed_arguments(number)
    where = f"s{number % policy_sets.SERVERS}"
    answer = call(connection, f"t{number}", "a0", given, server=where)
    return isinstance(answer, dict) and "result" in answer


def _call_every_tool(served: Serving, count: int) -> None:
    connection = http.client.HTTPConnection(served.gateway, timeout=30)
    for number in range(count):
        assert _call_tool(connection, number), number
    connection.close()


def _reload_and_wait(served: Serving) -> None:
    """Reload, and wait without a deadline."""
    count = sum(line["event"] == "config.taken" for line in served.log)
    served.process.send_signal(signal.SIGHUP)
    until = time.monotonic() + LONGEST
    while sum(line["event"] == "config.taken" for line in served.log) == count:
        assert time.monotonic() < until, served.log[-1]
        time.sleep(0.01)


def _measure_reload(served: Serving, count: int) -> ReloadSample:
    """Reload while calls are made, and a little longer."""
    done = threading.Event()
    walls: list[float] = []
    lost = [0] * CALLERS

    def calling(caller: int) -> None:
        connection = http.client.HTTPConnection(served.gateway, timeout=30)
        number = caller
        while not done.is_set():
            began = time.perf_counter()
            try:
                passed = _call_tool(connection, number % count)
            except OSError:
                passed = False
            lost[caller] += not passed
            walls.append(time.perf_counter() - began)
            number += CALLERS
        connection.close()

    threads = [threading.Thread(target=calling, args=(n,)) for n in range(CALLERS)]
    for thread in threads:
        thread.start()
    time.sleep(0.2)
    began, before = (
        time.perf_counter(),
        process_usage.cpu_seconds_with_children(served.process.pid),
    )
    _reload_and_wait(served)
    taken = time.perf_counter() - began
    cpu = process_usage.cpu_seconds_with_children(served.process.pid) - before
    time.sleep(0.2)
    done.set()
    for thread in threads:
        thread.join()
    return ReloadSample(taken, cpu, len(walls), sum(lost), max(walls))
