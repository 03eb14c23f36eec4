"""Ingest: from gzip files to sealed evidence, through the command line."""

import json
import shutil
import stat
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from bench.cloudtrail import WEEK, TrailSpan, WrittenTrail, write_trail
from bench.command_run import answerable_command, run_command
from bench.figures import BenchFigure, at_least, at_most

_SAMPLE_SECONDS = 0.1
_MEMORY = at_most(1024, "<= 1 GiB")
# Smaller runs have no goals of rate and disk: their start weighs too much.
GOALS_FROM = 200_000


@dataclass(frozen=True, slots=True)
class IngestSample:
    """One run: seconds, peak MiB, bytes per event at rest, and most disk over that."""

    seconds: float
    cpu: float
    peak: float
    rows: float
    leaves: float
    whole: float
    disk: float


def prepare_trail(
    folder: Path, events: int, seed: int, span: TrailSpan = WEEK
) -> WrittenTrail:
    """Write the trail once; its time is not measured."""
    place = folder / f"trail-{events}"
    shutil.rmtree(place, ignore_errors=True)
    return write_trail(place, events, seed, span)


def measure_ingest(folder: Path, events: int) -> IngestSample:
    """Ingest the trail of that size into a new store.

    Raises:
        RuntimeError: Something was not stored.
    """
    store = folder / f"store-{events}"
    shutil.rmtree(store, ignore_errors=True)
    with _DiskSampler(store) as sampler:
        took = answerable_command(
            "--store", str(store), "-o", "json", "ingest",
            f"cloudtrail:{folder / f'trail-{events}'}",
        )  # fmt: skip
    whole = _folder_size(store, "")
    (item,) = json.loads(took.out)["items"]
    counts = {name: item[name] for name in ("read", "stored", "quarantined")}
    if counts != {"read": events, "stored": events, "quarantined": 0}:
        raise RuntimeError(f"ingest of {events} events counted {counts}")
    return IngestSample(
        took.wall,
        took.cpu,
        took.peak,
        _folder_size(store / "segments", ".parquet") / events,
        _folder_size(store / "segments", ".leaves") / events,
        whole / events,
        max(sampler.most, whole) / whole,
    )


def measure_floor(folder: Path, events: int) -> float:
    """Return the processor seconds of the floor of an ingest, for the same trail.

    Raises:
        RuntimeError: It read another number of events.
    """
    rows = folder / f"floor-{events}"
    shutil.rmtree(rows, ignore_errors=True)
    trail = folder / f"trail-{events}"
    took = run_command(
        (sys.executable, "-m", "bench.ingest_floor", str(trail), str(rows))
    )
    if int(took.out) != events:
        raise RuntimeError(f"the floor of {events} events read {took.out.strip()}")
    return took.cpu


def summarise_ingest(
    runs: Sequence[IngestSample], events: int, command: str
) -> Iterator[BenchFigure]:
    """Summarise the ingest runs of one size as figures."""

    def values(name: str) -> tuple[float, ...]:
        return tuple(getattr(run, name) for run in runs)

    size, is_large = f"{events:,} events", events >= GOALS_FROM
    rates = tuple(events / seconds for seconds in values("seconds"))
    floor = at_least(30_000, ">= 30,000") if is_large else None
    yield BenchFigure(f"ingest, {size}", "events/s", rates, command, floor)
    rates = tuple(events / seconds for seconds in values("cpu"))
    yield BenchFigure(f"per processor second, {size}", "events/s", rates, command)
    yield BenchFigure(f"peak memory, {size}", "MiB", values("peak"), command, _MEMORY)
    yield BenchFigure(f"segment, {size}", "B/event", values("rows"), command)
    yield BenchFigure(f"leaves, {size}", "B/event", values("leaves"), command)
    yield BenchFigure(f"whole store, {size}", "B/event", values("whole"), command)
    yield BenchFigure(
        f"most disk during ingest over the whole store, {size}",
        "x",
        values("disk"),
        command,
        at_most(1.5, "<= 1.5x") if is_large else None,
    )


def summarise_floor(
    runs: Sequence[IngestSample], floors: Sequence[float], events: int, command: str
) -> Iterator[BenchFigure]:
    """Compare the processor time of each ingest with that of the floor run after it."""
    size = f"{events:,} events"
    rates = tuple(events / seconds for seconds in floors)
    yield BenchFigure(f"floor per processor second, {size}", "events/s", rates, command)
    ratios = tuple(run.cpu / floor for run, floor in zip(runs, floors, strict=True))
    yield BenchFigure(
        f"processor time over the floor, {size}",
        "x",
        ratios,
        command,
        at_most(2, "<= 2x"),
    )


class _DiskSampler:
    """Thread that samples the size of a folder while a command runs."""

    def __init__(self, folder: Path) -> None:
        self.most = 0
        self._folder = folder
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sample)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._ended.wait(_SAMPLE_SECONDS):
            with suppress(OSError):  # a folder may vanish meanwhile
                self.most = max(self.most, _folder_size(self._folder, ""))


def _folder_size(folder: Path, ending: str) -> int:
    """Sum the sizes of files; one may vanish meanwhile."""
    size = 0
    for path in folder.rglob(f"*{ending}"):
        with suppress(FileNotFoundError):
            found = path.stat()
            size += found.st_size if stat.S_ISREG(found.st_mode) else 0
    return size
