"""The documented queries on DuckDB, on a lake and on a Spark cluster of this machine.

For each size, a session of each engine is started and kept open. The queries run in turns,
several times, and give equal rows. The cluster is a master and two workers of one core.
The processor time of Spark is that of the driver and of the workers with their executors.
What more events cost is computed from the smallest and the largest size, and from it the
size from which a command on a cluster ends earlier. `ENGINE_EVENTS` in the environment
names other sizes, separated by commas.
"""

import gzip
import json
import os
import shutil
import statistics
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from bench.engine_client import EngineAnswer, EngineSession
from bench.engine_slopes import EngineSlope, compute_slopes, describe_crossover
from bench.figures import BenchFigure, BenchRemark, Line, format_number
from bench.ingest import measure_ingest, prepare_trail

if TYPE_CHECKING:
    from tests.lake.spark_cluster import SparkCluster

SIZES, QUICK = (20_000, 200_000, 1_000_000), (20_000,)
ROUNDS, QUICK_ROUNDS = 3, 1
DUCKDB, LAKE, SPARK = "DuckDB", "lake", "Spark"
_FIRST = "SELECT count(*) AS n FROM events"
# Queries of the documentation and of tests/lake/test_spark.py. Where the answer has a row
# for each event, the newest rows or a count of them.
_QUERIES: Mapping[str, str] = {
    "newest events": "SELECT * FROM events ORDER BY event_time DESC, event_id LIMIT 100",
    "newest of lineage": "SELECT * FROM lineage "
    "ORDER BY event_time DESC, event_id LIMIT 100",
    **{
        name: f"SELECT * FROM {name}"  # noqa: S608 - our views
        for name in ("decisions", "agents", "identities", "credentials", "owners")
    },
    "persons": "SELECT person, person_status, count(*) AS n FROM lineage GROUP BY ALL "
    "ORDER BY n DESC",
    "calls by identity": "SELECT identity, count(*) AS calls FROM lineage "
    "GROUP BY identity ORDER BY calls DESC",
    "decisions not allowed": "SELECT agent, tool, reason, count(*) FROM decisions "
    "WHERE effect <> 'allow' GROUP BY ALL",
    "facts of the token service": "SELECT facts FROM events WHERE source = 'sts'",
    "denied calls": "SELECT count(*), count(DISTINCT resource), sum(sequence), "
    "max(event_time) FROM events WHERE outcome = 'denied'",
    "calls with owners": 'SELECT l.action AS "the action", o.state, count(*) AS n '
    "FROM lineage l LEFT JOIN owners o ON l.identity = o.subject "
    "WHERE l.resource LIKE '%part-0030%' GROUP BY ALL",
    "rank of calls": "SELECT identity, max(n) AS last FROM (SELECT identity, "
    "row_number() OVER (PARTITION BY identity ORDER BY event_time) AS n FROM lineage) "
    "AS calls GROUP BY identity",
    "count by action": "SELECT action, count(*) AS n FROM events GROUP BY action",
    "newest call of each identity and resource": "SELECT count(*) AS n FROM "
    "(SELECT row_number() OVER (PARTITION BY identity, resource "
    "ORDER BY event_time DESC, event_id) AS n FROM events) AS calls WHERE n = 1",
}


# By engine, an answer for each round.
_Answers = Mapping[str, Sequence[EngineAnswer]]


def measure_engines(
    folder: Path, seed: int, command: str, *, quick: bool
) -> Iterator[Line]:
    """Ask each query of all engines, at each size, and compare the rows.

    Raises:
        RuntimeError: The rows differ.
    """
    packages = ("pyspark", "sqlglot", "pyarrow")
    missing = [name for name in packages if find_spec(name) is None]
    missing += [] if shutil.which("java") else ["Java"]
    if missing:
        needed = f"engines: skipped, not installed: {', '.join(missing)}"
        yield BenchRemark(needed, command)
        return
    from tests.lake.spark_cluster import SparkCluster

    (folder / "spark-defaults.conf").write_text("spark.executor.memory 512m\n")
    os.environ["SPARK_CONF_DIR"] = str(folder)
    rounds = QUICK_ROUNDS if quick else ROUNDS
    starts: dict[int, dict[str, EngineAnswer]] = {}
    found: dict[int, dict[str, _Answers]] = {}
    chosen = os.environ.get("ENGINE_EVENTS", "")
    sizes = tuple(map(int, chosen.split(","))) if chosen else SIZES
    for events in QUICK if quick else sizes:
        _prepare_events(folder, events, seed)
        with closing(SparkCluster(folder)) as cluster:
            cluster.add_workers(2)
            starts[events], found[events] = _ask_all(folder, events, cluster, rounds)
        yield from _describe_starts(events, starts[events], command)
        for name, answers in found[events].items():
            yield from _describe_query(name, events, answers, command)
    if len(found) > 1:
        yield from _describe_growth(starts, found, command)


def _ask_all(
    folder: Path, events: int, cluster: "SparkCluster", rounds: int
) -> tuple[dict[str, EngineAnswer], dict[str, _Answers]]:
    """Start a session of each engine, and ask the queries in turns.

    Returns:
        Start of each engine, and the answers to each query. The first round, in which
        engines compile and derive, is not among them.

    Raises:
        RuntimeError: The rows of a query differ.
    """
    store = folder / f"store-{events}"
    places = {
        DUCKDB: (store, ""),
        LAKE: (folder / f"empty-{events}", f"lake:{folder / f'lake-{events}'}"),
        SPARK: (store, cluster.address),
    }
    starts: dict[str, EngineAnswer] = {}
    found: dict[str, dict[str, list[EngineAnswer]]] = {}
    with ExitStack() as stack:
        sessions: dict[str, EngineSession] = {}
        for engine, (place, source) in places.items():
            workers = [each.pid for each in cluster.workers if engine == SPARK]
            session = EngineSession(place, source, workers)
            sessions[engine] = stack.enter_context(closing(session))
            starts[engine] = session.start(_FIRST)
        for number in range(rounds + 1):
            for name, query in _QUERIES.items():
                answers = {each: sessions[each].ask(query) for each in sessions}
                if len({each.rows for each in answers.values()}) > 1:
                    told = {each: answers[each].rows for each in answers}
                    raise RuntimeError(
                        f"{name}: the rows of the engines differ: {told}"
                    )
                if number:
                    for engine, answer in answers.items():
                        found.setdefault(name, {}).setdefault(engine, []).append(answer)
    return starts, dict(found)


def _prepare_events(folder: Path, events: int, seed: int) -> None:
    """Write the same events as a store, and as a lake beside an empty store."""
    from tests.lake.security_lake import write_folders

    prepare_trail(folder, events, seed)
    measure_ingest(folder, events)
    lake = folder / f"lake-{events}"
    for old in (lake, folder / f"empty-{events}"):
        shutil.rmtree(old, ignore_errors=True)
    for file in sorted((folder / f"trail-{events}").rglob("*.json.gz")):
        records = json.loads(gzip.decompress(file.read_bytes()))["Records"]
        for record in records:
            record["resources"] = [
                {"type": None, **each} for each in record.get("resources", ())
            ]
        write_folders(records, lake, file.name.partition(".")[0])


def _describe_starts(
    events: int, starts: Mapping[str, EngineAnswer], command: str
) -> Iterator[Line]:
    """Yield the cost of a session until its first answer; a lake is read then."""
    for kind in ("cpu", "wall"):
        for engine, start in starts.items():
            title = "processor time" if kind == "cpu" else "wall time"
            what = f"start and count, {events:,} events, {engine}, {title}"
            yield BenchFigure(what, "s", (getattr(start, kind),), command)


def _describe_query(
    name: str, events: int, answers: _Answers, command: str
) -> Iterator[Line]:
    """Yield the processor time of each engine, and the wall times."""
    for engine, each in answers.items():
        what = f"{name}, {events:,} events, {engine}, processor time"
        yield BenchFigure(what, "s", tuple(one.cpu for one in each), command)
    walls = ", ".join(
        f"{engine} {format_number(_take_wall(each))} s"
        for engine, each in answers.items()
    )
    yield BenchRemark(f"{name}, {events:,} events, wall time: {walls}", command)


def _describe_growth(
    starts: Mapping[int, Mapping[str, EngineAnswer]],
    found: Mapping[int, Mapping[str, _Answers]],
    command: str,
) -> Iterator[Line]:
    """Yield what an event more costs, and from which size a cluster is faster."""
    small, large = min(found), max(found)
    for name in found[small]:
        slopes: dict[str, EngineSlope] = {}
        for engine, fewer in found[small][name].items():
            more = found[large][name][engine]
            each = compute_slopes(
                [one.cpu for one in fewer], [one.cpu for one in more], large - small
            )
            first = statistics.median(one.cpu for one in fewer)
            slopes[engine] = EngineSlope(starts[small][engine].cpu + first, each)
            what = f"{name}, an event more, {engine}, processor time"
            values = tuple(one * 1e6 for one in each)
            yield BenchFigure(what, "us", values, command)
        text = describe_crossover(name, slopes[DUCKDB], slopes[SPARK])
        yield BenchRemark(text, command)


def _take_wall(answers: Sequence[EngineAnswer]) -> float:
    """Return the median of wall seconds."""
    return statistics.median(each.wall for each in answers)
