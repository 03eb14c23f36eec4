"""Token service figures: exchanges per second of one core, and their cost."""

import os
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from bench.federation import load, machine_pauses, rivals, token_service
from bench.figures import BenchFigure, BenchRemark, FigureGoal, Line, at_least, at_most
from bench.gateway import process_usage

ROUNDS = 5
CLIENTS = 32
COUNT, QUICK = 10_000, 640
RIVAL = 320  # requests of a round of it
REST = 20.0  # seconds in which the disk takes what full loads left behind
MEMORY = Path("/dev/shm")  # noqa: S108 - a file system without a disk, where there is one
MICRO, MILLI = 1e6, 1e3
SERVES, ASKS = 0, 1  # cores

_MEMORY = at_most(143, "<= 150 MB")  # in MiB
_SLOW = at_most(10, "<= 10 ms")


@dataclass(frozen=True, slots=True)
class ExchangeKind:
    """A kind of exchange.

    Attributes:
        name: For people.
        bound: Clients show proofs, and what they get is bound to their key.
        rate: Goal, exchanges a second of one core.
        cpu: The same, in microseconds of it.
        half: Half load, exchanges a second: of that goal, so that whoever reaches more
            is not asked for more.
    """

    name: str
    bound: bool
    rate: FigureGoal
    cpu: FigureGoal
    half: float


KINDS = (
    ExchangeKind(
        "plain", False, at_least(2_500, ">= 2,500"), at_most(400, "<= 400 us"), 1_250
    ),
    ExchangeKind(
        *("DPoP-bound", True, at_least(1_800, ">= 1,800")),
        *(at_most(555, "<= 555 us"), 900),
    ),
)
_HALF = {kind: kind.half for kind in KINDS}


@dataclass(frozen=True, slots=True)
class ExchangeSample:
    """One round.

    Attributes:
        rate: Exchanges a second of many clients.
        cpu: Processor seconds of the process, all its threads, for each.
    """

    rate: float
    cpu: float


def measure_exchanges(
    root: Path, folder: Path, rounds: int, count: int, command: str
) -> Iterator[Line]:
    """Measure both kinds and the rival service interleaved, then memory."""
    command = f"{command} --only federation"
    with ExitStack() as stack:
        ours = stack.enter_context(
            token_service.run_token_service(folder / "federation")
        )
        other = stack.enter_context(rivals.run_authgent(root, folder))
        pinned = _pin_cpu(ours.pid)
        for kind in KINDS:  # what is made at a first call is made now
            _saturate(ours, kind, QUICK, pinned)
        taken: dict[str, list[ExchangeSample]] = {kind.name: [] for kind in KINDS}
        theirs: list[tuple[float, float, float]] = []
        paused: list[tuple[float, float]] = []
        for _ in range(rounds):
            if pinned:
                paused.append(
                    (
                        machine_pauses.measure_cpu_pauses((SERVES, ASKS)),
                        machine_pauses.measure_sync_pauses(folder),
                    )
                )
            for kind in KINDS:
                taken[kind.name].append(_measure_round(ours, kind, count, pinned))
            if other is not None:
                theirs.append(_measure_rival(other, pinned))
        time.sleep(REST)
        halves = _measure_rates(ours, _HALF, rounds, count, pinned)
        reached = {kind: _best_rate(taken[kind.name]) / 2 for kind in KINDS}
        beyond = _measure_rates(ours, reached, rounds, count, pinned)
        for kind in KINDS:
            yield from _exchange_figures(kind, taken[kind.name], command)
            what = f"{kind.name} exchange: {{}} at half load"
            yield from _latency_figures(what, halves[kind], command, _SLOW)
            what = f"{kind.name} exchange: {{}} at half of what was reached"
            yield from _latency_figures(what, beyond[kind], command)
        if paused:
            yield from _machine_remarks(paused, command)
        peak = process_usage.peak_memory(ours.pid)
        yield BenchFigure(
            "token service: peak memory", "MiB", (peak,), command, _MEMORY
        )
    if other is not None and theirs:
        yield from _rival_figures(other.name, theirs, command)
    yield from _measure_without_disk(rounds, count, command)
    yield BenchRemark(
        f"{'One core for the service, another for the load generator' if pinned else 'No core of its own for the service'}; "
        f"{CLIENTS} connections, {token_service.RULES} rules, SQLite, evidence on "
        f"disk before each response; {rounds} rounds of {count:,} exchanges of "
        "each kind. Half load is half of the goal, "
        f"{' and '.join(f'{each.half:,.0f}' for each in KINDS)} a second; its "
        f"rounds, with half as many exchanges, start {REST:.0f} seconds after the "
        "last full load.",
        command,
    )


def _pin_cpu(pid: int) -> bool:
    """Pin the service to one core, and leave another for the load."""
    if not {SERVES, ASKS} <= os.sched_getaffinity(0):
        return False
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(thread.name), {SERVES})
    return True


def _saturate(
    ours: token_service.RunningTokenService,
    kind: ExchangeKind,
    count: int,
    pinned: bool,
    rate: float = 0.0,
) -> load.TokenLoadResult:
    core = ASKS if pinned else -1
    return load.run_load(
        ours.build_order(
            bound=kind.bound, clients=CLIENTS, count=count, rate=rate, core=core
        )
    )


def _measure_round(
    ours: token_service.RunningTokenService,
    kind: ExchangeKind,
    count: int,
    pinned: bool,
) -> ExchangeSample:
    before = process_usage.cpu_seconds((ours.pid,))
    many = _saturate(ours, kind, count, pinned)
    cpu = (process_usage.cpu_seconds((ours.pid,)) - before) / many.calls
    return ExchangeSample(many.calls / many.seconds, cpu)


def _best_rate(samples: list[ExchangeSample]) -> float:
    return statistics.median(each.rate for each in samples)


def _measure_rates(
    ours: token_service.RunningTokenService,
    rates: Mapping[ExchangeKind, float],
    rounds: int,
    count: int,
    pinned: bool,
) -> dict[ExchangeKind, list[load.TokenLoadResult]]:
    """Measure at these rates, interleaved."""
    asked: dict[ExchangeKind, list[load.TokenLoadResult]] = {kind: [] for kind in rates}
    for _ in range(rounds):
        for kind, rate in rates.items():
            asked[kind].append(_saturate(ours, kind, count // 2, pinned, rate))
    return asked


def _exchange_figures(
    kind: ExchangeKind, samples: list[ExchangeSample], command: str
) -> Iterator[BenchFigure]:
    what = f"{kind.name} exchange"
    rates = tuple(each.rate for each in samples)
    yield BenchFigure(f"{what}s, one core", "/s", rates, command, kind.rate)
    cpu = tuple(each.cpu * MICRO for each in samples)
    yield BenchFigure(f"{what}: CPU, all threads", "us", cpu, command, kind.cpu)


def _latency_figures(
    what: str,
    asked: list[load.TokenLoadResult],
    command: str,
    goal: FigureGoal | None = None,
) -> Iterator[BenchFigure]:
    median = tuple(each.median * MILLI for each in asked)
    yield BenchFigure(what.format("p50"), "ms", median, command)
    slow = tuple(each.slow * MILLI for each in asked)
    yield BenchFigure(what.format("p99"), "ms", slow, command, goal)


def _measure_without_disk(rounds: int, count: int, command: str) -> Iterator[Line]:
    """Measure half load again on a memory file system.

    Told beside the figures: what the service itself takes, and what its disk does.
    """
    if not os.access(MEMORY, os.W_OK):
        return
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(dir=MEMORY))
        ours = stack.enter_context(
            token_service.run_token_service(Path(folder) / "federation")
        )
        pinned = _pin_cpu(ours.pid)
        for kind in KINDS:
            _saturate(ours, kind, count, pinned)
        halves = _measure_rates(ours, _HALF, rounds, count, pinned)
    for kind, asked in halves.items():
        what = f"{kind.name} exchange, no disk: {{}} at half load"
        yield from _latency_figures(what, asked, command)
    yield BenchRemark(
        f'"No disk": all state is in {MEMORY}, where a sync does not wait; the '
        "difference from the other figures is the disk time.",
        command,
    )


def _machine_remarks(
    paused: list[tuple[float, float]], command: str
) -> Iterator[BenchFigure]:
    cores, disk = (tuple(t * MILLI for t in each) for each in zip(*paused, strict=True))
    what = (
        f"the machine alone, longest pause of a core in {machine_pauses.SECONDS:.0f} s"
    )
    yield BenchFigure(what, "ms", cores, command)
    what = f"the machine alone, slowest of {machine_pauses.SYNCS} syncs of a page"
    yield BenchFigure(what, "ms", disk, command)


def _measure_rival(
    other: rivals.RivalService, pinned: bool
) -> tuple[float, float, float]:
    """Give its rate, its processor seconds for each, and its median of one client."""
    core = ASKS if pinned else -1
    before = process_usage.cpu_seconds((other.pid,))
    many = load.run_load(other.build_order(CLIENTS, RIVAL, core))
    cpu = (process_usage.cpu_seconds((other.pid,)) - before) / many.calls
    time.sleep(0.2)
    alone = load.run_load(other.build_order(1, CLIENTS, core))
    return many.calls / many.seconds, cpu, alone.median


def _rival_figures(
    name: str, taken: list[tuple[float, float, float]], command: str
) -> Iterator[BenchFigure]:
    rates, cpu, alone = zip(*taken, strict=True)
    yield BenchFigure(f"{name}: exchanges", "/s", rates, command)
    spent = tuple(each * MICRO for each in cpu)
    yield BenchFigure(f"{name}: CPU of an exchange", "us", spent, command)
    walls = tuple(each * MILLI for each in alone)
    yield BenchFigure(f"{name}: p50, one client", "ms", walls, command)
