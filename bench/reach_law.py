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
from bench.figures import Figure, at_least, at_most

CASES, QUICK = 20_000, 500
PLANTED = 12
# A planted mistake is a case of a parametrised test.
_FOUND = re.compile(r"tests/\S+\[.+\] PASSED.*")


def figures(seed: int, cases: int, command: str) -> Iterator[Figure]:
    """Check the law on that many cases, then count found mutants."""
    from tests.reach import laws

    command = f"{command} --only law"
    started = time.perf_counter()
    differences = 0
    try:
        told = laws.run(cases, seed)
    except AssertionError as error:
        sys.stderr.write(f"law: {error}\n")
        differences = 1
    else:
        size = f"law, seed {told.seed}"
        goal = at_least(CASES, f">= {CASES:,}") if cases >= CASES else None
        yield Figure(f"{size}: cases", "cases", (told.cases,), command, goal)
        for word, count in sorted(told.verdicts.items()):
            what = f"{size}: answers compared, {word}"
            yield Figure(what, "answers", (count,), command)
        what = f"{size}: situations compared"
        yield Figure(what, "situations", (told.situations,), command)
    took = time.perf_counter() - started
    yield Figure("law: differences", "", (differences,), command, at_most(0, "none"))
    yield Figure("law: time", "s", (took,), command)
    if cases >= CASES:
        goal = at_least(PLANTED, f">= {PLANTED}, all")
        yield Figure("planted mistakes found", "", (_planted(),), command, goal)


def _planted() -> int:
    """Count the found mutants; none if one is missed."""
    tests = sorted(map(str, (Path("tests") / "reach").glob("test_planted*.py")))
    argv = (sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", *tests)
    try:
        lines = command_run.run(argv).out.splitlines()
    except RuntimeError as error:
        sys.stderr.write(f"planted: {error}\n")
        return 0
    return sum(_FOUND.fullmatch(line) is not None for line in lines)
