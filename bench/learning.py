"""Ten million rows of behaviour, and a profile learned from them by a query.

Run as `python -m bench.learning FOLDER ROWS`, it prints seconds as JSON. Writing the
rows is not part of them.
"""

import json
import resource
import sys
import time
from pathlib import Path

from answerable.baseline.answers import counted
from answerable.baseline.learn import assembled
from answerable.baseline.query import TABLES, counts, teaching
from answerable.model.baseline import Profile, Subject, Terms
from answerable.store.behaviour import Behaviour

DAY = 86_400 * 10**9
NOW = 20_000 * DAY
SUBJECT = Subject("role/bench", "agent:declared/bench", "bench")
_CALLS, _VALUES = 33, 3  # of a run, of a call

# Runs on 80 days for 40 persons, each one of twelve jobs of five tools; values by a
# power law.
_RUNS = """
SELECT 'run' || r AS run, 'agent:declared/bench' AS agent, 'role/bench' AS identity,
  'person:' || (r * 7 % 40) AS person, {now} - (r % 80) * {day} - r * 1000000 AS started,
  '' AS network, '' AS workload, '' AS region, r % 50 <> 0 AS sound
FROM range({runs}) t(r)
"""
_MADE = """
SELECT 'run' || (c // {calls}) AS run, 'call' || c AS id,
  {now} - (c // {calls} % 80) * {day} - c // {calls} * 1000000
    + (c % {calls}) * 1000000000 AS at_ns,
  'bench/tool' || (c // {calls} % 12 * 5 + hash(c) % 5) AS tool, '' AS definition,
  hash(c) % 5 = 0 AS is_write, (c % 900)::BIGINT AS size, (c % 9)::BIGINT AS records
FROM range({count}) t(c)
"""
_AMOUNTS = """
SELECT run, tool, 'amount' AS path, (size * 1000000)::BIGINT AS amount, is_write
FROM calls WHERE is_write
"""
_FLOWS = """
SELECT run, id, at_ns, tool, is_write, 'argument' || v AS path,
  CASE v WHEN 0 THEN 'email' WHEN 1 THEN 'path' ELSE 'name' END AS kind,
  CASE v WHEN 0 THEN 'p' || rank || '@corp.example' WHEN 1 THEN '/srv/' || rank % 20
    || '/' || rank ELSE 'name ' || rank END AS text,
  is_write AND v = 0 AS sensitive, v < 2 AS is_entity,
  CASE WHEN rank % 3 = 0 THEN 'request' ELSE 'earlier' END AS origin,
  CASE WHEN rank % 3 = 0 THEN '' ELSE 'bench/tool' || (rank % 40) END AS source,
  CASE WHEN rank % 3 = 0 THEN '[]' ELSE '[["q", "=name:query ' || rank % 12 || '"]]' END
    AS selector,
  CASE WHEN rank % 3 = 0 THEN '' ELSE '[].f' || (rank % 5) END AS field,
  rank % 2 = 0 AS whole, true AS trusted
FROM (SELECT *, (800 * pow(hash(id || v) % 100000 / 100000.0, 4))::BIGINT AS rank
  FROM calls, range({values}) t(v))
"""


def write(folder: Path, rows: int) -> None:
    """Write rows of that number."""
    import duckdb

    count = rows // _VALUES
    runs = count // _CALLS + 1
    connection = duckdb.connect(config={"threads": 2})
    given = {
        "now": NOW, "day": DAY, "runs": runs, "calls": _CALLS, "count": count,
        "values": _VALUES,
    }  # fmt: skip
    made = {"runs": _RUNS, "calls": _MADE, "amounts": _AMOUNTS, "flows": _FLOWS}
    for name, text in made.items():
        place = folder / name / "part.parquet"
        place.parent.mkdir(parents=True)
        connection.execute(
            f"COPY ({text.format(**given)}) TO '{place}' (FORMAT parquet)"
        ).fetchall()
        connection.execute(
            f"CREATE VIEW {name} AS SELECT * FROM read_parquet('{place}')"  # noqa: S608 - ours
        ).fetchall()
    connection.close()


def learned(folder: Path) -> Profile:
    """Learn the profile, from files to its document's content."""
    terms = Terms()
    first = teaching(SUBJECT, terms, NOW)
    answers = Behaviour(folder, TABLES).ask(
        (first.text, first.parameters),
        {
            name: (each.text, each.parameters)
            for name, each in counts(SUBJECT, terms).items()
        },
    )
    return assembled(counted(answers), SUBJECT, terms, NOW)


def main() -> None:
    folder, rows = Path(sys.argv[1]) / "behaviour", int(sys.argv[2])
    write(folder, rows)
    begin, worked = time.perf_counter(), time.process_time()
    profile = learned(folder)
    took = time.perf_counter() - begin
    used = resource.getrusage(resource.RUSAGE_SELF)
    told = {
        "seconds": took,
        "processor": time.process_time() - worked,
        "peak": used.ru_maxrss / 1024,
        "runs": profile.runs,
        "edges": len(profile.edges),
        "entities": len(profile.entities),
    }
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main()
