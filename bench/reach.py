"""Reach over a generated organisation with every policy kind in it.

`python -m bench --only reach`. Every round is a process of its own (`bench.reach_run`);
the sizes take turns.
"""

import json
import statistics
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from bench import child
from bench.figures import Figure, Goal, Line, Remark, at_most

ROUNDS = 3
SMALL, LARGE, QUICK = 1_000, 10_000, 300
EDITS = 35
Told = dict[str, Any]
_COLD = at_most(10, "<= 10 s")
_MEMORY = at_most(1024, "<= 1 GiB")
_POINT = at_most(20, "<= 20 us")
_WHO = at_most(5, "<= 5 ms")
_EDIT = at_most(50, "<= 50 ms")
_EDGES = at_most(50, "<= 50 ms")
_GROWTH = at_most(12, "<= 12x")


def figures(
    sizes: Sequence[int], seed: int, rounds: int, command: str
) -> Iterator[Line]:
    """Measure at each size; the goals are those of the largest."""
    command = f"{command} --only reach"
    told: dict[int, list[Told]] = {size: [] for size in sizes}
    for _ in range(rounds):
        for size in sizes:
            told[size].append(_run(size, seed))
    for size in sizes:
        yield Remark(_about(size, told[size][0]), command)
        yield from _of_size(size, told[size], command, goals=size >= LARGE)
    small, large = min(sizes), max(sizes)
    if large >= 2 * small:
        # Against the fastest small run: whatever slowed one flatters this.
        fastest = min(run["cold"] for run in told[small])
        growth = tuple(run["cold"] / fastest for run in told[large])
        words = f"reach: cold time of {large:,} principals over {small:,}"
        goal = _GROWTH if large >= LARGE else None
        yield Figure(words, "x", growth, command, goal)


def _run(size: int, seed: int) -> Told:
    argv = (sys.executable, "-m", "bench.reach_run", str(size), str(seed), str(EDITS))
    found: Told = json.loads(child.run(argv).out)
    return found


def _about(size: int, run: Told) -> str:
    """Say what the figures were measured on."""
    counted = {**run["diversity"], "steps": run["step count"], "pairs": run["pairs"]}
    words = ", ".join(f"{count:,} {what}" for what, count in counted.items())
    verdicts = ", ".join(f"{count:,} {word}" for word, count in run["verdicts"].items())
    found = statistics.median(run["who-can found"])
    sure, some = run["granted"]
    return (
        f"{size:,} principals asked for: {words}. The sweep makes {run['cells']:,} cells: "
        f"{some:,} combinations of principal, action and resource are allowed, {sure:,} "
        f"of them whatever the request carries. Of {sum(run['verdicts'].values()):,} "
        f"point checks {verdicts}; who-can finds {found:,.0f} (median)."
    )


def _of_size(
    size: int, runs: Sequence[Told], command: str, *, goals: bool
) -> Iterator[Line]:
    first = runs[0]
    of = f"{size:,} principals"

    def figure(what: str, unit: str, name: str, goal: Goal | None = None) -> Figure:
        values = tuple(float(run[name]) for run in runs)
        return Figure(f"reach: {what}", unit, values, command, goal if goals else None)

    yield figure(f"compile, {of}", "s", "compile")
    steps = f"reach: steps between identities ({first['step count']:,}), {of}"
    values = tuple(float(run["steps"]) * 1e3 for run in runs)
    yield Figure(steps, "ms", values, command)
    edges = f"reach: assume edges alone ({first['assume edge count']:,}), {of}"
    values = tuple(float(run["assume edges"]) * 1e3 for run in runs)
    yield Figure(edges, "ms", values, command, _EDGES if size == SMALL else None)
    yield figure(f"closure ({first['pairs']:,} pairs), {of}", "s", "closure")
    swept = f"{of} x {first['actions']:,} actions x {first['resources']:,} resources"
    yield figure(f"sweep of {swept}", "s", "sweep")
    yield figure(f"cold: all of these, {of}", "s", "cold", _COLD)
    yield figure(f"memory before, with the facts, {of}", "MiB", "before")
    yield figure(f"peak memory, cold, {of}", "MiB", "peak", _MEMORY)
    yield figure(f"point check, verdict, {of}", "us", "verdict us", _POINT)
    yield figure(f"point check, explained, {of}", "us", "explained us")
    yield from _lists(of, runs, command, goals=goals)


def _lists(
    of: str, runs: Sequence[Told], command: str, *, goals: bool
) -> Iterator[Figure]:
    """Questions that differ from one to the next: the median, and the worst."""

    def figures(
        what: str, each: Sequence[Sequence[float]], goal: Goal
    ) -> Iterator[Figure]:
        held = goal if goals else None
        medians = tuple(statistics.median(values) for values in each)
        yield Figure(f"reach: {what}, {of}, median", "ms", medians, command, held)
        worst = tuple(max(values) for values in each)
        yield Figure(f"reach: {what}, {of}, worst", "ms", worst, command)

    yield from figures(
        "who-can, everybody, through others too", [r["who-can ms"] for r in runs], _WHO
    )
    first = tuple(statistics.median(run["who-can first ms"]) for run in runs)
    what = f"reach: who-can of an action and a resource not asked before, {of}, median"
    yield Figure(what, "ms", first, command)
    proofs = tuple(statistics.median(run["who-can explained ms"]) for run in runs)
    what = f"reach: who-can with the first 50 explained, {of}, median"
    yield Figure(what, "ms", proofs, command)
    edits = [[ms for some in run["edit ms"].values() for ms in some] for run in runs]
    yield from figures("one policy edited, all brought up to date", edits, _EDIT)
    for kind in runs[0]["edit ms"]:
        found = [run["edit ms"].get(kind) for run in runs]
        values = tuple(statistics.median(some) for some in found if some)
        what = f"reach: the same, {kind}, {of}, median"
        yield Figure(what, "ms", values, command, _EDIT if goals else None)
