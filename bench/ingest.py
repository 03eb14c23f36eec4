"""Ingest: from gzip files to sealed evidence, through the command line."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from bench.cloudtrail import Written, write_trail
from bench.command_run import answerable


@dataclass(frozen=True, slots=True)
class Ingested:
    """One run: seconds, peak MiB, and bytes per event at rest."""

    seconds: float
    cpu: float
    peak: float
    rows: float
    leaves: float
    whole: float


def trail_of(folder: Path, events: int, seed: int) -> Written:
    """Write the trail once; its time is not measured."""
    place = folder / f"trail-{events}"
    shutil.rmtree(place, ignore_errors=True)
    return write_trail(place, events, seed)


def ingest(folder: Path, events: int) -> Ingested:
    """Ingest the trail of that size into a new store.

    Raises:
        RuntimeError: Something was not stored.
    """
    store = folder / f"store-{events}"
    shutil.rmtree(store, ignore_errors=True)
    took = answerable(
        "--store", str(store), "-o", "json", "ingest",
        f"cloudtrail:{folder / f'trail-{events}'}",
    )  # fmt: skip
    (item,) = json.loads(took.out)["items"]
    counts = {name: item[name] for name in ("read", "stored", "quarantined")}
    if counts != {"read": events, "stored": events, "quarantined": 0}:
        raise RuntimeError(f"ingest of {events} events counted {counts}")
    return Ingested(
        took.wall,
        took.cpu,
        took.peak,
        _size(store / "segments", ".parquet") / events,
        _size(store / "segments", ".leaves") / events,
        _size(store, "") / events,
    )


def _size(folder: Path, ending: str) -> int:
    files = (path for path in folder.rglob(f"*{ending}") if path.is_file())
    return sum(path.stat().st_size for path in files)
