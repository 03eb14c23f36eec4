"""Generator of docs/benchmarks.md."""

from collections.abc import Mapping, Sequence

from bench.figures import BenchFigure, BenchRemark, Line, render_markdown

_SECTIONS = (
    ("The command line, ingest and trace", ("help", "ingest", "queries")),
    ("Reach", ("reach",)),
    ("Beside other tools", ("peers",)),
    ("Gateway", ("gateway",)),
    ("Fairness", ("fairness",)),
    ("Decision point", ("enforce",)),
    ("Federation", ("federation",)),
    ("Web", ("web",)),
)
# What a section's figures mean; what no figure says itself.
_MEANS = {
    "Reach": """\
- The accounts are generated with the seed above, the same every time, and scanned from
  their files. Every question is a process of its own that prints JSON, from interpreter
  start to exit, with warm files; the first of each kind is left out.
- The questions are drawn by chance (principal, action, resource), half of them aimed at
  what the principal's own policies name. `who-can` takes the time of the rows it shows.
- The first question after a scan joins the inventory, compiles the policies and finds
  every step from one identity to the next, and keeps that in the store's `derived/`.
- Steps from everybody to everybody are followed for at most 30,000 identities. At
  100,000 `can` and `who-can` evaluate each identity directly, and list `paths` as not
  collected.
- DuckDB reads the same Parquet files for the same identity, in a process of its own. It
  resolves no name, joins no chain and checks no seal.
""",
    "Beside other tools": """\
Every run starts from the same file, in turns: an account of 1,000 identities as
get-account-authorization-details answers (identity policies, groups, boundaries,
trusts). They do not do the same:

- **iam-ape** sums up what one principal is allowed in one policy: its identity
  policies less denies and boundary, patterns and conditions kept. Resource policies
  and role assumption stand on its road map; statements are not named as reasons. Ours
  beside it scans the file into a new store, and lists the same principal's patterns
  with verdict and deciding statements; both processes are timed.
""",
    "Gateway": """\
- Everything is a process of its own on loopback: the server answers without work, the
  load generator waits for each answer before its connection calls again. The ways take
  turns; "added" is against the straight way of the same round.
- "Buffered" is a tool that the operator marked as reading: its record is on disk within
  20 ms. "Durable" is any other: its call goes on once its record is on disk, so that
  its wait is the disk's.
- **FastMCP's proxy** reads and writes each message anew, and neither decides nor
  records; stateless, with JSON answers. ContextForge (1.0.8 and later) needs Python
  3.12, and the locks here begin at 3.11, so it is not among them.
""",
    "Decision point": """\
- Policies are generated; each has a head about one agent and one tool. Two thirds read
  two arguments (a number and a path), half of these with a sum that is Cedar's to make.
- A reload is `kill -HUP` of a gateway with one worker, to the line of its log that says
  that the worker decides by the new set: reading, checking, handing over and trying
  the last calls included. Two clients call meanwhile, each over one connection, and
  any answer but the tool's own counts as lost.
- Memory is the worker's peak with every slice used before and after the reloads.
""",
    "Federation": """\
- `answerable serve --only token-service` in a process of its own, plain HTTP on loopback. An
  exchange takes a JWT of a pinned issuer (ES256, signed before the clock starts, good
  once) and gives one of ours (ES256): two signatures verified where a proof comes with
  it, one made, a transaction of the record, and the evidence on disk. Most platforms'
  tokens are RS256, whose verification takes a third of ES256's.
- "Plain" gives a bearer token; "DPoP-bound" binds it to the client's key, of which a
  proof comes with each request. Each connection is a client with a key of its own, and
  waits for its answer before it asks again.
- At half load requests are due at fixed times, half as many a second as the goal asks
  for; beside it, half as many as were answered before. One whose connection still waits
  for the answer before is counted from when it was due. An answer waits for the disk,
  and what comes meanwhile is served together then.
- "The machine alone" is measured between rounds: the longest time for which a busy core
  did not run while the other one was busy too, and the slowest of many syncs that
  nothing else competed with. Whoever comes meanwhile waits at least as long.
- Evidence is shipped to the store by a short process of its own twice a minute, whose
  memory and time are not among these.
- **authgent** does another job: it exchanges an access token of its own, the same
  one each time, since nothing is good once there. (It takes ID tokens of foreign
  issuers, too; that is not measured.) Its client is
  not asked for its secret here (bcrypt would be most of the time); its limit of
  requests is lifted. It, too, signs with ES256 and records in SQLite.
""",
    "Web": """\
- `serve --only web` is a process of its own on a store written before, which is not
  measured; whoever asks is another process on the same machine. Each page and each call
  is asked once alone, so that what is kept is made; then by all at once.
- First paint is the front page with every style sheet and script that it links, each as
  it is sent with gzip.
""",
}
_HOW = """\
## How

- Every line is measured through what a user runs: a command, or a server and its
  clients. `make bench` measures everything and writes this page; it ends with exit code
  1 when a goal is missed. It also holds the engines to their references at length,
  which it prints. `python -m bench --only PARTS` writes the sections that these parts
  make, and leaves the others. `python -m bench --quick` is a smoke run of two minutes,
  and writes nothing.
- The trail is generated with the seed above, the same bytes every time: seven days, 200
  users and 800 roles drawn by a zipf law, 50,000 objects likewise, sessions issued by
  AssumeRole records inside the trail, about 1.3 kB a record as CloudTrail writes it, in
  gzip files of 5,000 records, a folder a day. Generating it is not measured.
- An ingest figure is one whole process: `answerable ingest cloudtrail:DIR` into a new
  store, from interpreter start to exit, with every event parsed, journalled durably,
  sealed, logged and signed. Wall time; both cores may be used. Chains are derived by
  the first question that needs them, and that time is part of the first one below.
- Peak memory is the resident memory of that process and its children together, sampled
  every 20 ms, or the kernel's own peak where that is higher.
- "Segment" is the Parquet files, "leaves" the hashes beside them; "whole store" is
  every file, with log, journal, objects and cache. About 80 bytes of an event do not
  compress, whatever the encoding: the digest of its raw record (32), its salt (16), the
  source's own id (20) and its own (12).
- Trace questions are `answerable trace ... -o json`, a process each, in this order: each
  once, then five times again.
- Small measurements are repeated in turns; the median is printed, with the lowest and
  highest beside it. Nothing else is run on purpose meanwhile; the load averages
  from before and after say what else there was.
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
        "Written by `make bench`; do not edit. Figures are of one machine on one day: "
        "measure on yours before relying on them.\n\n"
        f"| machine | |\n|---|---|\n{about}\n\n"
        f"{_list_missed(whole)}\n\n{whole}\n\n{_HOW}"
    )


def covers_section(parts: Sequence[str]) -> bool:
    """Tell whether a run of these parts measures a whole section."""
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
    return f"Goals that were missed:\n\n{missed}" if missed else "Every goal was held."


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
