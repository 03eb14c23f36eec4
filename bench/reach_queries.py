"""Permission queries on the command line, each by its own process.

`python -m bench --only reach`. An account is scanned from its file; then `can`,
`who-can`, `reach` and `who-owns` are asked of 10,000 principals, and `agents`,
`who-owns`, `can`, `who-can` and `trace` of 100,000.
"""

import json
import statistics
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from answerable.connectors.iam_catalogue.fetch import load
from bench import command_run
from bench.cloudtrail import role, write_trail
from bench.figures import Figure, Goal, Line, Remark, at_most
from bench.organization.authorization_details import details
from bench.organization.generator import organization
from bench.reach_questions import Point, points

SIZE, MANY, QUICK = 10_000, 100_000, 100
EVENTS, QUICK_EVENTS = 200_000, 5_000
ASKED, QUICK_ASKED = 5, 1
_HALF, _ONE = at_most(0.5, "<= 0.5 s"), at_most(1, "<= 1 s")
_LONG = at_most(1.5, "<= 1.5 s")
_MEMORY = at_most(300, "<= 300 MiB")
Words = Callable[[Point], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Question:
    """A command with its time goal."""

    name: str
    words: Words
    goal: Goal | None


_QUESTIONS = (
    Question("can PRINCIPAL ACTION RESOURCE", lambda p: ("can", *p), _HALF),
    Question("who-can ACTION RESOURCE", lambda p: ("who-can", *p[1:]), _HALF),
    Question("reach PRINCIPAL", lambda p: ("reach", p[0]), _LONG),
    Question("who-owns PRINCIPAL", lambda p: ("who-owns", p[0]), _HALF),
)
_OF_MANY = (
    Question("agents", lambda _: ("agents",), _HALF),
    Question("who-owns PRINCIPAL", lambda p: ("who-owns", p[0]), _ONE),
    Question("can PRINCIPAL ACTION RESOURCE", lambda p: ("can", *p), _ONE),
    Question("who-can ACTION RESOURCE", lambda p: ("who-can", *p[1:]), _ONE),
    Question(
        "trace --identity ROLE, the whole week",
        lambda _: ("trace", "--identity", role(40)),
        _HALF,
    ),
)


@dataclass(frozen=True, slots=True)
class Account:
    """A scanned account.

    Attributes:
        store: Its store.
        size: How many users and roles it has.
        drawn: Questions by chance; the first one is not counted.
        command: Measures this.
    """

    store: str
    size: int
    drawn: list[Point]
    command: str

    @property
    def of(self) -> str:
        """Describe the account."""
        return f"{self.size:,} principals"


def figures(
    folder: Path, seed: int, command: str, *, quick: bool = False
) -> Iterator[Line]:
    """Scan both accounts and run the queries."""
    command = f"{command} --only reach"
    asked = QUICK_ASKED if quick else ASKED
    few, scanned = _scan(folder, QUICK if quick else SIZE, seed, asked, command)
    yield from scanned
    for question in _QUESTIONS:
        yield from _asked(few, question)
    yield from _engine(few)
    if quick:
        return
    many, scanned = _scan(folder, MANY, seed, asked, command)
    yield from scanned
    _trail_of(many, folder, seed)
    for question in _OF_MANY:
        yield from _asked(many, question)
    yield from _beside_duckdb(many)


def _scan(
    folder: Path, size: int, seed: int, asked: int, command: str
) -> tuple[Account, list[Line]]:
    """Scan an account of that size, or reuse a scan in the folder."""
    drawn = folder / f"reach-points-{size}.json"
    store = str(folder / f"reach-store-{size}")
    lines: list[Line] = []
    if not drawn.exists():
        made = organization(size, seed, load(), single=True)
        number = made.plan.accounts[0].id
        file = folder / f"reach-account-{size}.json"
        file.write_text(json.dumps(details(made.facts, number)), encoding="utf-8")
        took = command_run.answerable("--store", store, "scan", f"aws:{file}")
        found = points(made, asked + 1, seed)
        account = Account(store, size, found, command)
        what = f"scan aws:FILE, {account.of}"
        lines += [
            Figure(what, "s", (took.wall,), command),
            Figure(f"{what}: processor", "s", (took.cpu,), command),
            Figure(f"{what}: peak memory", "MiB", (took.peak,), command),
            *_first(account, ("can", *found[0])),
        ]
        drawn.write_text(json.dumps(found), encoding="utf-8")
    read = [tuple(point) for point in json.loads(drawn.read_text("utf-8"))]
    account = Account(store, size, read[: asked + 1], command)
    text = (
        f"{account.of}: an account of {size:,} users and roles, as "
        "get-account-authorization-details answers (identity policies, groups, "
        "boundaries, trusts)."
    )
    return account, [Remark(text, command), *lines]


def _trail_of(account: Account, folder: Path, seed: int) -> None:
    """Ingest a trail into the account's store once, and derive its chains."""
    trail = folder / "reach-trail"
    if not trail.exists():
        write_trail(trail, EVENTS, seed)
        command_run.answerable(
            "--store", account.store, "ingest", f"cloudtrail:{trail}"
        )
    command_run.answerable(
        "--store", account.store, *_OF_MANY[-1].words(account.drawn[0])
    )


def _first(account: Account, words: tuple[str, ...]) -> Iterator[Line]:
    """Run the first query after a scan; it derives cached data."""
    took = command_run.answerable("--store", account.store, "-o", "json", *words)
    what = f"first `{' '.join(words[:-3])}` after a scan, {account.of}"
    yield Figure(what, "s", (took.wall,), account.command)
    yield Figure(f"{what}: processor", "s", (took.cpu,), account.command)
    yield Figure(f"{what}: peak memory", "MiB", (took.peak,), account.command)


def _asked(account: Account, question: Question) -> Iterator[Line]:
    took = [
        command_run.answerable(
            "--store", account.store, "-o", "json", *question.words(point)
        )
        for point in account.drawn
    ][1:]  # the first may compile the command's own modules
    what = f"{question.name}, {account.of}"
    rows = [len(json.loads(each.out)["items"]) for each in took]
    walls, command = tuple(each.wall for each in took), account.command
    yield Figure(what, "s", walls, command, question.goal)
    yield Figure(f"{what}: processor", "s", tuple(e.cpu for e in took), command)
    peak = max(each.peak for each in took)
    yield Figure(f"{what}: peak memory", "MiB", (peak,), command, _MEMORY)
    if max(rows) > 1:
        listed = ", ".join(
            f"{n:,} in {t:.2g} s" for n, t in zip(rows, walls, strict=True)
        )
        yield Remark(f"{what}: rows shown, and the time of each: {listed}.", command)


_ASK = """
import json, sys, time
from answerable.usecases import reach, snapshots
from answerable.store.store import Store
from pathlib import Path
store, points = sys.argv[1], json.loads(sys.argv[2])
now = time.time_ns()
with Store.open(Path(store), now=now, create=False) as opened:
    inventory = snapshots.load(opened)
    for again in range(2):
        took = []
        for point in points:
            start = time.perf_counter()
            reach.can(inventory, *point, now=now)
            took.append(time.perf_counter() - start)
print(json.dumps(took))
"""


def _engine(account: Account) -> Iterator[Line]:
    """Run the queries in one process, without imports and store opening."""
    drawn = json.dumps(account.drawn[1:])
    took = json.loads(
        command_run.run((sys.executable, "-c", _ASK, account.store, drawn)).out
    )
    what = f"can, {account.of}: the engine alone, asked again in one process"
    values = tuple(seconds * 1000 for seconds in took)
    yield Figure(what, "ms", values, account.command)


_DUCKDB = """
import sys, duckdb
files, identity = sys.argv[1:]
rows = duckdb.execute(
    "select * from read_parquet(?) where identity = ? order by event_time",
    [files, identity],
).fetchall()
print(len(rows))
"""


def _beside_duckdb(account: Account) -> Iterator[Line]:
    """Read the same events with DuckDB alone, without chains."""
    files = f"{account.store}/segments/*/*.parquet"
    argv = (sys.executable, "-c", _DUCKDB, files, role(40))
    took = [command_run.run(argv) for _ in range(1 + ASKED)][1:]
    walls = tuple(each.wall for each in took)
    cpus = tuple(each.cpu for each in took)
    what = f"DuckDB, the same events of the same files, {account.of}"
    yield Figure(what, "s", walls, account.command)
    yield Figure(f"{what}: processor", "s", cpus, account.command)
    peak = statistics.median(each.peak for each in took)
    yield Figure(f"{what}: peak memory", "MiB", (peak,), account.command)
