"""Trace questions on a large store: as a command, and warm in one process.

Run as `python -m bench.queries STORE EVENTS SEED`, it prints seconds per question.
"""

import itertools
import json
import sys
import time
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from answerable.flows import trace
from answerable.store.store import Store
from bench.estate import DAYS, START, Trail, role, user

_REPEAT = 5
_DAY = timedelta(days=1)


def _ns(days: float) -> int:
    return int((START + _DAY * days).timestamp()) * 1_000_000_000


def questions(events: int, seed: int) -> Mapping[str, Mapping[str, str | int]]:
    """Return a question for each name; every one has an answer in the trail."""
    things = {
        name: f"arn:aws:s3:::data-{n % 200:03}/year=2026/part-{n:06}.parquet"
        for name, n in (("busy", 2), ("quiet", 3_001))
    }
    return {
        "a busy object, the whole week": {"resource": things["busy"]},
        "a quiet object, the whole week": {"resource": things["quiet"]},
        "a bucket, one day": {
            "resource": "arn:aws:s3:::data-007/*",
            "since": _ns(2),
            "until": _ns(3),
        },
        "a role, the whole week": {"identity": role(40)},
        "a static key, the whole week": {
            "credential": f"cred:aws/{user(60).key}",
        },
        "a session key": {"credential": f"cred:aws/{_session_key(events, seed)}"},
        "writes, one day": {
            "action": "s3:Put*",
            "since": _ns(DAYS - 2),
            "until": _ns(DAYS - 1),
        },
    }


def _session_key(events: int, seed: int) -> str:
    """Find a key that was used early in the trail and often."""
    trail = Trail(seed, events)
    records = itertools.islice(trail.records(), 2_000)
    keys = Counter(
        json.loads(text)["userIdentity"]["accessKeyId"] for _, text in records
    )
    return next(key for key, _ in keys.most_common() if key.startswith("ASIA"))


def timed(store: Store, question: trace.Question, now: int) -> tuple[float, int]:
    """Ask once; return seconds and rows."""
    started = time.perf_counter()
    document = trace.trace(store, question, now=now)
    return time.perf_counter() - started, len(document.items)


def main(place: str, events: str, seed: str) -> None:
    """Print {question: {"rows": n, "first": s, "warm": [s, ...]}}."""
    answers = {}
    now = time.time_ns()
    with Store.open(Path(place), now=now, create=False) as store:
        for name, fields in questions(int(events), int(seed)).items():
            question = trace.Question(**fields)
            first, rows = timed(store, question, now)
            again = [timed(store, question, now)[0] for _ in range(_REPEAT)]
            answers[name] = {"rows": rows, "first": first, "warm": again}
    sys.stdout.write(json.dumps(answers))


if __name__ == "__main__":
    main(*sys.argv[1:4])
