"""`python -m bench`: measure, print a table, write docs/benchmarks.md.

Ends with exit code 1 when a figure misses its goal. `--quick` is a smoke run at 20,000
events and of a small organisation; it writes nothing.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench import command_run, machine_facts, report
from bench.figures import BenchFigure, Line, at_most, render_plain
from bench.ingest import (
    GOALS_FROM,
    IngestSample,
    measure_floor,
    measure_ingest,
    prepare_trail,
    summarise_floor,
    summarise_ingest,
)

ROOT = Path(__file__).resolve().parent.parent
SEED = 20261124
# Parts that are not on the page.
LAWS = (
    *("expansions", "law", "what-if", "cedar", "races", "intent", "platforms"),
    *("findings", "policies"),
)
UNMEASURED = ("engines", "pages", "accounts")
PARTS = (
    *("help", "ingest", "queries", "connectors", "investigation"),
    *("growth", "life", "reach", "clusters", "peers"),
    *("gateway", "fairness", "enforce", "federation", "credentials", "web"),
    *LAWS,
    *UNMEASURED,
)
LARGE, QUICK = 2_000_000, 20_000
ROUNDS = 3
HELP_RUNS = 5
GIBIBYTE = at_most(1024, "<= 1 GiB")


def measure_small(
    folder: Path, parts: Sequence[str], events: int, rounds: int, command: str
) -> Iterator[BenchFigure]:
    """Measure the quick parts, interleaved."""
    walls: list[float] = []
    runs: list[IngestSample] = []
    floors: list[float] = []
    for _ in range(rounds):
        if "help" in parts:
            walls += [
                command_run.answerable_command("--help").wall * 1000
                for _ in range(HELP_RUNS)
            ]
        if "ingest" in parts:
            runs.append(measure_ingest(folder, events))
            floors.append(measure_floor(folder, events))
    if walls:
        goal = at_most(250, "<= 250 ms")
        yield BenchFigure("--help", "ms", tuple(walls), f"{command} --only help", goal)
    if runs:
        command = f"{command} --only ingest"
        yield from summarise_ingest(runs, events, command)
        yield from summarise_floor(runs, floors, events, command)


def measure_large_ingest(
    folder: Path, small: Sequence[BenchFigure], events: int, command: str
) -> Iterator[BenchFigure]:
    """Ingest the large trail, and compare its duration with the small one."""
    command = f"{command} --only ingest"
    run = measure_ingest(folder, events)
    yield from summarise_ingest([run], events, command)
    floor = measure_floor(folder, events)
    yield from summarise_floor([run], [floor], events, command)
    rates = [f for f in small if f.unit == "events/s" and f.what.startswith("ingest")]
    if rates:
        # Against the fastest of the small runs: whatever slowed one flatters this.
        growth = run.seconds / (GOALS_FROM / max(rates[0].values))
        words = f"time of {events:,} over {GOALS_FROM:,}"
        yield BenchFigure(words, "x", (growth,), command, at_most(11, "<= 11x"))


def measure_verify(folder: Path, events: int, command: str) -> Iterator[BenchFigure]:
    """Verify the whole store of that size."""
    command = f"{command} --only ingest"
    took = command_run.answerable_command(
        "--store", str(folder / f"store-{events}"), "evidence", "verify"
    )
    size = f"{events:,} events"
    yield BenchFigure(f"evidence verify, {size}", "s", (took.wall,), command)
    yield BenchFigure(
        f"peak memory of verify, {size}", "MiB", (took.peak,), command, GIBIBYTE
    )


def measure_queries(folder: Path, events: int, command: str) -> Iterator[BenchFigure]:
    """Run trace and SQL queries on the store of that size."""
    from bench import sql_queries, trace_queries

    store = str(folder / f"store-{events}")
    command = f"{command} --only ingest,queries"
    yield from trace_queries.measure_queries(store, events, SEED, command)
    yield from sql_queries.measure_sql(store, events, command)


def measure_reach(
    folder: Path, parts: Sequence[str], command: str, *, quick: bool
) -> Iterator[Line]:
    """Measure reach, and the peer tools next to it."""
    from bench import peer_tools, reach_queries

    if "reach" in parts:
        yield from reach_queries.measure_reach(folder, SEED, command, quick=quick)
    if "accounts" in parts:
        from bench import many_accounts

        (folder / "accounts").mkdir(exist_ok=True)
        yield from many_accounts.measure_accounts(
            folder / "accounts", SEED, f"{command} --only accounts", quick=quick
        )
    if "clusters" in parts:
        from bench import clusters

        yield from clusters.measure_clusters(folder / "both", command, quick=quick)
    if "findings" in parts:
        from bench import findings

        yield from findings.measure_findings(folder, SEED, command, quick=quick)
    if "platforms" in parts:
        from bench import google_cloud, platform_paths

        yield from google_cloud.measure_google_cloud(folder, command, quick=quick)
        yield from platform_paths.measure_platforms(command, quick=quick)
    if "peers" in parts:
        given = peer_tools.prepare_peers(
            ROOT, folder, peer_tools.QUICK if quick else peer_tools.SIZE, SEED
        )
        yield from peer_tools.measure_peers(
            given, SEED, 1 if quick else peer_tools.ROUNDS, command
        )


def run_laws(parts: Sequence[str], command: str, *, quick: bool) -> Iterator[Line]:
    """Compare the engines with their references on many cases; not on the page."""
    from bench import action_expansion, intent_law, reach_law, what_if_law
    from bench.authorization import compiled_law as cedar
    from bench.federation import races

    if "expansions" in parts:
        yield from action_expansion.report_expansions(ROOT, command)
    if "law" in parts:
        yield from reach_law.run_reach_law(
            SEED, reach_law.QUICK if quick else reach_law.CASES, command
        )
    if "what-if" in parts:
        edits = what_if_law.QUICK if quick else what_if_law.EDITS
        yield from what_if_law.run_what_if_law(SEED, edits, f"{command} --only what-if")
    if "cedar" in parts:
        yield from cedar.run_law(quick=quick, command=f"{command} --only cedar")
    if "intent" in parts:
        pairs = intent_law.QUICK if quick else intent_law.PAIRS
        yield from intent_law.run_intent_law(SEED, pairs, command)
    if "policies" in parts:
        from bench import policy_laws

        yield from policy_laws.run_policy_laws(
            SEED, f"{command} --only policies", quick=quick
        )
    if "races" in parts:
        yield from races.run_races(command, quick=quick)


def measure_logs(
    folder: Path, parts: Sequence[str], command: str, *, quick: bool
) -> Iterator[Line]:
    """Measure the log sources, the life of a store and the engines."""
    from bench import engines, ingest_growth, log_sources, store_life

    for part, measure in (
        ("connectors", log_sources.measure_connectors),
        ("investigation", log_sources.measure_investigation),
        ("growth", ingest_growth.measure_growth),
        ("life", store_life.measure_life),
        ("engines", engines.measure_engines),
    ):
        if part in parts:
            own = f"{command} --only {part}"
            (folder / part).mkdir(exist_ok=True)
            yield from measure(folder / part, SEED, own, quick=quick)


def measure_gateway(
    folder: Path, parts: Sequence[str], command: str, *, quick: bool
) -> Iterator[Line]:
    """Measure the gateway, and a policy reload."""
    if "gateway" in parts:
        from bench.gateway import figures

        rounds, seconds = (1, 0.5) if quick else (figures.ROUNDS, figures.SECONDS)
        yield from figures.measure_gateway(ROOT, folder, rounds, seconds, command)
    if "fairness" in parts:
        from bench.gateway import fairness

        rounds, seconds = (
            (1, fairness.QUICK) if quick else (fairness.ROUNDS, fairness.SECONDS)
        )
        yield from fairness.measure_fairness(folder, rounds, seconds, command)
    if "enforce" in parts:
        from bench.authorization import figures as enforce

        yield from enforce.measure_authorization(folder, command, quick=quick)


def measure_web(
    folder: Path, parts: Sequence[str], command: str, *, quick: bool
) -> Iterator[Line]:
    """Measure the web page under load, and each page in a browser."""
    if "web" in parts:
        from bench.web import figures

        yield from figures.measure_web(folder / "web", command, quick=quick)
    if "pages" in parts:
        from bench.web import page_paint

        yield from page_paint.measure_pages(folder / "web", command, quick=quick)


def measure_federation(
    folder: Path, parts: Sequence[str], command: str, *, quick: bool
) -> Iterator[Line]:
    """Measure the token service, and the credentials of agents on a laptop."""
    if "federation" in parts:
        from bench.federation import figures

        rounds, count = (1, figures.QUICK) if quick else (figures.ROUNDS, figures.COUNT)
        yield from figures.measure_exchanges(ROOT, folder, rounds, count, command)
    if "credentials" in parts:
        from bench import agent_credentials

        yield from agent_credentials.measure_credentials(
            folder / "credentials", command, quick=quick
        )


def measure_parts(options: argparse.Namespace, folder: Path) -> list[Line]:
    """Measure the requested parts."""
    command = "python -m bench" + (" --quick" if options.quick else "")
    events = QUICK if options.quick else GOALS_FROM
    lines: list[Line] = []

    def note(more: Iterator[Line]) -> None:
        for line in more:
            lines.append(line)
            told = render_plain([line]) if isinstance(line, BenchFigure) else line.text
            sys.stderr.write(told.splitlines()[-1] + "\n")

    note(measure_reach(folder, options.only, command, quick=options.quick))
    note(measure_gateway(folder, options.only, command, quick=options.quick))
    note(measure_web(folder, options.only, command, quick=options.quick))
    note(measure_federation(folder, options.only, command, quick=options.quick))
    note(run_laws(options.only, command, quick=options.quick))
    note(measure_logs(folder, options.only, command, quick=options.quick))
    if "ingest" in options.only:
        prepare_trail(folder, events, SEED)
    note(
        measure_small(
            folder, options.only, events, 1 if options.quick else ROUNDS, command
        )
    )
    if "ingest" in options.only and not options.quick:
        events = LARGE
        prepare_trail(folder, events, SEED)
        note(measure_large_ingest(folder, list(filter_figures(lines)), events, command))
    if "ingest" in options.only:
        note(measure_verify(folder, events, command))
    if "queries" in options.only and "ingest" in options.only:
        note(measure_queries(folder, events, command))
    return lines


def filter_figures(lines: Sequence[Line]) -> Iterator[BenchFigure]:
    return (line for line in lines if isinstance(line, BenchFigure))


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, write; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="20,000 events, no page")
    parser.add_argument(
        "--only", default=",".join(PARTS), help="of " + ", ".join(PARTS)
    )
    parser.add_argument("--folder", type=Path, help="where to work; kept afterwards")
    parser.add_argument("--page", type=Path, default=ROOT / "docs" / "benchmarks.md")
    options = parser.parse_args(argv)
    options.only = options.only.split(",")
    if unknown := set(options.only) - set(PARTS):
        parser.error(f"no such part: {', '.join(unknown)}")
    facts = machine_facts.collect_facts(ROOT, SEED)
    if options.folder:
        options.folder.mkdir(parents=True, exist_ok=True)
        lines = measure_parts(options, options.folder)
    else:
        with tempfile.TemporaryDirectory(prefix="answerable-bench-") as name:
            lines = measure_parts(options, Path(name))
    facts["load after"] = machine_facts.load_average()
    figures = list(filter_figures(lines))
    sys.stdout.write("\n" + render_plain(figures) + "\n")
    if not options.quick and report.covers_section(options.only):
        before = options.page.read_text("utf-8") if options.page.exists() else ""
        written = report.render_page(facts, lines, options.only, before)
        options.page.write_text(written, encoding="utf-8")
    missed = [figure.what for figure in figures if figure.is_missed]
    for what in missed:
        sys.stderr.write(f"missed: {what}\n")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
