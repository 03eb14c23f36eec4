"""Law of edits: `what-if` equals a cold run over the edited policies.

Run as `python -m bench --only what-if`.
"""

import sys
import time
from collections.abc import Iterator

from hypothesis import HealthCheck, Phase, given, seed, settings

from answerable.model.sighting import SightedFacts
from bench.figures import BenchFigure, at_least, at_most

EDITS, QUICK = 1_000, 25
# Hypothesis remembers each example, so a run does not grow.
_CHUNK = 250


def run_what_if_law(first: int, edits: int, command: str) -> Iterator[BenchFigure]:
    """Compare the changes after generated edits, for everyone and per identity.

    Args:
        first: Seed of the first edits; each further chunk adds one.
        edits: Edits to generate.
        command: Printed beside each figure.
    """
    counts: list[int] = []
    started = time.perf_counter()
    differences = 0
    try:
        for number in range(-(-edits // _CHUNK)):
            _check_chunk(counts, min(_CHUNK, edits - number * _CHUNK), first + number)
    except AssertionError as error:
        sys.stderr.write(f"what-if: {error}\n")
        differences = 1
    took = time.perf_counter() - started
    size = f"what-if, seed {first}"
    goal = at_least(EDITS, f">= {EDITS:,}") if edits >= EDITS else None
    yield BenchFigure(f"{size}: edits compared", "edits", (len(counts),), command, goal)
    yield BenchFigure(f"{size}: changes compared", "changes", (sum(counts),), command)
    yield BenchFigure(
        "what-if: differences from a cold run",
        "",
        (differences,),
        command,
        at_most(0, "none"),
    )
    yield BenchFigure("what-if: time", "s", (took,), command)


def _check_chunk(counts: list[int], edits: int, number: int) -> None:
    from tests.reach.test_incremental_update import edits as drawn
    from tests.reach.test_what_if import changes_agree

    @seed(number)
    @settings(
        max_examples=edits,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(drawn())
    def law(states: list[SightedFacts]) -> None:
        counts.append(changes_agree(states))

    law()
