"""One cold run of reach over a generated organisation, in a process of its own.

`python -m bench.reach_run SIZE SEED EDITS` prints what each stage took, as JSON.
"""

import gc
import json
import os
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import TypeVar

from answerable.connectors.iam_catalogue.fetch import load
from bench import child
from bench.engine import Engine, engine
from bench.organization.changes import changes
from bench.organization.diversity import diversity
from bench.organization.make import Organization, organization
from bench.points import points

POINTS, ASKED, EXPLAINED = 2_000, 40, 5
_PATIENCE = 60.0
Result = TypeVar("Result")
Told = dict[str, object]


def timed(work: Callable[[], Result]) -> tuple[Result, float]:
    started = time.perf_counter()
    found = work()
    return found, time.perf_counter() - started


def peak() -> float:
    """Return the most memory this process ever had, MiB."""
    kernel = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kernel / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def run(size: int, seed: int, edits: int) -> Told:
    """Measure everything at one size."""
    catalogue = load()
    made = organization(size, seed, catalogue)
    gc.collect()
    told: Told = {"before": child.resident(os.getpid()) / (1 << 20)}
    held = engine(made, catalogue)
    told |= cold(held)
    told["diversity"] = diversity(made.facts)
    told["actions"] = sum(len(s.actions) for s in catalogue.services.values())
    told["resources"] = len(made.facts.resources)
    told |= questions(held, made, seed)
    told |= recomputed(held, made, seed, edits)
    return told


def cold(held: Engine) -> Told:
    """Compile, find every step and close, sweep actions and resources."""
    _, compiled = timed(held.compile)
    steps, paths = timed(held.steps)
    cells, swept = timed(held.sweep)
    most = peak()
    pairs, closed = timed(held.close_again)
    edges, assumed = timed(held.assume_again)
    return {
        "compile": compiled,
        "steps": paths - closed,
        "closure": closed,
        "assume edges": assumed,
        "assume edge count": edges,
        "sweep": swept,
        "cold": compiled + paths + swept,
        "peak": most,
        "step count": steps,
        "pairs": pairs,
        "cells": cells,
        "granted": held.granted(),
    }


def questions(held: Engine, made: Organization, seed: int) -> Told:
    """Ask warm: each kind once before it is timed."""
    drawn = points(made, POINTS, seed)
    verdicts = Counter(held.verdict(point).value for point in drawn)
    for point in drawn:
        if held.swept(point) is not held.verdict(point):
            raise RuntimeError(f"the sweep says {held.swept(point)} of {point}")
    for point in drawn:
        held.explained(point)
    _, verdict = timed(lambda: [held.verdict(point) for point in drawn])
    _, explained = timed(lambda: [held.explained(point) for point in drawn])
    who = [timed(lambda p=p: held.who_can(p[1], p[2])) for p in drawn[:ASKED]]
    again = [timed(lambda p=p: held.who_can(p[1], p[2])) for p in drawn[:ASKED]]
    proofs = [
        timed(lambda p=p: held.who_can_explained(p[1], p[2])) for p in drawn[:EXPLAINED]
    ]
    return {
        "verdicts": dict(verdicts),
        "verdict us": verdict / POINTS * 1e6,
        "explained us": explained / POINTS * 1e6,
        "who-can first ms": [took * 1e3 for _, took in who],
        "who-can ms": [took * 1e3 for _, took in again],
        "who-can found": [count for count, _ in again],
        "who-can explained ms": [took * 1e3 for _, took in proofs],
    }


def recomputed(held: Engine, made: Organization, seed: int, edits: int) -> Told:
    """Edit a policy, bring everything up to date, and edit it back untimed."""
    spent: dict[str, list[float]] = {}
    until = time.perf_counter() + _PATIENCE
    for change in changes(made, edits, seed):
        if time.perf_counter() > until:
            break  # a miss is a miss, and need not be told by all of them
        _, took = timed(lambda change=change: held.edited(change.facts))
        spent.setdefault(change.kind, []).append(took * 1e3)
        held.edited(made.facts)
    return {"edit ms": spent}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(run(*map(int, sys.argv[1:4]))))
