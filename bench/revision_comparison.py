"""Comparison of gateway and token service with another revision, in one run.

Servers of both revisions run at once and are measured in turns, so what slows the
machine slows both. A figure holds where the median is at most 5 % worse, or no worse than
the spread of the runs. Ends with exit code 1 unless all do. Dependencies are today's.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parent.parent
WORSE = 0.05
_LESS_IS_BETTER = ", us"  # at the end of a figure's name


@contextmanager
def checkout_revision(revision: str) -> Iterator[Path]:
    """Check a revision out into a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="answerable-against-") as name:
        tree = Path(name) / "tree"
        git = ("git", "-C", str(ROOT), "worktree")
        add = (*git, "add", "--quiet", "--detach", str(tree), revision)
        subprocess.run(add, check=True)
        try:
            yield tree
        finally:
            subprocess.run((*git, "remove", "--force", str(tree)), check=True)


class RevisionProbe:
    """Servers of one tree under measurement.

    Args:
        tree: Root of its source.
        words: Arguments of `bench.revision_probe`.
    """

    def __init__(self, tree: Path, words: Sequence[str]) -> None:
        environment = os.environ | {"PYTHONPATH": f"{tree / 'src'}:{tree}"}
        self._process = subprocess.Popen(
            (sys.executable, "-P", str(ROOT / "bench" / "revision_probe.py"), *words),
            cwd=tree,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def measure(self) -> dict[str, float]:
        """Measure once.

        Raises:
            RuntimeError: It ended.
        """
        with suppress(BrokenPipeError):
            _pipe(self._process.stdin).write("\n")
            _pipe(self._process.stdin).flush()
        line = _pipe(self._process.stdout).readline()
        if not line:
            raise RuntimeError("a probe ended; its error is above")
        found: dict[str, float] = json.loads(line)
        return found

    def close(self) -> None:
        """Stop the probe and its servers."""
        with suppress(BrokenPipeError):
            _pipe(self._process.stdin).close()
        self._process.wait()


def _pipe(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None
    return pipe


def relative_slowdown(
    before: Sequence[float], now: Sequence[float], *, less: bool
) -> float:
    """Return the relative slowdown against the other revision; negative if faster."""
    ratio = statistics.median(now) / statistics.median(before)
    return ratio - 1 if less else 1 / ratio - 1


def relative_spread(values: Sequence[float]) -> float:
    """Return half the range of the runs, relative to their median."""
    return (max(values) - min(values)) / 2 / statistics.median(values)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure both, print a table; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.revision_comparison")
    parser.add_argument("revision", help="of git, whose bench measures the same")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each load")
    parser.add_argument("--count", type=int, default=2_000, help="exchanges of each")
    said = parser.parse_args(argv)
    words = (str(said.seconds), str(said.count))
    runs: list[list[dict[str, float]]] = [[], []]
    with checkout_revision(said.revision) as tree:
        probes = [RevisionProbe(tree, words), RevisionProbe(ROOT, words)]
        try:
            for number in range(said.rounds):
                for which in (0, 1) if number % 2 else (1, 0):
                    runs[which].append(probes[which].measure())
        except RuntimeError as error:
            sys.exit(
                f"error: {error}\nhint: compare with a revision whose bench has these modules"
            )
        finally:
            for each in probes:
                each.close()
    holds = True
    sys.stdout.write(
        f"{'figure':44}{'before':>10}{'now':>10}{'worse':>9}{'spread':>9}\n"
    )
    for name in runs[0][0]:
        before, now = ([run[name] for run in each] for each in runs)
        worse = relative_slowdown(before, now, less=name.endswith(_LESS_IS_BETTER))
        room = max(relative_spread(before), relative_spread(now))
        is_held = worse <= max(WORSE, room)
        holds = holds and is_held
        sys.stdout.write(
            f"{name:44}{statistics.median(before):10,.1f}{statistics.median(now):10,.1f}"
            f"{worse:9.1%}{room:9.1%}  {'held' if is_held else 'MISSED'}\n"
        )
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
