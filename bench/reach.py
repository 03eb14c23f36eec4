"""Reach on the command line: a scanned account, then `can`, `who-can` and `reach`.

`python -m bench --only reach`. Every question is a process of its own, as a user asks it.
"""

import json
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path

from answerable.connectors.iam_catalogue.fetch import load
from bench import child
from bench.figures import Figure, Line, Remark, at_most
from bench.organization.details import details
from bench.organization.make import organization
from bench.points import Point, points

SIZE, QUICK = 1_000, 100
ASKED, QUICK_ASKED = 5, 1
_MEMORY = at_most(1024, "<= 1 GiB")
Words = Callable[[Point], tuple[str, ...]]


def figures(
    folder: Path, size: int, seed: int, asked: int, command: str
) -> Iterator[Line]:
    """Scan an account of that size, and ask of it."""
    command = f"{command} --only reach"
    made = organization(size, seed, load(), single=True)
    account = folder / f"reach-account-{size}.json"
    number = made.plan.accounts[0].id
    account.write_text(json.dumps(details(made.facts, number)), encoding="utf-8")
    store = str(folder / f"reach-store-{size}")
    scanned = child.answerable("--store", store, "scan", f"aws:{account}")
    of = f"{size:,} principals"
    yield Remark(
        f"{of}: an account of {len(made.plan.members):,} users and roles, as "
        "get-account-authorization-details answers (identity policies, groups, "
        "boundaries, trusts).",
        command,
    )
    yield Figure(f"scan aws:FILE, {of}", "s", (scanned.wall,), command)
    yield Figure(
        f"scan aws:FILE, {of}, peak memory", "MiB", (scanned.peak,), command, _MEMORY
    )
    drawn = points(made, asked + 1, seed)
    for name, words in _questions().items():
        took = [
            child.answerable("--store", store, "-o", "json", *words(point))
            for point in drawn
        ][1:]  # the first question may find nothing kept from an earlier one
        walls = tuple(each.wall for each in took)
        yield Figure(f"{name}, {of}", "s", walls, command)
        peak = statistics.median(each.peak for each in took)
        yield Figure(f"{name}, {of}, peak memory", "MiB", (peak,), command, _MEMORY)


def _questions() -> dict[str, Words]:
    return {
        "can PRINCIPAL ACTION RESOURCE": lambda point: ("can", *point),
        "who-can ACTION RESOURCE": lambda point: ("who-can", *point[1:]),
        "reach PRINCIPAL": lambda point: ("reach", point[0]),
    }
