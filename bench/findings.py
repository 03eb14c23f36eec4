"""Measure `findings`, `report` and `diff` of an account of 10,000 identities."""

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from answerable.connectors.iam_catalogue.fetch import load_catalogue
from bench import command_run
from bench.figures import BenchFigure, BenchRemark, Line, at_most
from bench.organization.authorization_details import export_account
from bench.organization.generator import generate_organization

SIZE, QUICK = 10_000, 500
ROUNDS = 3
_REMOVED, _WIDENED = 10, 20
_COMMANDS = (
    (("findings", "-o", "ndjson"), 15),
    (("report",), 20),
    (("diff", "-o", "json", "--allow-partial"), 5),
)
_EXTRA = {
    "PolicyName": "extra",
    "PolicyDocument": {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "Read",
                "Effect": "Allow",
                "Action": "s3:GetObject",
                "Resource": "arn:aws:s3:::customer-data/*",
            }
        ],
    },
}


def measure_findings(
    folder: Path, seed: int, command: str, *, quick: bool = False
) -> Iterator[Line]:
    """Scan an account before and after a change, and run the commands on both."""
    command = f"{command} --only findings"
    size = QUICK if quick else SIZE
    store = str(folder / f"findings-store-{size}")
    _scan_two_snapshots(folder, store, size, seed)
    yield BenchRemark(
        f"{size:,} identities: an account of users and roles, scanned twice; the second "
        f"time {_WIDENED} roles have one more policy, and {_REMOVED} are gone. The first "
        "run of a command derives tables of the snapshot, which later ones read.",
        command,
    )
    for words, goal in _COMMANDS:
        what = f"`{words[0]}`, {size:,} identities"
        runs = [
            command_run.answerable_command("--store", store, *words)
            for _ in range(1 if quick else ROUNDS + 1)
        ]
        first, *rest = runs
        yield BenchFigure(f"{what}: first run", "s", (first.wall,), command)
        what_first = f"{what}: first run, processor"
        yield BenchFigure(what_first, "s", (first.cpu,), command)
        later = rest or runs
        walls = tuple(each.wall for each in later)
        yield BenchFigure(what, "s", walls, command, at_most(goal, f"<= {goal} s"))
        cpu = tuple(each.cpu for each in later)
        yield BenchFigure(f"{what}: processor", "s", cpu, command)
        peaks = tuple(each.peak for each in runs)
        yield BenchFigure(f"{what}: peak memory", "MiB", peaks, command)


def _scan_two_snapshots(folder: Path, store: str, size: int, seed: int) -> None:
    """Scan the account, change it, and scan it again; once in a folder."""
    file = folder / f"findings-account-{size}.json"
    if file.exists():
        return
    made = generate_organization(size, seed, load_catalogue(), single=True)
    account = export_account(made.facts, made.plan.accounts[0].id)
    for document in (account, _change_roles(account, seed)):
        file.write_text(json.dumps(document), encoding="utf-8")
        command_run.answerable_command("--store", store, "scan", f"aws:{file}")


def _change_roles(account: dict[str, Any], seed: int) -> dict[str, Any]:
    """Return the account with wider roles, and without some."""
    roles = account["RoleDetailList"][:-_REMOVED]
    wider = set(random.Random(seed).sample(range(len(roles)), _WIDENED))
    changed = [
        role | {"RolePolicyList": [*role["RolePolicyList"], _EXTRA]}
        if number in wider
        else role
        for number, role in enumerate(roles)
    ]
    return account | {"RoleDetailList": changed}
