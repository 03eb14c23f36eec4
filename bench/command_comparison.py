"""Comparison of commands on a local store with another revision, in one run.

The commands of both revisions run in turns on stores of the same events, so what slows
the machine slows both. Dependencies are today's. A command holds where the median of its
processor time is at most 5 % worse, or no worse than the spread of the runs. Ends with
exit code 1 unless all do.
"""

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.command_run import answerable_command
from bench.ingest import prepare_trail
from bench.revision_comparison import (
    ROOT,
    WORSE,
    checkout_revision,
    relative_slowdown,
    relative_spread,
)

SEED = 20261124
_SERVERS = {"mcpServers": {"files": {"command": "npx", "args": ["-y", "files"]}}}
_COMMANDS = {
    "sql": ("sql", "SELECT action, count(*) FROM lineage GROUP BY ALL ORDER BY ALL"),
    "trace": ("trace", "--limit", "50"),
    "agents": ("agents",),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Measure both, print a table; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.command_comparison")
    parser.add_argument("revision", help="of git, with the same commands")
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=7)
    said = parser.parse_args(argv)
    runs: list[dict[str, list[float]]] = [{}, {}]
    with (
        tempfile.TemporaryDirectory(prefix="answerable-commands-") as name,
        checkout_revision(said.revision) as tree,
    ):
        folder = Path(name)
        prepare_trail(folder, said.events, SEED)
        (folder / "repo").mkdir()
        (folder / "repo" / ".mcp.json").write_text(json.dumps(_SERVERS))
        for number in range(said.rounds + 1):
            for which in (0, 1) if number % 2 else (1, 0):
                os.environ["PYTHONPATH"] = str((tree, ROOT)[which] / "src")
                found = _measure(folder, f"cloudtrail:{folder}/trail-{said.events}")
                if number:  # the first round compiles
                    for command, seconds in found.items():
                        runs[which].setdefault(command, []).append(seconds)
    print(f"processor time, {said.events:,} events, {said.rounds} runs in turns")
    failed = False
    for command, now in runs[1].items():
        before = runs[0][command]
        slower = relative_slowdown(before, now, less=True)
        spread = max(relative_spread(before), relative_spread(now))
        failed |= slower > max(WORSE, spread)
        print(
            f"{command:8} {said.revision}: {statistics.median(before):.3f} s, now: "
            f"{statistics.median(now):.3f} s, {slower:+.1%} (spread {spread:.1%})"
        )
    return int(failed)


def _measure(folder: Path, source: str) -> dict[str, float]:
    """Run all commands on a new store; return processor seconds of each."""
    store = folder / "store"
    shutil.rmtree(store, ignore_errors=True)
    to = ("--store", str(store), "-q", "-o", "json")
    found = {"ingest": answerable_command(*to, "ingest", source).cpu}
    answerable_command(*to, "scan", f"repo:{folder / 'repo'}")
    for name, words in _COMMANDS.items():
        answerable_command(*to, *words)  # writes derived files
        found[name] = answerable_command(*to, *words).cpu
    return found


if __name__ == "__main__":
    sys.exit(main())
