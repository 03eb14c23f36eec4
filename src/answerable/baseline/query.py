"""Learning by a query: the same counts over rows at rest, for millions of them.

The room writes rows and texts. The store keeps the rows and runs the texts over them.

| table | a row is |
|---|---|
| `runs` | a run |
| `calls` | a call |
| `amounts` | an argument that is summed |
| `flows` | a value, with one of the origins that it teaches |
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from answerable.baseline.fold import Contribution
from answerable.baseline.tally import (
    DAY,
    EdgeKey,
    context_keys,
    edge_keys,
    is_entity,
)
from answerable.model.baseline import Accepted, Subject, Terms, Untrusted
from answerable.model.behaviour import EntityKind, Observation, Run

Cell = str | int | bool
Row = dict[str, Cell]
TEXT, INT, BOOL = "text", "int", "bool"
TABLES: Mapping[str, Mapping[str, str]] = {
    "runs": {
        "run": TEXT, "agent": TEXT, "identity": TEXT, "person": TEXT, "started": INT,
        "network": TEXT, "workload": TEXT, "region": TEXT, "sound": BOOL,
    },
    "calls": {
        "run": TEXT, "id": TEXT, "at_ns": INT, "tool": TEXT, "definition": TEXT,
        "is_write": BOOL, "size": INT, "records": INT,
    },
    "amounts": {
        "run": TEXT, "tool": TEXT, "path": TEXT, "amount": INT, "is_write": BOOL,
    },
    "flows": {
        "run": TEXT, "id": TEXT, "at_ns": INT, "tool": TEXT, "is_write": BOOL,
        "path": TEXT, "kind": TEXT, "text": TEXT, "sensitive": BOOL,
        "is_entity": BOOL, "origin": TEXT, "source": TEXT, "selector": TEXT,
        "field": TEXT, "whole": BOOL, "trusted": BOOL,
    },
}  # fmt: skip
_HOUR = 3_600 * 10**9
_MINUTE = 60 * 10**9
_EPOCH = 72  # 1970-01-01 was a Thursday
_UNIT = "\x1f"


@dataclass(slots=True)
class Rows:
    """Rows by table."""

    runs: list[Row] = field(default_factory=list)
    calls: list[Row] = field(default_factory=list)
    amounts: list[Row] = field(default_factory=list)
    flows: list[Row] = field(default_factory=list)


def rows(contributions: Iterable[Contribution]) -> Rows:
    """Write what is known of runs as rows."""
    found = Rows()
    for each in contributions:
        run, envelope = each.run, each.run.envelope
        found.runs.append(
            {
                "run": run.id, "agent": run.agent, "identity": run.identity,
                "person": run.person, "started": run.started,
                "network": envelope.network, "workload": envelope.workload,
                "region": envelope.region,
                "sound": not (each.conflict or run.denied or run.asked),
            }
        )  # fmt: skip
        for call in run.calls:
            _call(found, run, call)
    return found


def _call(found: Rows, run: Run, call: Observation) -> None:
    own: Row = {"run": run.id, "tool": call.tool, "is_write": call.is_write}
    placed: Row = {**own, "id": call.id, "at_ns": call.at}
    found.calls.append(
        {
            **placed, "definition": call.definition, "size": call.size,
            "records": call.records,
        }
    )  # fmt: skip
    found.amounts += [{**own, "path": path, "amount": n} for path, n in call.numbers]
    found.flows += [{**placed, **flow} for flow in _flows(call)]


def _flows(call: Observation) -> Iterator[Row]:
    for key in sorted(context_keys(call)):
        yield {
            "path": "", "kind": EntityKind.NAME.value, "text": "", "sensitive": False,
            "is_entity": False, **_way(key),
        }  # fmt: skip
    for value in call.values:
        counts = is_entity(call, value)
        for key in sorted(edge_keys(call, value)):
            yield {
                "path": value.path, "kind": value.kind.value, "text": value.text,
                "sensitive": value.sensitive, "is_entity": counts, **_way(key),
            }  # fmt: skip
            counts = False  # once for each value, however many origins it has


def _way(key: EdgeKey) -> Row:
    return {
        "origin": key.kind.value, "source": key.source,
        "selector": json.dumps(key.selector), "field": key.field,
        "whole": key.whole, "trusted": key.trusted,
    }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Query:
    """A text with its parameters."""

    text: str
    parameters: tuple[object, ...] = ()


_TEACHING = (
    "CREATE OR REPLACE TEMP TABLE teaching AS SELECT * FROM runs WHERE sound "
    "AND identity = ? AND agent = ? AND started BETWEEN ? AND ? "
)
_UNTAINTED = (
    "AND run NOT IN (SELECT run FROM flows WHERE is_write AND sensitive AND NOT trusted "
    "AND NOT list_contains(?, concat_ws(chr(31), tool, path, text)))"
)
_SEEN = (
    "count(*), count(DISTINCT x.run), "
    f"list(DISTINCT x.at_ns // {DAY}), "
    "list(DISTINCT t.person) FILTER (WHERE t.person <> ''), "
    "min(x.at_ns), max({'moment': x.at_ns, 'id': x.id})"
)


def teaching(
    subject: Subject, terms: Terms, now: int, accepted: tuple[Accepted, ...] = ()
) -> Query:
    """Make the table `teaching`: the runs that teach; see `tally.teaching`."""
    signed = [_UNIT.join((each.tool, each.path, each.value)) for each in accepted]
    is_signed = terms.untrusted is Untrusted.SIGNED
    return Query(
        _TEACHING + (_UNTAINTED if is_signed else ""),
        (
            subject.identity, subject.agent, (now // DAY - terms.window_days) * DAY,
            now, *((signed,) if is_signed else ()),
        ),
    )  # fmt: skip


def counts(subject: Subject, terms: Terms) -> dict[str, Query]:
    """Give the queries over `teaching`; `answers.counted` reads what they bring."""
    server = f"{subject.server}/"
    own = "FROM {} x JOIN teaching t USING (run) WHERE starts_with(x.tool, ?)"
    flow = (
        "x.tool, x.path, x.origin, x.source, x.selector, x.field, x.whole, x.trusted, "
        "x.sensitive"
    )
    entity = "x.tool, x.path, x.kind, x.text, x.sensitive"
    tool = "x.tool, x.definition, x.is_write"
    flows, calls = own.format("flows"), own.format("calls")
    grouped = {
        "capabilities": _grouped(tool, calls),
        "entities": _grouped(entity, f"{flows} AND x.is_entity"),
        "edges": _grouped(flow, flows),
        "sets": _SETS,
        "bounds": _BOUNDS.format(span=terms.span),
    }
    servers = {"sets": (server,), "bounds": (server,) * 4}
    found = {
        name: Query(text, servers.get(name, (server,)))
        for name, text in grouped.items()
    }
    return {**found, **{name: Query(text) for name, text in _WHOLE.items()}}


def _grouped(key: str, of: str) -> str:
    return f"SELECT {key}, {_SEEN} {of} GROUP BY {key}"


# The first write of a tool in a run has the fewest reads before it.
_SETS = """
WITH moments AS (
  SELECT run, tool, is_write, min({'moment': at_ns, 'id': id}) AS first
  FROM calls JOIN teaching USING (run) GROUP BY ALL
)
SELECT tool, reads, count(*) FROM (
  SELECT w.run, w.tool,
    list_sort(list(r.tool) FILTER (WHERE r.tool IS NOT NULL)) AS reads
  FROM moments w LEFT JOIN moments r
    ON r.run = w.run AND NOT r.is_write AND r.first < w.first
  WHERE w.is_write AND starts_with(w.tool, ?) GROUP BY w.run, w.tool
) GROUP BY ALL
"""
_BOUNDS = """
WITH alone AS (
  SELECT run, tool, 'count' AS measure, '' AS path, count(*)::BIGINT AS amount
  FROM calls WHERE is_write AND starts_with(tool, ?) GROUP BY run, tool
  UNION ALL SELECT run, tool, 'sum', path, sum(amount)::BIGINT
  FROM amounts WHERE is_write AND starts_with(tool, ?) GROUP BY run, tool, path
  UNION ALL SELECT run, tool, 'records', '', sum(records)::BIGINT
  FROM calls WHERE NOT is_write AND starts_with(tool, ?) GROUP BY run, tool
  UNION ALL SELECT run, tool, 'bytes', '', sum(size)::BIGINT
  FROM calls WHERE NOT is_write AND starts_with(tool, ?) GROUP BY run, tool
), total AS (
  SELECT tool, measure, path, (sum(amount) OVER (
    PARTITION BY tool, measure, path ORDER BY started
    RANGE BETWEEN {span} PRECEDING AND CURRENT ROW))::BIGINT AS amount
  FROM alone JOIN teaching USING (run)
)
SELECT tool, measure, path, list(amount) FROM total GROUP BY ALL
"""
_TOTALS = """
SELECT count(*), count(DISTINCT started // {day}),
  count(DISTINCT person) FILTER (WHERE person <> '')
FROM teaching
"""
_HOURS = """
SELECT (started // {hour} + {epoch}) % 168, count(*) FROM teaching GROUP BY 1
"""
_RATES = """
SELECT busiest, count(*) FROM (
  SELECT t.run, coalesce(max(b.n), 0) AS busiest FROM teaching t LEFT JOIN (
    SELECT run, count(*) OVER (
      PARTITION BY run ORDER BY at_ns RANGE BETWEEN {before} PRECEDING AND CURRENT ROW
    ) AS n FROM calls
  ) b USING (run) GROUP BY t.run
) GROUP BY 1
"""
_WHOLE = {
    "totals": _TOTALS.format(day=DAY),
    "places": "SELECT DISTINCT network, workload, region FROM teaching",
    "hours": _HOURS.format(hour=_HOUR, epoch=_EPOCH),
    "rates": _RATES.format(before=_MINUTE - 1),
}
