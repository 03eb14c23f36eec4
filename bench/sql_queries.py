"""SQL queries of a user on a large store, beside DuckDB on the same Parquet files.

    python -m bench.sql_queries STORE QUERY

runs a query in DuckDB alone, over the view `e` of the segments, and prints its rows as
JSON. It reads no log, seal or journal, joins no chains and shows no coverage.
"""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.command_run import ProcessResult, answerable_command, run_command
from bench.figures import BenchFigure, at_most

_ROUNDS = 5
_GOAL = at_most(2, "<= 2x")


@dataclass(frozen=True, slots=True)
class SqlQuestion:
    """Query over a documented view, and the same over the columns of the segments.

    Attributes:
        name: Short name.
        query: For `answerable sql`.
        plain: For DuckDB, over the view `e`.
    """

    name: str
    query: str
    plain: str


_SELECTS = {
    "count": "SELECT count(*) AS events FROM {}",
    "calls by identity": "SELECT identity, count(*) AS calls FROM {} GROUP BY ALL "
    "ORDER BY ALL",
    "calls by action": "SELECT action, count(*) AS calls FROM {} GROUP BY ALL "
    "ORDER BY ALL",
    "calls on a resource": "SELECT identity, action, outcome FROM {} "
    "WHERE resource = 'arn:aws:s3:::data-001/year=2026/part-003001.parquet' ORDER BY ALL",
}
QUESTIONS = tuple(
    SqlQuestion(f"{name} of `{view}`", select.format(view), select.format("e"))
    for view in ("events", "lineage")
    for name, select in _SELECTS.items()
)


def measure_sql(store: str, events: int, command: str) -> Iterator[BenchFigure]:
    """Run each query with `answerable sql` and with DuckDB alone, alternately.

    Args:
        store: The store's folder.
        events: How many it holds.
        command: What measures this.

    Raises:
        RuntimeError: The two gave different rows.
    """
    _run_sql(store, QUESTIONS[-1].query)  # derives the chains
    for each in QUESTIONS:
        starts, ours, plain = [], [], []
        for _ in range(_ROUNDS):
            starts.append(_run_sql(store, "SELECT 1"))
            ours.append(_run_sql(store, each.query))
            plain.append(_run_plain(store, each.plain))
        shown = [list(item.values()) for item in json.loads(ours[0].out)["items"]]
        if shown != json.loads(plain[0].out):
            raise RuntimeError(f"DuckDB gave other rows for {each.query}")
        what = f"sql {each.name}, {events:,} events"
        for name, runs in (("", ours), (", DuckDB alone", plain)):
            seconds = tuple(run.cpu for run in runs)
            yield BenchFigure(f"{what}{name}, processor time", "s", seconds, command)
        ratios = tuple(
            max(one.cpu - start.cpu, 0) / other.cpu
            for one, start, other in zip(ours, starts, plain, strict=True)
        )
        yield BenchFigure(
            f"{what}, without the start, over DuckDB", "x", ratios, command, _GOAL
        )


def _run_sql(store: str, query: str) -> ProcessResult:
    """Run a query with the command of a user."""
    return answerable_command("--store", store, "-q", "-o", "json", "sql", query)


def _run_plain(store: str, query: str) -> ProcessResult:
    """Run a query with DuckDB in a process of its own."""
    return run_command((sys.executable, "-m", "bench.sql_queries", store, query))


def main(store: Path, query: str) -> None:
    """Print the rows of a query in DuckDB alone."""
    import duckdb

    with duckdb.connect(config={"threads": 2}) as connection:
        files = str(store / "segments" / "*" / "*.parquet").replace("'", "''")
        connection.execute(f"CREATE VIEW e AS SELECT * FROM read_parquet('{files}')")  # noqa: S608 - quoted
        json.dump(connection.execute(query).fetchall(), sys.stdout)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
