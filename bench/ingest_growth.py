"""Ingest of ten times as many events: 2 and 20 million of 60 days, each beside the floor."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from bench.cloudtrail import TrailSpan
from bench.command_run import answerable_command
from bench.figures import BenchFigure, at_most
from bench.ingest import (
    measure_floor,
    measure_ingest,
    prepare_trail,
    summarise_floor,
    summarise_ingest,
)

_EVENTS, _QUICK = 2_000_000, 2_000
_SPAN = TrailSpan(days=60)
_MEMORY = at_most(1024, "<= 1 GiB")


def measure_growth(
    folder: Path, seed: int, command: str, *, quick: bool
) -> Iterator[BenchFigure]:
    """Ingest the smaller and the larger trail into new stores; verify the larger."""
    fewer = _QUICK if quick else _EVENTS
    seconds = []
    for events in (fewer, fewer * 10):
        prepare_trail(folder, events, seed, _SPAN)
        run = measure_ingest(folder, events)
        yield from summarise_ingest([run], events, command)
        floor = measure_floor(folder, events)
        yield from summarise_floor([run], [floor], events, command)
        seconds.append(run.seconds)
        for name in ("trail", "floor"):
            shutil.rmtree(folder / f"{name}-{events}")
    words = f"time of {fewer * 10:,} over {fewer:,}"
    goal = at_most(11, "<= 11x")
    yield BenchFigure(words, "x", (seconds[1] / seconds[0],), command, goal)
    store = folder / f"store-{fewer * 10}"
    took = answerable_command("--store", str(store), "evidence", "verify")
    size = f"{fewer * 10:,} events"
    yield BenchFigure(f"evidence verify, {size}", "s", (took.wall,), command)
    what = f"peak memory of verify, {size}"
    yield BenchFigure(what, "MiB", (took.peak,), command, _MEMORY)
