"""What the peers are held against: our side of each job, one process from one file.

Run as `python -m bench.ours one ACCOUNT ARN OUT`, `... all ACCOUNT` or `... points
ACCOUNT POINTS`.
"""

import json
import sys
import time
from pathlib import Path

from answerable.connectors.aws import fetch
from answerable.connectors.iam_catalogue.fetch import load
from answerable.model.connector import SyncContext
from answerable.model.ids import IdentityId
from answerable.reach import questions
from answerable.reach.estate.estate import Estate, compile_estate
from answerable.reach.paths.graph import Graph
from answerable.reach.rows.rows import Filter
from answerable.reach.subjects import services_of
from answerable.reach.verdict.formula import verdict

_ROUNDS = 3


def estate(account: str) -> Estate:
    """Read the file as a scan does, and compile it."""
    facts = fetch.sync(account, SyncContext(1, lambda _: "")).facts
    return compile_estate(facts, load(services_of(facts)))


def one(account: str, arn: str, out: str) -> None:
    """Write the patterns that a principal may use, each with its conditions."""
    graph = Graph(estate(account))
    found = questions.reach(graph, IdentityId(arn), Filter(), direct=True)
    rows = [
        {
            "row": str(reply.row),
            "verdict": verdict(reply.formula).value,
            "determining": [str(one) for one in reply.determining],
        }
        for reply in found
    ]
    Path(out).write_text(json.dumps(rows), encoding="utf-8")


def whole(account: str) -> None:
    """List what every principal may do."""
    graph = Graph(estate(account))
    for identity in graph.estate.principals:
        for _ in questions.reach(graph, identity, Filter(), direct=True):
            pass


def points(account: str, asked: str) -> None:
    """Time one verdict, warm."""
    made = estate(account)
    drawn = json.loads(Path(asked).read_bytes())
    spent = []
    for _ in range(_ROUNDS):
        started = time.perf_counter()
        for who, what, on in drawn:
            questions.ask(made, made.principals[who], what, on)
        spent.append((time.perf_counter() - started) / len(drawn) * 1e6)
    sys.stdout.write(json.dumps({"us": sorted(spent)[1]}))


if __name__ == "__main__":
    job, *rest = sys.argv[1:]
    {"one": one, "all": whole, "points": points}[job](*rest)
