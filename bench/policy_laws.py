"""Laws of exported policies on thousands of generated accounts, and their compile time.

Run as `python -m bench --only policies`.
"""

import sys
import time
from collections.abc import Callable, Iterator, Sequence

from hypothesis import HealthCheck, given, seed, settings
from hypothesis.strategies import SearchStrategy, tuples

from bench.figures import BenchFigure, Line, at_least, at_most

SESSIONS, WITHIN, GROWTH = 2_000, 1_000, 5_000
PROFILES, COMPILE_SECONDS = 1_000, 60
_QUICK = 50  # times fewer cases


def run_policy_laws(number: int, command: str, *, quick: bool) -> Iterator[Line]:
    """Check the laws, then compile profiles.

    Args:
        number: Seed.
    """
    from tests.laws import test_least_privilege_laws as least_privilege

    share = _QUICK if quick else 1
    yield from _run_session_law(SESSIONS // share, number, command)
    for what, law, drawn, cases in (
        (
            "least privilege within today, and no observed call lost",
            least_privilege.hold_within_today,
            least_privilege.WITHIN_TODAY,
            WITHIN // share,
        ),
        (
            "one more event never shrinks a policy",
            least_privilege.hold_growth,
            least_privilege.ONE_MORE_CALL,
            GROWTH // share,
        ),
    ):
        yield from _run_law(what, law, drawn, (cases, number, command))
    yield from _measure_compile(PROFILES // share, command)


def _run_session_law(cases: int, number: int, command: str) -> Iterator[Line]:
    """Check the law of narrowed sessions."""
    from tests.laws import narrowed_sessions

    name, broken = "narrowed sessions", 0
    started = time.process_time()
    try:
        found = narrowed_sessions.run(cases, number)
    except narrowed_sessions.SessionLawError as error:
        sys.stderr.write(f"{name}: {error}\n")
        broken = 1
    else:
        goal = at_least(SESSIONS, f">= {SESSIONS:,}") if cases >= SESSIONS else None
        yield BenchFigure(f"{name}: cases", "cases", (found.cases,), command, goal)
        for what, count in sorted(found.compared.items()):
            yield BenchFigure(f"{name}: {what}", "calls", (count,), command)
    took = time.process_time() - started
    yield BenchFigure(f"{name}: exceptions", "", (broken,), command, at_most(0, "none"))
    yield BenchFigure(f"{name}: processor time", "s", (took,), command)


def _run_law(
    what: str,
    law: Callable[..., None],
    drawn: Sequence[SearchStrategy[object]],
    run: tuple[int, int, str],
) -> Iterator[Line]:
    """Check a law of Hypothesis.

    Args:
        run: Cases, seed and command.
    """
    cases, number, command = run
    count, broken = 0, 0

    def hold(values: tuple[object, ...]) -> None:
        nonlocal count
        count += 1
        law(*values)

    options = settings(
        max_examples=cases,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    try:
        seed(number)(options(given(tuples(*drawn))(hold)))()
    except AssertionError as error:
        sys.stderr.write(f"{what}: {error}\n")
        broken = 1
    yield BenchFigure(f"{what}: cases", "cases", (count,), command)
    yield BenchFigure(f"{what}: exceptions", "", (broken,), command, at_most(0, "none"))


def _measure_compile(profiles: int, command: str) -> Iterator[Line]:
    """Measure the compile of profiles to session policies."""
    from tests.baseline.test_policy_export import compile_profiles_of_actions

    started = time.process_time()
    documents = compile_profiles_of_actions(profiles)
    took = time.process_time() - started
    goal = at_most(COMPILE_SECONDS, f"<= {COMPILE_SECONDS} s")
    what = f"compile {profiles:,} profiles ({documents:,} documents), processor time"
    yield BenchFigure(what, "s", (took,), command, goal)
