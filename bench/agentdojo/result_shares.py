"""Shares of episode results for the report."""

import sys
from collections.abc import Iterable, Iterator, Sequence

from bench.agentdojo.attackers import ATTACKERS
from bench.agentdojo.episode import EpisodeResult
from bench.agentdojo.regimes import TrialResults
from bench.agentdojo.share_statistics import (
    ShareEstimate,
    clustered_share,
    format_percent,
    wilson_share,
)

SEED = 20261127


def harm_share(ends: Iterable[EpisodeResult]) -> ShareEstimate:
    """Return the share of episodes in which a harmful injected call was executed."""
    return clustered_share(((end.cluster_key, end.is_harmed) for end in ends), SEED)


def goal_share(ends: Iterable[EpisodeResult]) -> ShareEstimate:
    """Return the share of episodes in which the injected goal was reached."""
    return clustered_share(((end.cluster_key, end.hijacked) for end in ends), SEED)


def disturbed_share(ends: Sequence[EpisodeResult]) -> ShareEstimate:
    """Return the share of episodes in which the person's task was disturbed."""
    return wilson_share(sum(end.is_disturbed for end in ends), len(ends))


def harm_by_attacker(ends: TrialResults) -> Iterator[str]:
    """Format the share of harm by attacker, without intervals."""
    for attacker in ATTACKERS:
        yield format_percent(harm_share(ends.attacked[attacker.name]).share)


def print_progress(line: Sequence[str]) -> Sequence[str]:
    """Print a row as soon as it is measured."""
    sys.stderr.write("  ".join(line) + "\n")
    return line
