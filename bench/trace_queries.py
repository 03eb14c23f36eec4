"""Trace queries on a large store, each by a process of `answerable trace`."""

import itertools
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import timedelta

from bench import command_run
from bench.cloudtrail import DAYS, START, TrailGenerator, role_caller, user_caller
from bench.figures import BenchFigure, at_most

_MEMORY = at_most(1024, "<= 1 GiB")
_REPEAT = 5
_DAY = timedelta(days=1)


def _format_day(days: float) -> str:
    return (START + _DAY * days).strftime("%Y-%m-%dT%H:%M:%SZ")


def build_questions(events: int, seed: int) -> Mapping[str, tuple[str, ...]]:
    """Return named queries that match events of the trail."""
    things = {
        name: f"arn:aws:s3:::data-{n % 200:03}/year=2026/part-{n:06}.parquet"
        for name, n in (("busy", 2), ("quiet", 3_001))
    }
    return {
        "a busy object, the whole week": ("--resource", things["busy"]),
        "a quiet object, the whole week": ("--resource", things["quiet"]),
        "a bucket, one day": (
            *("--resource", "arn:aws:s3:::data-007/*"),
            *("--since", _format_day(2), "--until", _format_day(3)),
        ),
        "a role, the whole week": ("--identity", role_caller(40)),
        "a static key, the whole week": (
            "--credential",
            f"cred:aws/{user_caller(60).key}",
        ),
        "a session key": ("--credential", f"cred:aws/{_session_key(events, seed)}"),
        "writes, one day": (
            *("--action", "s3:Put*"),
            *("--since", _format_day(DAYS - 2), "--until", _format_day(DAYS - 1)),
        ),
    }


def _session_key(events: int, seed: int) -> str:
    """Find a key with early and frequent use in the trail."""
    trail = TrailGenerator(seed, events)
    records = itertools.islice(trail.records(), 2_000)
    keys = Counter(
        json.loads(text)["userIdentity"]["accessKeyId"] for _, text in records
    )
    return next(key for key, _ in keys.most_common() if key.startswith("ASIA"))


def measure_queries(
    store: str, events: int, seed: int, command: str
) -> Iterator[BenchFigure]:
    """Run each query with `answerable trace`: once cold, then warm.

    Args:
        store: The store's folder.
        events: How many it holds.
        seed: Of the trail.
        command: What measures this.
    """
    peaks = []
    for name, words in build_questions(events, seed).items():
        argv = ("--store", store, "-o", "json", "trace", *words)
        first, *again = [
            command_run.answerable_command(*argv) for _ in range(1 + _REPEAT)
        ]
        rows = len(json.loads(first.out)["items"])
        what = f"trace {name} ({rows:,} rows of {events:,})"
        yield BenchFigure(f"{what}, first", "s", (first.wall,), command)
        walls = tuple(each.wall for each in again)
        yield BenchFigure(f"{what}, again", "s", walls, command)
        peaks += [each.peak for each in (first, *again)]
    yield BenchFigure("peak memory of these", "MiB", (max(peaks),), command, _MEMORY)
