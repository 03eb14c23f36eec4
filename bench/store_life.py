"""Life of a store: a year of events in parts, and its questions at two sizes.

The run is resumable: with `--folder`, a part that was ingested is not ingested again.
`LIFE_EVENTS` in the environment is the number of events of the whole year, and
`LIFE_PARTS` the number of parts to ingest, of 37.
"""

import itertools
import json
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.cloudtrail import TrailGenerator, TrailSpan, role_caller, write_trail
from bench.command_run import answerable_command, drop_page_cache
from bench.figures import BenchFigure, BenchRemark, Line, at_most

EVENTS, QUICK = 30_000_000, 36_500
DAYS, PARTS = 365, 37
# Of 30 million events: 2.5 million, 20.5 million and all.
_ASKED_AFTER = (3, 25, PARTS)
_DAYS_OF_PART = 10
_FIRST = datetime(2025, 11, 2, tzinfo=UTC)
_REPEAT = 3
_MEMORY = at_most(512, "<= 512 MiB")
# Question: words of the command, and the most processor seconds of the full year.
_QUESTIONS: Mapping[str, tuple[tuple[str, ...], float]] = {
    "open, store stats": (("store", "stats"), 1),
    "trace of one day": (("trace", "--since", "{since}", "--until", "{until}"), 0.5),
    "trace --by action, the whole year": (("trace", "--by", "action"), 2),
    "agents": (("agents",), 2),
    "trace of a resource, the whole year": (("trace", "--resource", "{resource}"), 0.5),
    "trace of a credential, the whole year": (
        ("trace", "--credential", "{credential}"),
        0.5,
    ),
    "trace of an identity, the whole year": (("trace", "--identity", "{role}"), 0.5),
    "trace of writes, one day": (
        ("trace", "--action", "s3:Put*", "--since", "{since}", "--until", "{until}"),
        0.5,
    ),
    "evidence verify --incremental": (("evidence", "verify", "--incremental"), 10),
}
_COLD = at_most(2, "<= 2 s")


def measure_life(
    folder: Path, seed: int, command: str, *, quick: bool
) -> Iterator[Line]:
    """Ingest a year part by part; ask after some parts and after the last."""
    events = QUICK if quick else int(os.environ.get("LIFE_EVENTS", EVENTS))
    parts = PARTS if quick else int(os.environ.get("LIFE_PARTS", PARTS))
    store = folder / "store"
    costs: list[float] = []
    for part in range(parts):
        costs.append(_ingest_part(folder, store, part, events, seed))
        if part + 1 in _ASKED_AFTER:
            yield from _ask(folder, part + 1, events, seed, command)
    stored = sum(_describe_part(part, events)[0] for part in range(parts))
    first, last = costs[:4], costs[-4:]
    for name, values in (("first", first), ("last", last)):
        what = f"ingest, {name} four parts of {parts}, {stored:,} events"
        yield BenchFigure(what, "us CPU/event", tuple(values), command)
    size = sum(each.stat().st_size for each in store.rglob("*") if each.is_file())
    yield BenchFigure(
        f"whole store, {stored:,} events", "B/event", (size / stored,), command
    )
    yield BenchRemark(f"{DAYS} days; a part has {_DAYS_OF_PART} days.", command)


def _ingest_part(folder: Path, store: Path, part: int, events: int, seed: int) -> float:
    """Write and ingest one part, unless it is done; return its cost for each event."""
    done = folder / f"part-{part:02}.json"
    if done.exists():
        return float(json.loads(done.read_text())["us"])
    count, span = _describe_part(part, events)
    trail = folder / "trail"
    shutil.rmtree(trail, ignore_errors=True)
    write_trail(trail, count, seed + part, span)
    source = f"cloudtrail:{trail}"
    took = answerable_command("--store", str(store), "-o", "json", "ingest", source)
    (item,) = json.loads(took.out)["items"]
    # A part that was stored before the run was stopped is read again.
    if item["stored"] + item["duplicate"] != count:
        raise RuntimeError(f"ingest of {count} records counted {item}")
    cost = took.cpu / count * 1e6
    done.write_text(json.dumps({"us": cost, "peak": took.peak, "wall": took.wall}))
    shutil.rmtree(trail)
    return cost


def _describe_part(part: int, events: int) -> tuple[int, TrailSpan]:
    """Return how many events a part has, and its days."""
    days = min(_DAYS_OF_PART, DAYS - part * _DAYS_OF_PART)
    span = TrailSpan(_FIRST + timedelta(days=part * _DAYS_OF_PART), days)
    return events * days // DAYS, span


def _find_session_key(part: int, events: int, seed: int) -> str:
    """Find a temporary key with frequent use at the start of a part."""
    count, span = _describe_part(part, events)
    records = itertools.islice(TrailGenerator(seed + part, count, span).records(), 2000)
    keys: Counter[str] = Counter(
        json.loads(text)["userIdentity"]["accessKeyId"] for _, text in records
    )
    return next(key for key, _ in keys.most_common() if key.startswith("ASIA"))


def _ask(
    folder: Path, parts: int, events: int, seed: int, command: str
) -> Iterator[BenchFigure]:
    """Ask each question once to write derived files, cold, and then warm; keep figures."""
    days = min(parts * _DAYS_OF_PART, DAYS)
    size = f"{days} days, {events * days // DAYS:,} events"
    kept = folder / f"asked-{parts:02}.json"
    if not kept.exists():
        day = _FIRST + timedelta(days=days - 3)
        texts = {
            "since": f"{day:%Y-%m-%dT%H:%M:%SZ}",
            "until": f"{day + timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}",
            "resource": "arn:aws:s3:::data-001/year=2026/part-003001.parquet",
            "credential": f"cred:aws/{_find_session_key(parts - 1, events, seed)}",
            "role": role_caller(40),
        }
        store = ("--store", str(folder / "store"), "-o", "json")
        took: dict[str, list[tuple[float, float, float]]] = {}
        for name, (words, _) in _QUESTIONS.items():
            argv = [each.format(**texts) for each in words]
            runs = [answerable_command(*store, *argv)]
            drop_page_cache(folder / "store")
            runs += [answerable_command(*store, *argv) for _ in range(1 + _REPEAT)]
            took[name] = [(each.cpu, each.peak, each.wall) for each in runs]
        kept.write_text(json.dumps(took))
    for name, runs in json.loads(kept.read_text()).items():
        (first, *_), (_, _, cold), *warm = runs
        most = _QUESTIONS[name][1]
        goal = at_most(most, f"<= {most:g} s") if parts == PARTS else None
        cpu = tuple(each for each, _, _ in warm)
        yield BenchFigure(f"{name}, {size}, processor time", "s", cpu, command, goal)
        wall = tuple(each for _, _, each in warm)
        yield BenchFigure(f"{name}, {size}, wall", "s", wall, command)
        yield BenchFigure(f"{name}, {size}, first", "s", (first,), command)
        yield BenchFigure(f"{name}, {size}, cold, wall", "s", (cold,), command, _COLD)
        peak = tuple(each for _, each, _ in runs)
        yield BenchFigure(f"{name}, {size}, peak memory", "MiB", peak, command, _MEMORY)
