"""The decision point's figures: tiers, reading, memory, and the law at length."""

import json
import random
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from answerable.enforce.cedar.asking import PARSED
from answerable.enforce.decide import NOTHING_STANDS, decide
from answerable.enforce.table import Table, compile_table
from answerable.model.decision import Layer, Request
from bench import child
from bench.enforce import law, reload, sets
from bench.figures import Figure, Goal, Line, Remark, at_most

COUNT, QUICK = 10_000, 500
ROUNDS = 5
HOT = 2000  # slices that calls are for, of all
MICRO = 1e6

_NAMES = {
    Layer.TABLE: "tier 1, a lookup",
    Layer.CONSTRAINT: "tier 2, compiled conditions",
    Layer.CEDAR: "tier 3, Cedar asked",
}
_GOALS = {
    Layer.TABLE: at_most(2, "<= 2 us"),
    Layer.CEDAR: at_most(50, "<= 50 us"),
}


def figures(folder: Path, command: str, *, quick: bool) -> Iterator[Line]:
    """Measure them all."""
    command = f"{command} --only enforce"
    count = QUICK if quick else COUNT
    for kind in sets.KINDS:
        yield from _of_tier(kind, count, command)
    yield from _of_reading(count, command)
    yield from _of_mistakes(count, command)
    yield from reload.figures(folder, count, command)
    yield from _of_memory(count, command)
    yield from law.figures(quick=quick, command=command)
    yield Remark(
        f"Sets of {count:,} policies, each about one agent and one tool: as many slices. "
        f"Calls go to {min(HOT, count):,} of them by chance. A tier's figure is the "
        "median call, with everything that `decide` does; its arguments are read anew "
        'each time. "First" is the first call of a slice, which is made and parsed by '
        f"it. At most {2 * PARSED:,} slices stay parsed.",
        command,
    )


def _of_tier(kind: Layer, count: int, command: str) -> Iterator[Figure]:
    rules = sets.read(sets.texts(count, kind)).rules
    assert len(rules.rules) == count
    table = compile_table(sets.the_config(), rules)
    asked = sets.calls(count)
    first = _median(table, asked)
    rng = random.Random(1)
    hot = [rng.choice(asked[:HOT]) for _ in range(10 * HOT)]
    _median(table, hot)
    goal: Goal | None = _GOALS.get(kind)
    medians = tuple(_median(table, hot) * MICRO for _ in range(ROUNDS))
    yield Figure(f"decide: {_NAMES[kind]}", "us", medians, command, goal)
    what = f"decide: {_NAMES[kind]}, first"
    yield Figure(what, "us", (first * MICRO,), command)


def _median(table: Table, asked: Sequence[Request]) -> float:
    """Seconds of the median call."""
    taken = []
    for request in asked:
        began = time.perf_counter()
        decision = decide(table, NOTHING_STANDS, request)
        taken.append(time.perf_counter() - began)
        assert decision.passes
    return sorted(taken)[len(taken) // 2]


def _of_reading(count: int, command: str) -> Iterator[Figure]:
    """Read a set at a start, then with few changes and with nothing but changes."""
    before = sets.read(sets.texts(count, Layer.CEDAR)).rules
    for changed, words in ((0, "none"), (count // 100, "1 %"), (count, "all")):
        began = time.perf_counter()
        after = sets.read(sets.texts(count, Layer.CEDAR, changed), before).rules
        taken = time.perf_counter() - began
        assert len(after.rules) == count
        what = f"read {count:,} policies, {words} of them changed"
        yield Figure(what, "s", (taken,), command)


def _of_mistakes(count: int, command: str) -> Iterator[Figure]:
    from tests.enforce.cedar.planted import MISTAKES, planted
    from tests.enforce.cedar.policies import read

    text, wrong = planted(count)
    began = time.perf_counter()
    faults = read(text).faults
    taken = time.perf_counter() - began
    told = {(fault.line, fault.policy): fault.what for fault in faults}
    named = sum(what in told.get((line, policy), "") for line, policy, what in wrong)
    what = f"mistakes named with policy and line, of {len(MISTAKES)} in {count:,}"
    goal = Goal(
        "all, and no other", lambda value: value == len(faults) == len(MISTAKES)
    )
    yield Figure(what, "", (named,), command, goal)
    yield Figure("naming them", "s", (taken,), command)


def _of_memory(count: int, command: str) -> Iterator[Figure]:
    """Resident memory of a process with a worker's modules and every slice used."""
    for kind in sets.KINDS:
        argv = (sys.executable, "-m", "bench.enforce.resident", kind, str(count))
        said = json.loads(child.run(argv).out)
        what = f"memory that {count:,} slices add, {_NAMES[kind].partition(',')[0]}"
        yield Figure(what, "MiB", (said["added"],), command)
