"""Shares of episode results for the report."""

import sys
from collections.abc import Iterable, Iterator, Sequence

from bench.agentdojo.attackers import ATTACKERS
from bench.agentdojo.episode import End
from bench.agentdojo.regimes import Ends
from bench.agentdojo.share_statistics import Share, clustered, percent, wilson

SEED = 20261127


def harm(ends: Iterable[End]) -> Share:
    """Return the share of episodes in which a harmful injected call was executed."""
    return clustered(((end.cluster, end.harmed) for end in ends), SEED)


def goal(ends: Iterable[End]) -> Share:
    """Return the share of episodes in which the injected goal was reached."""
    return clustered(((end.cluster, end.hijacked) for end in ends), SEED)


def disturbed(ends: Sequence[End]) -> Share:
    """Return the share of episodes in which the person's task was disturbed."""
    return wilson(sum(end.disturbed for end in ends), len(ends))


def by_attacker(ends: Ends) -> Iterator[str]:
    """Format the share of harm by attacker, without intervals."""
    for attacker in ATTACKERS:
        yield percent(harm(ends.attacked[attacker.name]).share)


def note(line: Sequence[str]) -> Sequence[str]:
    """Print a row as soon as it is measured."""
    sys.stderr.write("  ".join(line) + "\n")
    return line
