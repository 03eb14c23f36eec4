"""The same commands on DuckDB and on a Spark cluster of this machine, at two sizes.

The cluster is a master and two workers of one core. Processor time of Spark is that of
the command, with the driver, and of the workers, with their executors. At the larger size,
DuckDB also reads the same store four times in one query: the difference is what more
events cost.
"""

import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from bench.command_run import answerable_command
from bench.figures import BenchFigure, BenchRemark, Line
from bench.ingest import measure_ingest, prepare_trail

if TYPE_CHECKING:
    from tests.lake.spark_cluster import SparkCluster

SIZES, QUICK = (20_000, 1_000_000), (20_000,)
_COPIES = 4
_END_SECONDS = 120
_TICKS = os.sysconf("SC_CLK_TCK")
_QUESTIONS: Mapping[str, tuple[str, ...]] = {
    "count by action": (
        "sql",
        "SELECT action, count(*) AS n FROM events GROUP BY action ORDER BY n DESC, action",
    ),
    "part of a resource name": (
        "sql",
        "SELECT count(*) AS n FROM events WHERE resource LIKE '%part-0030%'",
    ),
    "newest call of each identity and resource": (
        "sql",
        "SELECT count(*) AS n FROM (SELECT row_number() OVER (PARTITION BY identity, "
        "resource ORDER BY event_time DESC, event_id) AS n FROM events) AS calls "
        "WHERE n = 1",
    ),
    "trace --by identity,outcome": ("trace", "--by", "identity,outcome"),
}


def measure_engines(
    folder: Path, seed: int, command: str, *, quick: bool
) -> Iterator[Line]:
    """Ask each question of both engines, and compare the rows.

    Raises:
        RuntimeError: The rows differ.
    """
    missing = [name for name in ("pyspark", "sqlglot") if find_spec(name) is None]
    missing += [] if shutil.which("java") else ["Java"]
    if missing:
        needed = f"engines: skipped, not installed: {', '.join(missing)}"
        yield BenchRemark(needed, command)
        return
    from tests.lake.spark_cluster import SparkCluster

    sizes = QUICK if quick else SIZES
    for events in sizes:
        prepare_trail(folder, events, seed)
        measure_ingest(folder, events)
    (folder / "spark-defaults.conf").write_text("spark.executor.memory 512m\n")
    os.environ["SPARK_CONF_DIR"] = str(folder)
    with closing(SparkCluster(folder)) as cluster:
        cluster.add_worker()
        cluster.add_worker()
        for events in sizes:
            yield from _ask(folder / f"store-{events}", events, cluster, command)


def _ask(
    store: Path, events: int, cluster: "SparkCluster", command: str
) -> Iterator[BenchFigure]:
    """Ask each question once to write derived files, and then once of each engine."""
    pids = [worker.pid for worker in cluster.workers]
    for name, words in _QUESTIONS.items():
        argv = ("--store", str(store), "-o", "json", *words)
        limit = ("--timeout", "10m") if words[0] == "sql" else ()
        answerable_command(*argv)
        alone = answerable_command(*argv)
        before = _read_processor_time(pids)
        spread = answerable_command(*argv, "--engine", cluster.address, *limit)
        own = _read_processor_time(pids) - before
        if json.loads(alone.out)["items"] != json.loads(spread.out)["items"]:
            raise RuntimeError(f"{name}: the rows of the engines differ")
        for title, cpu in (("DuckDB", alone.cpu), ("Spark", spread.cpu + own)):
            what = f"{name}, {events:,} events, {title}, processor time"
            yield BenchFigure(what, "s", (cpu,), command)
        what = f"{name}, {events:,} events, Spark, wall time"
        yield BenchFigure(what, "s", (spread.wall,), command)
        if events > SIZES[0] and words[0] == "sql":
            often = answerable_command(*argv[:-1], _read_often(words[1]), *limit)
            more = (often.cpu - alone.cpu) / (_COPIES - 1) / events * 1e6
            what = f"{name}, a million events more, DuckDB, processor time"
            yield BenchFigure(what, "s", (more,), command)


def _read_often(query: str) -> str:
    """Return a query that reads the events several times."""
    part = "SELECT {} AS copy, identity, action, resource, event_time, event_id FROM events"
    parts = " UNION ALL ".join(part.format(number) for number in range(_COPIES))
    return query.replace("FROM events", f"FROM ({parts}) AS e")


def _read_processor_time(pids: Sequence[int]) -> float:
    """Return processor seconds of workers and their executors, which have ended.

    Raises:
        RuntimeError: An executor does not end.
    """
    until = time.monotonic() + _END_SECONDS
    while any(map(_has_children, pids)):
        if time.monotonic() > until:
            raise RuntimeError("an executor of a worker does not end")
        time.sleep(0.1)
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += sum(map(int, fields[11:15]))  # own, and that of ended children
    return ticks / _TICKS


def _has_children(pid: int) -> bool:
    """Tell whether a process has processes that it started."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            if (task / "children").read_text().strip():
                return True
        except OSError:  # the thread ended
            continue
    return False
