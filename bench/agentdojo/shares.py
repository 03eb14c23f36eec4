"""What a row of the page tells of how runs ended."""

import sys
from collections.abc import Iterable, Iterator, Sequence

from bench.agentdojo.attackers import ATTACKERS
from bench.agentdojo.measure import Share, clustered, percent, wilson
from bench.agentdojo.scene import End
from bench.agentdojo.trials import Ends

SEED = 20261127


def harm(ends: Iterable[End]) -> Share:
    """Give the share in which any injected call that can do harm went through."""
    return clustered(((end.cluster, end.harmed) for end in ends), SEED)


def goal(ends: Iterable[End]) -> Share:
    """Give the share in which the injected goal was reached."""
    return clustered(((end.cluster, end.hijacked) for end in ends), SEED)


def disturbed(ends: Sequence[End]) -> Share:
    """Give the share in which any call of the person's task was held up."""
    return wilson(sum(end.disturbed for end in ends), len(ends))


def by_attacker(ends: Ends) -> Iterator[str]:
    """Tell the share of harm by each attacker, without intervals."""
    for attacker in ATTACKERS:
        yield percent(harm(ends.attacked[attacker.name]).share)


def note(line: Sequence[str]) -> Sequence[str]:
    """Tell of a row as soon as it is there."""
    sys.stderr.write("  ".join(line) + "\n")
    return line
