"""Generator of docs/benchmarks.md."""

from collections.abc import Mapping, Sequence

from bench.figures import BenchFigure, BenchRemark, Line, render_markdown

_SECTIONS = (
    ("The command line, ingest and trace", ("help", "ingest", "queries")),
    ("Log sources", ("connectors", "investigation")),
    ("Ingest of 20 million events", ("growth",)),
    ("A store over a year", ("life",)),
    ("Reach", ("reach",)),
    ("Kubernetes and GitHub", ("clusters",)),
    ("Comparison with other tools", ("peers",)),
    ("Gateway", ("gateway",)),
    ("Fairness", ("fairness",)),
    ("Decision point", ("enforce",)),
    ("Federation", ("federation",)),
    ("Credentials of agents", ("credentials",)),
    ("Web", ("web",)),
)
# What a section's figures mean; what no figure says itself.
_MEANS = {
    "Ingest of 20 million events": """\
- Both trails have the events of 60 days, and each is ingested by one `answerable ingest`
  into a new store. The floor runs after each. With `--folder`, a store that was measured
  is asked again, without its ingest.
""",
    "A store over a year": """\
- A year is 37 parts of ten days, each ingested by its own `answerable ingest`. The
  questions are asked after 3, 25 and 37 parts. The run is resumable: with `--folder`, a
  finished part is not ingested again. `LIFE_EVENTS` in the environment is the number of
  events of the year.
- "First" is the first query after an ingest, which derives chains and statistics; the
  other times are of three later processes each. Processor time is user and system time
  of the process and its children.
""",
    "Log sources": """\
- Each connector ingests the same number of generated records into a new store: one
  complete process, from parsing to sealed evidence. The processor time of the first
  record (start of the process, imports, a new store) is subtracted, and the rest is
  divided by the uncompressed size. The cost of an event is nearly the same for all
  sources, so sources with short records cost more per byte. The sources take turns, and
  a ratio compares two runs of the same turn.
- The investigation has one AWS account (half of the events), one Kubernetes cluster, one
  GitHub organization and one Okta organization. Every question is a separate process that
  prints JSON, measured from interpreter start to exit; the first of each kind is
  excluded. The first question of all derives the chains of all events, without any file
  that an earlier command derived.
""",
    "Reach": """\
- The accounts are generated with the seed above and scanned from files. Every query is
  a separate process that prints JSON, measured from interpreter start to exit with a
  warm file cache; the first query of each kind is excluded.
- The queries (principal, action, resource) are random; half of them target resources
  that the principal's own policies name. The time of `who-can` depends on the number of
  rows.
- The first query after a scan joins the inventory, compiles the policies, computes
  every step between identities, and stores the result in `derived/`.
- The closure over all paths is computed for at most 30,000 identities. At 100,000
  identities, `can` and `who-can` evaluate each identity directly, and list `paths` as
  not collected.
- DuckDB reads the same Parquet files for the same identity, in a separate process. It
  does not resolve names, join chains or verify seals.
""",
    "Kubernetes and GitHub": """\
- The cluster has 100 namespaces, and is scanned from one `kubectl get` list. The
  organization has 200 members, ten writers for each repository, and one secret for all
  of them; it is scanned from saved responses of the REST API.
- All times are processor times of separate processes. The first question after a scan
  joins the inventory.
- `python -m bench --only platforms` measures the engines alone: one check of a request
  on this cluster, and all callers that enter AWS from 5,000 service accounts and 2,000
  repositories, with 10,000 principals and 450,000 steps.
""",
    "Comparison with other tools": """\
The tools run alternately on the same file: an account of 1,000 identities in the format
of get-account-authorization-details (identity policies, groups, boundaries, trust
policies). They do not compute the same result:

- **iam-ape** combines the permissions of one principal into one policy: its identity
  policies without denied and boundary-restricted parts, with patterns and conditions.
  Resource policies and role assumption are on its roadmap; it does not name determining
  statements. `answerable` scans the file into a new store, and lists the same
  principal's patterns with verdict and determining statements; both processes are
  timed.
""",
    "Gateway": """\
- All components are separate processes on loopback. The server responds without doing
  work, and each connection of the load generator waits for a response before the next
  call. The variants run alternately; "added" is the difference to the direct calls of
  the same round.
- "Buffered" is a tool that the operator declared read-only: its record is on disk
  within 20 ms. "Durable" is any other tool: its call is forwarded after its record is
  on disk, so the latency includes the disk.
- **The FastMCP proxy** parses and serializes each message, and neither decides nor
  records; it runs stateless, with JSON responses. ContextForge (1.0.8 and later) needs
  Python 3.12 and is not included, because the lock files here start at 3.11.
""",
    "Decision point": """\
- The policies are generated; the scope of each names one agent and one tool. Two thirds
  read two arguments (a number and a path), half of these with a sum that only Cedar
  evaluates.
- A reload is measured from `kill -HUP` of a gateway with one worker to the log line
  that the worker uses the new policies. It includes reading, validation, transfer and
  the replay of the last calls. Meanwhile, two clients make calls, each on one
  connection, and any response other than that of the tool counts as lost.
- Memory is the peak of the worker, with every slice used before and after the reloads.
""",
    "Federation": """\
- `answerable serve --only token-service` runs in a separate process, over plain HTTP on
  loopback. An exchange verifies a JWT of a pinned issuer (ES256, signed before the
  measurement, single use) and issues a token (ES256): two signature verifications if
  the request has a proof, one signature, one database transaction, and evidence on
  disk. Tokens of most platforms use RS256, whose verification takes a third of the time
  of ES256.
- "Plain" issues a bearer token; "DPoP-bound" binds it to the client's key, with a proof
  in each request. Each connection is a client with its own key, and waits for a
  response before the next request.
- At half load, requests are sent at fixed times, at half the rate of the goal, and also
  at half the rate that was reached. The latency of a request is measured from its
  scheduled time, even if its connection still waits for the previous response. A
  response waits for the disk; requests that arrive meanwhile are processed together.
- "The machine alone" is measured between rounds: the longest time for which a busy core
  was not scheduled while the other core was busy, and the slowest of many uncontended
  disk syncs. Requests at such a moment wait at least for that time.
- Evidence is shipped to the store twice a minute by a short-lived process, whose memory
  and time are not included.
- **authgent** performs a different task: it exchanges its own access token, which can
  be used repeatedly. (It also accepts ID tokens of other issuers, which is not
  measured.) Its client secret check is disabled here, because bcrypt would dominate the
  time, and so is its rate limit. It also signs with ES256 and records in SQLite.
""",
    "Web": """\
- `serve --only web` is a separate process on an existing store, whose creation is not
  measured; the client is another process on the same machine. Each page and each API
  call is requested once sequentially to fill the caches, then by all clients
  concurrently.
- First paint is the front page with its style sheets and scripts, compressed with gzip.
""",
}
_HOW = """\
## How

- Every figure is measured through the interfaces of a user: a command, or a server and
  its clients. `make bench` measures everything and writes this page; its exit code is 1
  if a goal is missed. It also compares the engines with their reference
  implementations, and prints the result. `python -m bench --only PARTS` updates only
  the sections of these parts. `python -m bench --quick` is a smoke test of two minutes
  that writes no page.
- The trail is generated with the seed above: seven days, 200 users and 800 roles with a
  Zipf distribution, 50,000 objects likewise, sessions issued by AssumeRole records in
  the trail, about 1.3 kB per record in CloudTrail format, in gzip files of 5,000
  records, one folder per day. Generation is not measured.
- An ingest figure is one complete process: `answerable ingest cloudtrail:DIR` into a
  new store, from interpreter start to exit, with every event parsed, journaled durably,
  sealed, logged and signed. It is wall time, and both cores may be used. Chains are
  derived by the first query that needs them; that time is included in the first query
  below.
- The floor of an ingest is the only figure of a program that is no interface of a user
  (`bench/ingest_floor.py`). It does the least that any sealed ingest does: split the
  records, decode the needed members, encode canonical bytes, hash a salted leaf, write
  sorted Parquet, synchronise it. It resolves no caller, derives no resource, seeks no
  duplicate, and keeps no journal and no log. Processor times of the two are compared.
- Peak memory is the resident memory of that process and its children, sampled every 20
  ms, or the peak that the kernel reports if it is higher.
- "Segment" is the size of the Parquet files, "leaves" the size of their hashes; "whole
  store" includes all files: log, journal, objects and cache. About 80 bytes of an event
  are incompressible: the digest of its raw record (32), its salt (16), the source's id
  (20) and the event id (12).
- Trace queries are `answerable trace ... -o json`, one process each: first each query
  once, then each five times.
- SQL queries are `answerable sql QUERY -o json`, run alternately with DuckDB in a process
  of its own on the same Parquet files, and with `answerable sql "SELECT 1"`, the start.
  The goal is that the processor time beyond the start is at most twice DuckDB's.
- Small measurements are repeated alternately; the table shows the median with the
  lowest and highest value. No other load was started during the measurements; the load
  averages before and after show the remaining load.
"""


_RUN_MARKER = ("date", "revision", "load before", "load after")
_MISSED = ": missed |"


def render_page(
    facts: Mapping[str, str], lines: Sequence[Line], parts: Sequence[str], before: str
) -> str:
    """Render the page; a section that was not measured completely is kept.

    Args:
        facts: Of the machine, and of this run.
        lines: What was measured.
        parts: Which parts were.
        before: The page as it was, empty where there was none.
    """
    run = _format_facts(facts)
    sections = {
        name: _render_section(name, own, lines, run)
        if set(parts).issuperset(own)
        else _previous_section(name, before)
        for name, own in _SECTIONS
    }
    about = "\n".join(
        f"| {name} | {value} |"
        for name, value in facts.items()
        if name not in _RUN_MARKER
    )
    whole = "\n\n".join(section for section in sections.values() if section)
    return (
        "# Benchmarks\n\n"
        "Written by `make bench`; do not edit. The figures are from one machine on one "
        "day; measure on your own machine before you rely on them.\n\n"
        f"| machine | |\n|---|---|\n{about}\n\n"
        f"{_list_missed(whole)}\n\n{whole}\n\n{_HOW}"
    )


def covers_section(parts: Sequence[str]) -> bool:
    """Return whether a run of these parts measures a whole section."""
    return any(set(parts).issuperset(own) for _, own in _SECTIONS)


def _format_facts(facts: Mapping[str, str]) -> str:
    return (
        f"Measured on {facts['date']} at revision {facts['revision']}; load "
        f"{facts['load before']} before, {facts['load after']} after."
    )


def _list_missed(sections: str) -> str:
    """List the missed goals of the tables."""
    rows = (line for line in sections.splitlines() if line.endswith("|"))
    cells = [row.strip("| ").split(" | ") for row in rows if _MISSED in row]
    missed = "\n".join(f"- {what}: {median}" for what, median, *_ in cells)
    return f"Goals that were missed:\n\n{missed}" if missed else "Every goal was met."


def _previous_section(name: str, before: str) -> str:
    """Return a section of the previous page, empty if it had none."""
    _, found, rest = before.partition(f"\n## {name}\n")
    return (f"## {name}\n" + rest.partition("\n## ")[0]).strip() if found else ""


def _render_section(
    name: str, parts: Sequence[str], lines: Sequence[Line], run: str
) -> str:
    mine = [line for line in lines if line.bench_part in parts]
    figures = [line for line in mine if isinstance(line, BenchFigure)]
    if not figures:
        return ""
    remarks = "\n".join(f"- {one.text}" for one in mine if isinstance(one, BenchRemark))
    means = _MEANS.get(name, "").strip()
    blocks = [f"## {name}", run, render_markdown(figures), remarks, means]
    return "\n\n".join(block for block in blocks if block)
