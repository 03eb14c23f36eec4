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
from bench.figures import Figure, Line, at_least, at_most, plain
from bench.ingest import Ingested, ingest, trail_of

ROOT = Path(__file__).resolve().parent.parent
SEED = 20261124
LAWS = ("expansions", "law", "what-if", "cedar", "races", "intent")
PARTS = (
    *("help", "ingest", "queries", "reach", "peers"),
    *("gateway", "fairness", "enforce", "federation", "web"),
    *LAWS,
)
SMALL, LARGE, QUICK = 200_000, 2_000_000, 20_000
ROUNDS = 3
HELPS = 5
GIBIBYTE = at_most(1024, "<= 1 GiB")


def ingested(runs: Sequence[Ingested], events: int, command: str) -> Iterator[Figure]:
    """Summarise the ingest runs of one size as figures."""

    def values(name: str) -> tuple[float, ...]:
        return tuple(getattr(run, name) for run in runs)

    size = f"{events:,} events"
    rates = tuple(events / seconds for seconds in values("seconds"))
    floor = at_least(30_000, ">= 30,000") if events >= SMALL else None
    yield Figure(f"ingest, {size}", "events/s", rates, command, floor)
    rates = tuple(events / seconds for seconds in values("cpu"))
    yield Figure(f"per processor second, {size}", "events/s", rates, command)
    yield Figure(f"peak memory, {size}", "MiB", values("peak"), command, GIBIBYTE)
    yield Figure(f"segment, {size}", "B/event", values("rows"), command)
    yield Figure(f"leaves, {size}", "B/event", values("leaves"), command)
    yield Figure(f"whole store, {size}", "B/event", values("whole"), command)


def small_ones(
    folder: Path, parts: Sequence[str], events: int, rounds: int, command: str
) -> Iterator[Figure]:
    """Measure the quick parts, interleaved."""
    walls: list[float] = []
    runs: list[Ingested] = []
    for _ in range(rounds):
        if "help" in parts:
            walls += [
                command_run.answerable("--help").wall * 1000 for _ in range(HELPS)
            ]
        if "ingest" in parts:
            runs.append(ingest(folder, events))
    if walls:
        goal = at_most(250, "<= 250 ms")
        yield Figure("--help", "ms", tuple(walls), f"{command} --only help", goal)
    if runs:
        yield from ingested(runs, events, f"{command} --only ingest")


def large(
    folder: Path, small: Sequence[Figure], events: int, command: str
) -> Iterator[Figure]:
    """Ingest the large trail, and compare its duration with the small one."""
    command = f"{command} --only ingest"
    run = ingest(folder, events)
    yield from ingested([run], events, command)
    rates = [f for f in small if f.unit == "events/s" and f.what.startswith("ingest")]
    if rates:
        # Against the fastest of the small runs: whatever slowed one flatters this.
        growth = run.seconds / (SMALL / max(rates[0].values))
        words = f"time of {events:,} over {SMALL:,}"
        yield Figure(words, "x", (growth,), command, at_most(11, "<= 11x"))


def checked(folder: Path, events: int, command: str) -> Iterator[Figure]:
    """Verify the whole store of that size."""
    command = f"{command} --only ingest"
    took = command_run.answerable(
        "--store", str(folder / f"store-{events}"), "evidence", "verify"
    )
    size = f"{events:,} events"
    yield Figure(f"evidence verify, {size}", "s", (took.wall,), command)
    yield Figure(
        f"peak memory of verify, {size}", "MiB", (took.peak,), command, GIBIBYTE
    )


def asked(folder: Path, events: int, command: str) -> Iterator[Figure]:
    """Run trace queries on the store of that size."""
    from bench import trace_queries

    store = str(folder / f"store-{events}")
    yield from trace_queries.figures(
        store, events, SEED, f"{command} --only ingest,queries"
    )


def reach_parts(
    folder: Path, parts: Sequence[str], command: str, *, quick: bool
) -> Iterator[Line]:
    """Measure reach, and the peer tools next to it."""
    from bench import peer_tools, reach_queries

    if "reach" in parts:
        yield from reach_queries.figures(folder, SEED, command, quick=quick)
    if "peers" in parts:
        given = peer_tools.setting(
            ROOT, folder, peer_tools.QUICK if quick else peer_tools.SIZE, SEED
        )
        yield from peer_tools.figures(
            given, SEED, 1 if quick else peer_tools.ROUNDS, command
        )


def laws(parts: Sequence[str], command: str, *, quick: bool) -> Iterator[Line]:
    """Compare the engines with their references on many cases; not on the page."""
    from bench import action_expansion, intent_law, reach_law, what_if_law
    from bench.authorization import compiled_law as cedar
    from bench.federation import races

    if "expansions" in parts:
        yield from action_expansion.figures(ROOT, command)
    if "law" in parts:
        yield from reach_law.figures(
            SEED, reach_law.QUICK if quick else reach_law.CASES, command
        )
    if "what-if" in parts:
        edits = what_if_law.QUICK if quick else what_if_law.EDITS
        yield from what_if_law.figures(SEED, edits, f"{command} --only what-if")
    if "cedar" in parts:
        yield from cedar.figures(quick=quick, command=f"{command} --only cedar")
    if "intent" in parts:
        pairs = intent_law.QUICK if quick else intent_law.PAIRS
        yield from intent_law.figures(SEED, pairs, command)
    if "races" in parts:
        yield from races.figures(command, quick=quick)


def gateway_part(
    folder: Path, parts: Sequence[str], command: str, *, quick: bool
) -> Iterator[Line]:
    """Measure the gateway, and a policy reload."""
    if "gateway" in parts:
        from bench.gateway import figures

        rounds, seconds = (1, 0.5) if quick else (figures.ROUNDS, figures.SECONDS)
        yield from figures.figures(ROOT, folder, rounds, seconds, command)
    if "fairness" in parts:
        from bench.gateway import fairness

        rounds, seconds = (
            (1, fairness.QUICK) if quick else (fairness.ROUNDS, fairness.SECONDS)
        )
        yield from fairness.figures(folder, rounds, seconds, command)
    if "enforce" in parts:
        from bench.authorization import figures as enforce

        yield from enforce.figures(folder, command, quick=quick)


def web_part(
    folder: Path, parts: Sequence[str], command: str, *, quick: bool
) -> Iterator[Line]:
    """Measure the web page under load."""
    if "web" in parts:
        from bench.web import figures

        yield from figures.figures(folder / "web", command, quick=quick)


def federation_parts(
    folder: Path, parts: Sequence[str], command: str, *, quick: bool
) -> Iterator[Line]:
    """Measure the token service."""
    if "federation" in parts:
        from bench.federation import figures

        rounds, count = (1, figures.QUICK) if quick else (figures.ROUNDS, figures.COUNT)
        yield from figures.figures(ROOT, folder, rounds, count, command)


def measure(options: argparse.Namespace, folder: Path) -> list[Line]:
    """Measure the requested parts."""
    command = "python -m bench" + (" --quick" if options.quick else "")
    events = QUICK if options.quick else SMALL
    lines: list[Line] = []

    def note(more: Iterator[Line]) -> None:
        for line in more:
            lines.append(line)
            told = plain([line]) if isinstance(line, Figure) else line.text
            sys.stderr.write(told.splitlines()[-1] + "\n")

    note(reach_parts(folder, options.only, command, quick=options.quick))
    note(gateway_part(folder, options.only, command, quick=options.quick))
    note(web_part(folder, options.only, command, quick=options.quick))
    note(federation_parts(folder, options.only, command, quick=options.quick))
    note(laws(options.only, command, quick=options.quick))
    if "ingest" in options.only:
        trail_of(folder, events, SEED)
    note(
        small_ones(
            folder, options.only, events, 1 if options.quick else ROUNDS, command
        )
    )
    if "ingest" in options.only and not options.quick:
        events = LARGE
        trail_of(folder, events, SEED)
        note(large(folder, list(only_figures(lines)), events, command))
    if "ingest" in options.only:
        note(checked(folder, events, command))
    if "queries" in options.only and "ingest" in options.only:
        note(asked(folder, events, command))
    return lines


def only_figures(lines: Sequence[Line]) -> Iterator[Figure]:
    return (line for line in lines if isinstance(line, Figure))


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
    facts = machine_facts.facts(ROOT, SEED)
    if options.folder:
        options.folder.mkdir(parents=True, exist_ok=True)
        lines = measure(options, options.folder)
    else:
        with tempfile.TemporaryDirectory(prefix="answerable-bench-") as name:
            lines = measure(options, Path(name))
    facts["load after"] = machine_facts.load()
    figures = list(only_figures(lines))
    sys.stdout.write("\n" + plain(figures) + "\n")
    if not options.quick and report.covers(options.only):
        before = options.page.read_text("utf-8") if options.page.exists() else ""
        written = report.text(facts, lines, options.only, before)
        options.page.write_text(written, encoding="utf-8")
    missed = [figure.what for figure in figures if figure.missed]
    for what in missed:
        sys.stderr.write(f"missed: {what}\n")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
