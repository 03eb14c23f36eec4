"""Gateway figures: added latency, processor time and memory."""

import secrets
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from bench.figures import Figure, Line, Remark, at_least, at_most
from bench.gateway import load, process_usage, rivals, running_gateway, stdio_latency
from bench.gateway.running_gateway import Place

ROUNDS = 5
CLIENTS = 32
STREAMS = 8
SECONDS = 1.5  # of each load; one that is slow gets no more calls for it
STRAIGHT = "straight"
BUFFERED = "answerable, buffered"
DURABLE = "answerable, durable"
SHOWN = "answerable, buffered, a credential shown and looked for"
MICRO = 1e6

_ADDED = {
    BUFFERED: at_most(100, "<= 100 us"),
    SHOWN: at_most(100, "<= 100 us"),
}
_CPU = {BUFFERED: at_most(80, "<= 80 us")}
_RATE = {
    BUFFERED: at_least(10_000, ">= 10,000"),
    SHOWN: at_least(10_000, ">= 10,000"),
}
_MEMORY = at_most(120, "<= 120 MiB")


@dataclass(frozen=True, slots=True)
class Sample:
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


def sample(place: Place, behind: Place, tool: str, seconds: float) -> Sample:
    """Call with one client, then with many."""
    alone = load.run(place.order(tool, 1, seconds))
    with process_usage.awake():
        awake = load.run(place.order(tool, 1, seconds))
    with process_usage.together({*place.measured, *behind.measured}) as core:
        together = load.run(place.order(tool, 1, seconds, core=core))
    before = process_usage.cpu(place.measured)
    many = load.run(place.order(tool, CLIENTS, seconds))
    spent = process_usage.cpu(place.measured) - before
    return Sample(
        alone.median,
        awake.median,
        together.median,
        alone.slow,
        spent / many.calls,
        many.calls / many.seconds,
    )


def figures(
    root: Path, folder: Path, rounds: int, seconds: float, command: str
) -> Iterator[Line]:
    """Measure every path interleaved, then memory, then standard streams."""
    command = f"{command} --only gateway"
    folder = folder / "gateway"
    with ExitStack() as stack:
        behind = stack.enter_context(running_gateway.backend())
        _, ours = stack.enter_context(running_gateway.gateway(folder, behind))
        given = running_gateway.settings(behind.port, _secret(folder))
        _, shown = stack.enter_context(
            running_gateway.gateway(folder / "shown", behind, given)
        )
        others = stack.enter_context(rivals.fastmcp(root, folder, behind))
        ways = {
            STRAIGHT: (behind, running_gateway.READS),
            BUFFERED: (ours, running_gateway.READS),
            SHOWN: (shown, running_gateway.READS),
            DURABLE: (ours, running_gateway.DURABLE),
            **{name: (place, running_gateway.READS) for name, place in others.items()},
        }
        for place, tool in ways.values():  # what is made at a first call is made now
            load.run(place.order(tool, CLIENTS, seconds / 3))
        taken: dict[str, list[Sample]] = {name: [] for name in ways}
        for _ in range(rounds):
            for name, (place, tool) in ways.items():
                taken[name].append(sample(place, behind, tool, seconds))
        yield from _of_calls(taken, command)
        yield from _of_memory(ours, rounds, seconds, command)
        yield from _of_search(shown, ours, rounds, seconds, command)
    yield from _of_streams(folder, rounds, seconds, command)
    yield Remark(
        "One worker, one agent that is enforced, known by a bearer token of an issuer "
        "whose keys are a file; plain HTTP on loopback, revision 2026-07-28. The CPU is "
        "the worker's, all of its threads; the load generator and the server have the "
        "same two cores. A call of one client wakes one process after the other: on one "
        "core that costs little, while between the cores of a virtual machine it may "
        "cost more than the call, where they halt in between. So the same is measured "
        "with an idle-priority loop on each core, which gives way to everything. "
        f"{process_usage.halting()}".rstrip(),
        command,
    )


def _secret(folder: Path) -> Path:
    """Store a credential like an operator."""
    place = (folder / "secret").absolute()
    place.touch(mode=0o600)
    place.write_text(secrets.token_urlsafe(32))
    return place


def _of_calls(taken: Mapping[str, list[Sample]], command: str) -> Iterator[Figure]:
    straight = taken[STRAIGHT]
    walls = tuple(each.alone * MICRO for each in straight)
    yield Figure("gateway: p50 of a call, straight to the server", "us", walls, command)
    for name, samples in taken.items():
        if name == STRAIGHT:
            continue
        added = tuple(
            (each.alone - beside.alone) * MICRO
            for each, beside in zip(samples, straight, strict=True)
        )
        what = f"gateway: added p50, one client: {name}"
        yield Figure(what, "us", added, command, _ADDED.get(name))
        awake = tuple(
            (each.awake - beside.awake) * MICRO
            for each, beside in zip(samples, straight, strict=True)
        )
        what = f"gateway: added p50, one client, cores that do not halt: {name}"
        yield Figure(what, "us", awake, command, _ADDED.get(name))
        together = tuple(
            (each.together - beside.together) * MICRO
            for each, beside in zip(samples, straight, strict=True)
        )
        what = f"gateway: added p50, one client, all on one core: {name}"
        yield Figure(what, "us", together, command)
        slow = tuple(each.slow * MICRO for each in samples)
        what = f"gateway: 99th percentile, one client: {name}"
        yield Figure(what, "us", slow, command)
        cpu = tuple(each.cpu * MICRO for each in samples)
        what = f"gateway: CPU a call, {CLIENTS} clients: {name}"
        yield Figure(what, "us", cpu, command, _CPU.get(name))
    for name, samples in taken.items():
        rates = tuple(each.rate for each in samples)
        what = f"gateway: {CLIENTS} clients: {name}"
        yield Figure(what, "calls/s", rates, command, _RATE.get(name))


def _of_memory(
    ours: Place, rounds: int, seconds: float, command: str
) -> Iterator[Figure]:
    (worker,) = ours.measured
    what = "gateway: peak memory of the worker so far"
    yield Figure(what, "MiB", (process_usage.peak(worker),), command, _MEMORY)
    peaks = []
    for _ in range(rounds):
        process_usage.mark(worker)
        load.run(ours.order(running_gateway.BIG, STREAMS, seconds))
        peaks.append(process_usage.peak(worker))
    what = f"gateway: peak memory, {STREAMS} clients with results of 4 MiB"
    yield Figure(what, "MiB", tuple(peaks), command, _MEMORY)


def _of_search(
    shown: Place, ours: Place, rounds: int, seconds: float, command: str
) -> Iterator[Figure]:
    """Measure the leak filter on results of 4 MiB."""
    added = []
    for _ in range(rounds):
        beside, searched = (
            load.run(place.order(running_gateway.BIG, 1, seconds)).median
            for place in (ours, shown)
        )
        added.append((searched - beside) * 1e3)
    what = "gateway: p50 of a result of 4 MiB, added by looking for a credential"
    yield Figure(what, "ms", tuple(added), command)


def _of_streams(
    folder: Path, rounds: int, seconds: float, command: str
) -> Iterator[Figure]:
    wrapped = stdio_latency.wrapped(folder / "stdio")
    straight, added, awake = [], [], []
    for _ in range(rounds):
        straight.append(stdio_latency.median(stdio_latency.ECHO, seconds) * MICRO)
        added.append(stdio_latency.median(wrapped, seconds) * MICRO - straight[-1])
        with process_usage.awake():
            beside = stdio_latency.median(stdio_latency.ECHO, seconds)
            awake.append((stdio_latency.median(wrapped, seconds) - beside) * MICRO)
    what = "gateway: p50 of a call over standard streams"
    yield Figure(f"{what}, straight", "us", tuple(straight), command)
    goal = at_most(60, "<= 60 us")
    yield Figure(f"{what}, added", "us", tuple(added), command, goal)
    what = f"{what}, added, cores that do not halt"
    yield Figure(what, "us", tuple(awake), command, goal)
