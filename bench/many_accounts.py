"""Scan of many accounts, one file each, and a second scan of which little changed.

`python -m bench --only accounts`. An account has 10,000 users and roles. For the second
scan, one in a hundred of them has a new tag, is gone, or is new. `MANY_ACCOUNTS` in the
environment is the number of accounts.
"""

import json
import os
import random
from collections.abc import Iterator
from pathlib import Path

from answerable.connectors.iam_catalogue.fetch import load_catalogue
from bench.command_run import answerable_command
from bench.figures import BenchFigure, Line, at_most
from bench.organization.authorization_details import Json, export_account
from bench.organization.generator import generate_organization
from bench.reach_questions import sample_questions

ACCOUNTS, SIZE = 30, 10_000
QUICK_ACCOUNTS, QUICK_SIZE = 3, 100
_FIRST_ACCOUNT = 300_000_000_000
_CHANGED = 0.01
_LISTS = ("UserDetailList", "RoleDetailList")
_MIB = 1 << 20
_SCAN_MEMORY = at_most(256, "<= 256 MiB")


def measure_accounts(
    folder: Path, seed: int, command: str, *, quick: bool = False
) -> Iterator[Line]:
    """Scan the accounts twice, and ask the first questions."""
    accounts = int(os.environ.get("MANY_ACCOUNTS", ACCOUNTS))
    accounts, size = (QUICK_ACCOUNTS, QUICK_SIZE) if quick else (accounts, SIZE)
    made = generate_organization(size, seed, load_catalogue(), single=True)
    number = made.plan.accounts[0].id
    account = export_account(made.facts, number)
    files = [folder / f"{_FIRST_ACCOUNT + n}.json" for n in range(accounts)]
    store = folder / "store"
    words = ("scan", *(f"aws:{file}" for file in files))
    before = 0
    for which in ("", ", 1 % changed"):
        for file in files:
            text = json.dumps(account).replace(number, file.stem)
            file.write_text(text, encoding="utf-8")
        took = answerable_command("--store", str(store), *words)
        after = sum(each.stat().st_size for each in (store / "objects").iterdir())
        what = f"scan of {accounts} accounts with {size:,} principals each{which}"
        yield BenchFigure(f"{what}: processor", "s", (took.cpu,), command)
        yield BenchFigure(f"{what}: peak", "MiB", (took.peak,), command, _SCAN_MEMORY)
        stored = (after - before) / _MIB
        yield BenchFigure(f"{what}: stored", "MiB", (stored,), command)
        before = after
        _change_account(account, random.Random(seed))
    point = [
        each.replace(number, files[0].stem)
        for each in sample_questions(made, 1, seed)[0]
    ]
    identity, action, resource = point
    asked = (
        ("first `can` after it", ("can", identity, action, resource)),
        ("`can` after it", ("can", identity, action, resource)),
        ("`who-can` after it", ("who-can", action, resource)),
        ("`reach` after it", ("reach", identity)),
        ("`findings` after it", ("findings",)),
    )
    for name, question in asked:
        took = answerable_command("--store", str(store), "-o", "json", *question)
        what = f"{name}, {accounts * size:,} principals"
        yield BenchFigure(f"{what}: processor", "s", (took.cpu,), command)
        yield BenchFigure(f"{what}: peak", "MiB", (took.peak,), command)


def _change_account(account: Json, chance: random.Random) -> None:
    """Give a few users and roles a new tag; remove some, and add others."""
    for name in _LISTS:
        rows = account[name]
        changed: list[Json] = []
        for row in rows:
            drawn = chance.random()
            if drawn < 0.75 * _CHANGED:
                row = {
                    **row,
                    "Tags": [*row["Tags"], {"Key": "new", "Value": str(drawn)}],
                }
            elif drawn < 0.875 * _CHANGED:
                continue
            elif drawn < _CHANGED:
                changed.append({**row, "Arn": f"{row['Arn']}-new"})
            changed.append(row)
        account[name] = changed
