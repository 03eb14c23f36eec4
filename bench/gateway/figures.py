"""Gateway figures: added latency, processor time and memory."""

import secrets
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from bench.figures import BenchFigure, BenchRemark, Line, at_least, at_most
from bench.gateway import load, process_usage, rivals, running_gateway, stdio_latency
from bench.gateway.running_gateway import CallTarget

ROUNDS = 5
CLIENTS = 32
STREAMS = 8
SECONDS = 1.5  # of each load; one that is slow gets no more calls for it
DIRECT = "straight"
BUFFERED = "answerable, buffered"
DURABLE = "answerable, durable"
WITH_CREDENTIAL = (
    "answerable, buffered, with an upstream credential and response filter"
)
MICRO = 1e6

_ADDED = {
    BUFFERED: at_most(100, "<= 100 us"),
    WITH_CREDENTIAL: at_most(100, "<= 100 us"),
}
_CPU = {BUFFERED: at_most(80, "<= 80 us")}
_RATE = {
    BUFFERED: at_least(10_000, ">= 10,000"),
    WITH_CREDENTIAL: at_least(10_000, ">= 10,000"),
}
_MEMORY = at_most(120, "<= 120 MiB")


@dataclass(frozen=True, slots=True)
class CallSample:
    """One path to the server, in one round.

    Attributes:
        alone: Seconds of the median call, of one client.
        awake: The same, with cores that do not halt between two calls.
        together: The same, with everything on one core.
        slow: Seconds of the 99th percentile of those.
        cpu: Processor seconds of what stands in the way, for each call of many clients.
        rate: Calls a second of many clients.
    """

    alone: float
    awake: float
    together: float
    slow: float
    cpu: float
    rate: float


def measure_path(
    place: CallTarget, behind: CallTarget, tool: str, seconds: float
) -> CallSample:
    """Call with one client, then with many."""
    alone = load.run_load(place.build_order(tool, 1, seconds))
    with process_usage.keep_cores_awake():
        awake = load.run_load(place.build_order(tool, 1, seconds))
    with process_usage.pin_to_one_core({*place.measured, *behind.measured}) as core:
        together = load.run_load(place.build_order(tool, 1, seconds, core=core))
    before = process_usage.cpu_seconds(place.measured)
    many = load.run_load(place.build_order(tool, CLIENTS, seconds))
    spent = process_usage.cpu_seconds(place.measured) - before
    return CallSample(
        alone.median,
        awake.median,
        together.median,
        alone.slow,
        spent / many.calls,
        many.calls / many.seconds,
    )


def measure_gateway(
    root: Path, folder: Path, rounds: int, seconds: float, command: str
) -> Iterator[Line]:
    """Measure every path interleaved, then memory, then standard streams."""
    command = f"{command} --only gateway"
    folder = folder / "gateway"
    with ExitStack() as stack:
        behind = stack.enter_context(running_gateway.run_backend())
        _, ours = stack.enter_context(running_gateway.run_gateway(folder, behind))
        given = running_gateway.build_settings(behind.port, _write_credential(folder))
        _, shown = stack.enter_context(
            running_gateway.run_gateway(folder / "shown", behind, given)
        )
        others = stack.enter_context(rivals.run_fastmcp(root, folder, behind))
        ways = {
            DIRECT: (behind, running_gateway.READS),
            BUFFERED: (ours, running_gateway.READS),
            WITH_CREDENTIAL: (shown, running_gateway.READS),
            DURABLE: (ours, running_gateway.DURABLE),
            **{name: (place, running_gateway.READS) for name, place in others.items()},
        }
        for place, tool in ways.values():  # what is made at a first call is made now
            load.run_load(place.build_order(tool, CLIENTS, seconds / 3))
        taken: dict[str, list[CallSample]] = {name: [] for name in ways}
        for _ in range(rounds):
            for name, (place, tool) in ways.items():
                taken[name].append(measure_path(place, behind, tool, seconds))
        yield from _call_figures(taken, command)
        yield from _memory_figures(ours, rounds, seconds, command)
        yield from _leak_filter_figures(shown, ours, rounds, seconds, command)
    yield from _stdio_figures(folder, rounds, seconds, command)
    yield BenchRemark(
        "One worker; one agent in enforce mode, identified by a bearer token of an issuer "
        "whose keys are in a file; plain HTTP on loopback, revision 2026-07-28. CPU time "
        "is that of all threads of the worker; the load generator and the server use the "
        "same two cores. With a single client, the processes wake one after the other. "
        "On one core this is cheap; between the cores of a virtual machine it may take "
        "longer than the call if the cores halt. The measurement is therefore repeated "
        "with an idle-priority loop on each core, which yields to all other processes. "
        f"{process_usage.describe_idle_halt()}".rstrip(),
        command,
    )


def _write_credential(folder: Path) -> Path:
    """Store a credential like an operator."""
    place = (folder / "secret").absolute()
    place.touch(mode=0o600)
    place.write_text(secrets.token_urlsafe(32))
    return place


def _call_figures(
    taken: Mapping[str, list[CallSample]], command: str
) -> Iterator[BenchFigure]:
    straight = taken[DIRECT]
    walls = tuple(each.alone * MICRO for each in straight)
    yield BenchFigure(
        "gateway: p50 of a call, straight to the server", "us", walls, command
    )
    for name, samples in taken.items():
        if name == DIRECT:
            continue
        added = tuple(
            (each.alone - beside.alone) * MICRO
            for each, beside in zip(samples, straight, strict=True)
        )
        what = f"gateway: added p50, one client: {name}"
        yield BenchFigure(what, "us", added, command, _ADDED.get(name))
        awake = tuple(
            (each.awake - beside.awake) * MICRO
            for each, beside in zip(samples, straight, strict=True)
        )
        what = f"gateway: added p50, one client, cores that do not halt: {name}"
        yield BenchFigure(what, "us", awake, command, _ADDED.get(name))
        together = tuple(
            (each.together - beside.together) * MICRO
            for each, beside in zip(samples, straight, strict=True)
        )
        what = f"gateway: added p50, one client, all on one core: {name}"
        yield BenchFigure(what, "us", together, command)
        slow = tuple(each.slow * MICRO for each in samples)
        what = f"gateway: 99th percentile, one client: {name}"
        yield BenchFigure(what, "us", slow, command)
        cpu = tuple(each.cpu * MICRO for each in samples)
        what = f"gateway: CPU a call, {CLIENTS} clients: {name}"
        yield BenchFigure(what, "us", cpu, command, _CPU.get(name))
    for name, samples in taken.items():
        rates = tuple(each.rate for each in samples)
        what = f"gateway: {CLIENTS} clients: {name}"
        yield BenchFigure(what, "calls/s", rates, command, _RATE.get(name))


def _memory_figures(
    ours: CallTarget, rounds: int, seconds: float, command: str
) -> Iterator[BenchFigure]:
    (worker,) = ours.measured
    what = "gateway: peak memory of the worker so far"
    yield BenchFigure(
        what, "MiB", (process_usage.peak_memory(worker),), command, _MEMORY
    )
    peaks = []
    for _ in range(rounds):
        process_usage.reset_peak_memory(worker)
        load.run_load(ours.build_order(running_gateway.BIG, STREAMS, seconds))
        peaks.append(process_usage.peak_memory(worker))
    what = f"gateway: peak memory, {STREAMS} clients with results of 4 MiB"
    yield BenchFigure(what, "MiB", tuple(peaks), command, _MEMORY)


def _leak_filter_figures(
    shown: CallTarget, ours: CallTarget, rounds: int, seconds: float, command: str
) -> Iterator[BenchFigure]:
    """Measure the leak filter on results of 4 MiB."""
    added = []
    for _ in range(rounds):
        beside, searched = (
            load.run_load(place.build_order(running_gateway.BIG, 1, seconds)).median
            for place in (ours, shown)
        )
        added.append((searched - beside) * 1e3)
    what = "gateway: p50 of a result of 4 MiB, added by looking for a credential"
    yield BenchFigure(what, "ms", tuple(added), command)


def _stdio_figures(
    folder: Path, rounds: int, seconds: float, command: str
) -> Iterator[BenchFigure]:
    wrapped = stdio_latency.wrapper_command(folder / "stdio")
    straight, added, awake = [], [], []
    for _ in range(rounds):
        straight.append(
            stdio_latency.median_latency(stdio_latency.ECHO, seconds) * MICRO
        )
        added.append(
            stdio_latency.median_latency(wrapped, seconds) * MICRO - straight[-1]
        )
        with process_usage.keep_cores_awake():
            beside = stdio_latency.median_latency(stdio_latency.ECHO, seconds)
            awake.append(
                (stdio_latency.median_latency(wrapped, seconds) - beside) * MICRO
            )
    what = "gateway: p50 of a call over standard streams"
    yield BenchFigure(f"{what}, straight", "us", tuple(straight), command)
    goal = at_most(60, "<= 60 us")
    yield BenchFigure(f"{what}, added", "us", tuple(added), command, goal)
    what = f"{what}, added, cores that do not halt"
    yield BenchFigure(what, "us", tuple(awake), command, goal)
