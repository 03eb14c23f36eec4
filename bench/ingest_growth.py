"""Ingest of 2 and 20 million events of 60 days beside the floor, and questions on 20.

With `--folder`, a store that was measured is asked again, and not built again.
"""

import itertools
import json
import shutil
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from bench.cloudtrail import TrailGenerator, TrailSpan, role_caller
from bench.command_run import answerable_command, drop_page_cache
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
_REPEAT = 5
_RESOURCE = "arn:aws:s3:::data-001/year=2026/part-003001.parquet"
_MEMORY = at_most(1024, "<= 1 GiB")
_WARM, _COLD = at_most(0.5, "<= 0.5 s"), at_most(2, "<= 2 s")


def measure_growth(
    folder: Path, seed: int, command: str, *, quick: bool
) -> Iterator[BenchFigure]:
    """Ingest the smaller and the larger trail into new stores; verify and ask the larger."""
    fewer = _QUICK if quick else _EVENTS
    store = folder / f"store-{fewer * 10}"
    if not store.exists():
        yield from _ingest_both(folder, fewer, seed, command)
    took = answerable_command("--store", str(store), "evidence", "verify")
    size = f"{fewer * 10:,} events"
    yield BenchFigure(f"evidence verify, {size}", "s", (took.wall,), command)
    what = f"peak memory of verify, {size}"
    yield BenchFigure(what, "MiB", (took.peak,), command, _MEMORY)
    yield from _ask(store, size, _find_session_key(fewer * 10, seed), command)


def _ingest_both(
    folder: Path, fewer: int, seed: int, command: str
) -> Iterator[BenchFigure]:
    """Ingest both trails; the larger store is moved to its place when all is measured."""
    prepare_trail(folder / "new", _QUICK, seed, _SPAN)
    measure_ingest(folder / "new", _QUICK)  # compiles the modules
    seconds = []
    for events in (fewer, fewer * 10):
        prepare_trail(folder / "new", events, seed, _SPAN)
        run = measure_ingest(folder / "new", events)
        yield from summarise_ingest([run], events, command)
        floor = measure_floor(folder / "new", events)
        yield from summarise_floor([run], [floor], events, command)
        seconds.append(run.seconds)
    words = f"time of {fewer * 10:,} over {fewer:,}"
    goal = at_most(11, "<= 11x")
    yield BenchFigure(words, "x", (seconds[1] / seconds[0],), command, goal)
    (folder / "new" / f"store-{fewer * 10}").rename(folder / f"store-{fewer * 10}")
    shutil.rmtree(folder / "new")


def _ask(store: Path, size: str, key: str, command: str) -> Iterator[BenchFigure]:
    """Ask four questions of an investigation: first, with a cold file cache, and warm."""
    week = (
        "--since",
        _format_day(_SPAN.days - 10),
        "--until",
        _format_day(_SPAN.days - 3),
    )
    last, month = _SPAN.days - 1, _SPAN.days - 31
    earlier = f"{_format_day(month)}..{_format_day(last)}"
    asked = {
        "a resource in a week": ("--resource", _RESOURCE, *week),
        "an identity in a week": ("--identity", role_caller(40), *week),
        "a credential": ("--credential", f"cred:aws/{key}"),
        "what a day had first, of 30 days before": (
            *("--first-seen", "--since", _format_day(last), "--compare", earlier),
        ),
    }
    for name, words in asked.items():
        argv = ("--store", str(store), "-o", "json", "trace", *words)
        first = answerable_command(*argv)
        drop_page_cache(store)
        cold, *warm = [answerable_command(*argv) for _ in range(1 + _REPEAT)]
        what = f"trace of {name}, {size}"
        walls, seconds = (
            tuple(getattr(each, kind) for each in warm) for kind in ("wall", "cpu")
        )
        yield BenchFigure(f"{what}, warm, wall", "s", walls, command, _WARM)
        yield BenchFigure(f"{what}, warm, processor time", "s", seconds, command)
        yield BenchFigure(f"{what}, cold, wall", "s", (cold.wall,), command, _COLD)
        yield BenchFigure(f"{what}, first, wall", "s", (first.wall,), command)
        peak = max(each.peak for each in (first, cold, *warm))
        yield BenchFigure(f"{what}, peak memory", "MiB", (peak,), command, _MEMORY)


def _format_day(days: int) -> str:
    """Format the start of a day of the trail."""
    return f"{_SPAN.start + timedelta(days=days):%Y-%m-%dT%H:%M:%SZ}"


def _find_session_key(events: int, seed: int) -> str:
    """Find a temporary key with frequent use at the start of the trail."""
    records = itertools.islice(TrailGenerator(seed, events, _SPAN).records(), 2_000)
    keys = Counter(
        json.loads(text)["userIdentity"]["accessKeyId"] for _, text in records
    )
    return next(key for key, _ in keys.most_common() if key.startswith("ASIA"))
