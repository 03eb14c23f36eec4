"""Shares with confidence intervals, clustered by injection goal.

Runs of one goal succeed and fail together, so that the runs of a suite are far fewer
samples than they are runs: goals are drawn, not runs (a cluster bootstrap).
"""

import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

BOOTSTRAP_DRAWS = 2_000
_Z = 1.959964


@dataclass(frozen=True, slots=True)
class ShareEstimate:
    """A share with its 95 % interval."""

    hits: int
    of: int
    low: float
    high: float

    @property
    def share(self) -> float:
        return self.hits / self.of if self.of else 0.0

    def __str__(self) -> str:
        if not self.of:
            return "none"
        return f"{format_percent(self.share)} ({format_percent(self.low)} to {format_percent(self.high)})"


def format_percent(share: float) -> str:
    """Format a share in percent: two digits below 2 %, one above, none at the ends."""
    value = 100 * share
    if value in (0, 100):
        return f"{value:.0f} %"
    return f"{value:.2f} %" if value < 2 else f"{value:.1f} %"


def clustered_share(hits: Iterable[tuple[str, bool]], seed: int) -> ShareEstimate:
    """Estimate a share from hits with their cluster keys."""
    clusters: dict[str, list[bool]] = defaultdict(list)
    for cluster, hit in hits:
        clusters[cluster].append(hit)
    counts = [(sum(found), len(found)) for _, found in sorted(clusters.items())]
    total, of = sum(hit for hit, _ in counts), sum(size for _, size in counts)
    if total in (0, of):
        # Draws from clusters that agree agree; so many of them bound what may be.
        unseen = 1 - 0.05 ** (1 / len(counts)) if counts else 1.0
        return ShareEstimate(
            total, of, *((0.0, unseen) if total == 0 else (1 - unseen, 1.0))
        )
    pick = random.Random(seed)
    shares = sorted(_bootstrap_draw(pick, counts) for _ in range(BOOTSTRAP_DRAWS))
    return ShareEstimate(
        total,
        of,
        shares[int(0.025 * BOOTSTRAP_DRAWS)],
        shares[int(0.975 * BOOTSTRAP_DRAWS) - 1],
    )


def _bootstrap_draw(pick: random.Random, counts: Sequence[tuple[int, int]]) -> float:
    drawn = pick.choices(counts, k=len(counts))
    return sum(hit for hit, _ in drawn) / sum(size for _, size in drawn)


def wilson_share(hits: int, of: int) -> ShareEstimate:
    """Estimate a share of independent samples, with Wilson's interval."""
    if not of:
        return ShareEstimate(0, 0, 0.0, 1.0)
    p, square = hits / of, _Z * _Z / of
    middle = (p + square / 2) / (1 + square)
    half = _Z / (1 + square) * ((p * (1 - p) / of + square / (4 * of)) ** 0.5)
    return ShareEstimate(hits, of, max(0.0, middle - half), min(1.0, middle + half))
