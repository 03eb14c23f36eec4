"""Law of intent on 100,000 pairs: self-reported text never loosens a decision.

Each half of them runs in a process of its own. Run as `python -m bench --only intent`.
"""

import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from bench.figures import BenchFigure, BenchRemark, Line, at_least, at_most

PAIRS, QUICK = 100_000, 400
PROCESSES = 2


def run_intent_law(seed: int, pairs: int, command: str) -> Iterator[Line]:
    """Check the law on that many pairs."""
    from tests.laws.self_reported import TABLE

    command = f"{command} --only intent"
    started = time.perf_counter()
    share = pairs // PROCESSES
    with ProcessPoolExecutor(PROCESSES, get_context("spawn")) as processes:
        tallies = list(
            processes.map(_check_pairs, [share] * PROCESSES, range(seed, seed + 9))
        )
    took = time.perf_counter() - started
    tried, went, broken = (sum(column) for column in zip(*tallies, strict=True))
    goal = at_least(PAIRS, f">= {PAIRS:,}") if pairs >= PAIRS else None
    yield BenchFigure("intent: pairs", "pairs", (tried,), command, goal)
    yield BenchFigure("intent: of which the act went on", "pairs", (went,), command)
    exceptions = "intent: decision or credential not equal or stricter"
    yield BenchFigure(exceptions, "", (broken,), command, at_most(0, "none"))
    yield BenchFigure("intent: time", "s", (took,), command)
    names = sum(len(row.names) for row in TABLE)
    yield BenchRemark(
        f"A pair of messages that ask for the same act of the same caller, over HTTP or "
        f"pipes, from the bytes that a client sends to those that a server gets. They "
        f"differ in what is said beside it: {len(TABLE)} kinds under {names} names "
        f"(`tests/laws/self_reported.py`).",
        command,
    )


def _check_pairs(pairs: int, seed: int) -> tuple[int, int, int]:
    """Check pairs in this process."""
    from tests.laws.intent import hold

    with tempfile.TemporaryDirectory() as folder:
        tally = hold(pairs, seed, Path(folder))
    for each in tally.broken[:3]:
        sys.stderr.write(f"intent: {each}\n")
    return tally.pairs, tally.went, len(tally.broken)
