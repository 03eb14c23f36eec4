"""Law of reach: on generated cases the engine equals the reference.

Also counts the mistakes that the tests plant in the engine, each of which a law must
find. Run as `python -m bench --only law`.
"""

import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from bench import command_run
from bench.figures import BenchFigure, at_least, at_most

CASES, QUICK = 20_000, 500
MUTANTS = 83
# A planted mistake is a case of a parametrised test.
_FOUND_LINE = re.compile(r"tests/\S+\[.+\] PASSED.*")


def run_reach_law(seed: int, cases: int, command: str) -> Iterator[BenchFigure]:
    """Check the law on that many cases, then count found mutants."""
    from tests.reach import laws

    command = f"{command} --only law"
    started = time.perf_counter()
    differences = 0
    try:
        told = laws.run(cases, seed)
    except AssertionError as error:
        notes = getattr(error, "__notes__", ())
        sys.stderr.write(
            "\n".join(("law: the engine and the rules differ", *notes, ""))
        )
        differences = 1
    else:
        size = f"law, seed {told.seed}"
        goal = at_least(CASES, f">= {CASES:,}") if cases >= CASES else None
        yield BenchFigure(f"{size}: cases", "cases", (told.cases,), command, goal)
        for word, count in sorted(told.verdicts.items()):
            what = f"{size}: answers compared, {word}"
            yield BenchFigure(what, "answers", (count,), command)
        what = f"{size}: situations compared"
        yield BenchFigure(what, "situations", (told.situations,), command)
    took = time.perf_counter() - started
    yield BenchFigure(
        "law: differences", "", (differences,), command, at_most(0, "none")
    )
    yield BenchFigure("law: time", "s", (took,), command)
    if cases >= CASES:
        goal = at_least(MUTANTS, f">= {MUTANTS}, all")
        yield BenchFigure(
            "planted mistakes found", "", (_count_found_mutants(),), command, goal
        )


def _count_found_mutants() -> int:
    """Count the found mutants; none if one is missed."""
    tests = sorted(map(str, (Path("tests") / "reach").rglob("test_mutations*.py")))
    if not tests:
        sys.stderr.write("planted: no test of tests/reach/test_mutations*.py\n")
        return 0
    argv = (sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", *tests)
    try:
        lines = command_run.run_command(argv).out.splitlines()
    except RuntimeError as error:
        sys.stderr.write(f"planted: {error}\n")
        return 0
    return sum(_FOUND_LINE.fullmatch(line) is not None for line in lines)
