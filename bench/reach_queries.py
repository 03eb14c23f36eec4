"""Permission queries on the command line, each by its own process.

`python -m bench --only reach`. An account is scanned from its file; then `can`,
`who-can`, `reach`, `who-owns` and `what-if` are asked of 10,000 principals, and
`agents`, `who-owns`, `can`, `who-can` and `trace` of 100,000.
"""

import json
import statistics
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from answerable.connectors.iam_catalogue.fetch import load_catalogue
from bench import command_run
from bench.cloudtrail import role_caller, write_trail
from bench.figures import BenchFigure, BenchRemark, FigureGoal, Line, at_most
from bench.organization.authorization_details import export_account
from bench.organization.generator import generate_organization
from bench.reach_questions import SampledQuestion, sample_questions
from bench.what_if_timing import measure_what_if

SIZE, MANY, QUICK = 10_000, 100_000, 100
SMALL = 1_000
EVENTS, QUICK_EVENTS = 200_000, 5_000
ASKED, QUICK_ASKED = 5, 1
_HALF, _ONE = at_most(0.5, "<= 0.5 s"), at_most(1, "<= 1 s")
_LONG = at_most(1.5, "<= 1.5 s")
_MEMORY = at_most(300, "<= 300 MiB")
Words = Callable[[SampledQuestion], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class TimedQuestion:
    """A command with its time goal."""

    name: str
    words: Words
    goal: FigureGoal | None


_QUESTIONS = (
    TimedQuestion("can PRINCIPAL ACTION RESOURCE", lambda p: ("can", *p), _HALF),
    TimedQuestion("who-can ACTION RESOURCE", lambda p: ("who-can", *p[1:]), _HALF),
    TimedQuestion("reach PRINCIPAL", lambda p: ("reach", p[0]), _LONG),
    TimedQuestion("reach --all", lambda _: ("reach", "--all"), None),
    TimedQuestion("who-owns PRINCIPAL", lambda p: ("who-owns", p[0]), _HALF),
)
_OF_MANY = (
    TimedQuestion("agents", lambda _: ("agents",), _HALF),
    TimedQuestion("who-owns PRINCIPAL", lambda p: ("who-owns", p[0]), _ONE),
    TimedQuestion("can PRINCIPAL ACTION RESOURCE", lambda p: ("can", *p), _ONE),
    TimedQuestion("who-can ACTION RESOURCE", lambda p: ("who-can", *p[1:]), _ONE),
    TimedQuestion(
        "trace --identity ROLE, the whole week",
        lambda _: ("trace", "--identity", role_caller(40)),
        _HALF,
    ),
)


@dataclass(frozen=True, slots=True)
class ScannedAccount:
    """A scanned account.

    Attributes:
        store: Its store.
        size: How many users and roles it has.
        drawn: Questions by chance; the first one is not counted.
        command: Measures this.
    """

    store: str
    size: int
    drawn: list[SampledQuestion]
    command: str

    @property
    def describe(self) -> str:
        """Describe the account."""
        return f"{self.size:,} principals"


def measure_reach(
    folder: Path, seed: int, command: str, *, quick: bool = False
) -> Iterator[Line]:
    """Scan both accounts and run the queries."""
    command = f"{command} --only reach"
    asked = QUICK_ASKED if quick else ASKED
    few, scanned = _scan_account(folder, QUICK if quick else SIZE, seed, asked, command)
    yield from scanned
    for question in _QUESTIONS:
        yield from _query_figures(few, question)
    yield from _measure_engine(few)
    yield from measure_what_if(few.store, few.size, seed, command, quick=quick)
    if quick:
        return
    small, scanned = _scan_account(folder, SMALL, seed, asked, command)
    yield from scanned
    yield from measure_what_if(small.store, small.size, seed, command, quick=quick)
    many, scanned = _scan_account(folder, MANY, seed, asked, command)
    yield from scanned
    _ingest_trail(many, folder, seed)
    for question in _OF_MANY:
        yield from _query_figures(many, question)
    yield from _compare_duckdb(many)


def _scan_account(
    folder: Path, size: int, seed: int, asked: int, command: str
) -> tuple[ScannedAccount, list[Line]]:
    """Scan an account of that size, or reuse a scan in the folder."""
    drawn = folder / f"reach-points-{size}.json"
    store = str(folder / f"reach-store-{size}")
    lines: list[Line] = []
    if not drawn.exists():
        made = generate_organization(size, seed, load_catalogue(), single=True)
        number = made.plan.accounts[0].id
        file = folder / f"reach-account-{size}.json"
        file.write_text(
            json.dumps(export_account(made.facts, number)), encoding="utf-8"
        )
        took = command_run.answerable_command("--store", store, "scan", f"aws:{file}")
        found = sample_questions(made, asked + 1, seed)
        account = ScannedAccount(store, size, found, command)
        what = f"scan aws:FILE, {account.describe}"
        lines += [
            BenchFigure(what, "s", (took.wall,), command),
            BenchFigure(f"{what}: processor", "s", (took.cpu,), command),
            BenchFigure(f"{what}: peak memory", "MiB", (took.peak,), command),
            *_first_query_seconds(account, ("can", *found[0])),
        ]
        drawn.write_text(json.dumps(found), encoding="utf-8")
    read = [tuple(point) for point in json.loads(drawn.read_text("utf-8"))]
    account = ScannedAccount(store, size, read[: asked + 1], command)
    text = (
        f"{account.describe}: an account of {size:,} users and roles in the "
        "format of get-account-authorization-details (identity policies, groups, "
        "permissions boundaries, trust policies)."
    )
    return account, [BenchRemark(text, command), *lines]


def _ingest_trail(account: ScannedAccount, folder: Path, seed: int) -> None:
    """Ingest a trail into the account's store once, and derive its chains."""
    trail = folder / "reach-trail"
    if not trail.exists():
        write_trail(trail, EVENTS, seed)
        command_run.answerable_command(
            "--store", account.store, "ingest", f"cloudtrail:{trail}"
        )
    command_run.answerable_command(
        "--store", account.store, *_OF_MANY[-1].words(account.drawn[0])
    )


def _first_query_seconds(
    account: ScannedAccount, words: tuple[str, ...]
) -> Iterator[Line]:
    """Run the first query after a scan; it derives cached data."""
    took = command_run.answerable_command(
        "--store", account.store, "-o", "json", *words
    )
    what = f"first `{' '.join(words[:-3])}` after a scan, {account.describe}"
    yield BenchFigure(what, "s", (took.wall,), account.command)
    yield BenchFigure(f"{what}: processor", "s", (took.cpu,), account.command)
    yield BenchFigure(f"{what}: peak memory", "MiB", (took.peak,), account.command)


def _query_figures(account: ScannedAccount, question: TimedQuestion) -> Iterator[Line]:
    took = [
        command_run.answerable_command(
            "--store", account.store, "-o", "json", *question.words(point)
        )
        for point in account.drawn
    ][1:]  # the first may compile the command's own modules
    what = f"{question.name}, {account.describe}"
    rows = [len(json.loads(each.out)["items"]) for each in took]
    walls, command = tuple(each.wall for each in took), account.command
    yield BenchFigure(what, "s", walls, command, question.goal)
    yield BenchFigure(f"{what}: processor", "s", tuple(e.cpu for e in took), command)
    peak = max(each.peak for each in took)
    yield BenchFigure(f"{what}: peak memory", "MiB", (peak,), command, _MEMORY)
    if max(rows) > 1:
        listed = ", ".join(
            f"{n:,} in {t:.2g} s" for n, t in zip(rows, walls, strict=True)
        )
        yield BenchRemark(
            f"{what}: rows shown, and the time of each: {listed}.", command
        )


_ASK = """
import json, sys, time
from answerable.services.inventory import snapshots
from answerable.store.store import EvidenceStore
from answerable.usecases.reach import permissions
from pathlib import Path
store, points = sys.argv[1], json.loads(sys.argv[2])
now = time.time_ns()
with EvidenceStore.open(Path(store), now=now, create=False) as opened:
    inventory = snapshots.load_inventory(opened)
    for again in range(2):
        took = []
        for point in points:
            start = time.perf_counter()
            permissions.check_permission(inventory, *point, now=now)
            took.append(time.perf_counter() - start)
print(json.dumps(took))
"""


def _measure_engine(account: ScannedAccount) -> Iterator[Line]:
    """Run the queries in one process, without imports and store opening."""
    drawn = json.dumps(account.drawn[1:])
    took = json.loads(
        command_run.run_command((sys.executable, "-c", _ASK, account.store, drawn)).out
    )
    what = f"can, {account.describe}: the engine alone, asked again in one process"
    values = tuple(seconds * 1000 for seconds in took)
    yield BenchFigure(what, "ms", values, account.command)


_DUCKDB = """
import sys, duckdb
files, identity = sys.argv[1:]
rows = duckdb.execute(
    "select * from read_parquet(?) where identity = ? order by event_time",
    [files, identity],
).fetchall()
print(len(rows))
"""


def _compare_duckdb(account: ScannedAccount) -> Iterator[Line]:
    """Read the same events with DuckDB alone, without chains."""
    files = f"{account.store}/segments/*/*.parquet"
    argv = (sys.executable, "-c", _DUCKDB, files, role_caller(40))
    took = [command_run.run_command(argv) for _ in range(1 + ASKED)][1:]
    walls = tuple(each.wall for each in took)
    cpus = tuple(each.cpu for each in took)
    what = f"DuckDB, the same events of the same files, {account.describe}"
    yield BenchFigure(what, "s", walls, account.command)
    yield BenchFigure(f"{what}: processor", "s", cpus, account.command)
    peak = statistics.median(each.peak for each in took)
    yield BenchFigure(f"{what}: peak memory", "MiB", (peak,), account.command)
