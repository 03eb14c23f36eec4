"""Reference ownership score: try every choice of records and keep the best.

`answerable.inventory.ownership_score` must give the same numbers; the tests hold the two equal.
"""

from collections.abc import Sequence
from itertools import combinations

from answerable.model.person import OwnerEvidence, OwnerEvidenceKind

WEIGHTS = {
    "attestation": 0.95,
    "confirmation": 0.95,
    "config-in-home": 0.85,
    "codeowners": 0.75,
    "owner-tag": 0.75,
    "creator": 0.65,
    "oidc-subject": 0.60,
    "frequent-assumer": 0.40,
    "role-assignment": 0.30,
    "team-tag": 0.35,
    "name-match": 0.15,
}
HALF_LIFE_DAYS = 540


def score(records: Sequence[OwnerEvidence], now: int, *, alive: bool = True) -> float:
    """Score one person's evidence for one subject; all of it counts.

    Args:
        records: At most a dozen: this takes exponential time.
        now: UTC nanoseconds.
        alive: False when the person has left.
    """
    best = 0.0
    for size in range(len(records) + 1):
        for chosen in combinations(records, size):
            if _allowed(chosen):
                best = max(best, _score(chosen, now, alive))
    return best


def _allowed(chosen: Sequence[OwnerEvidence]) -> bool:
    kinds: list[OwnerEvidenceKind] = [item.kind for item in chosen]
    acts = [item.act for item in chosen if item.act]
    return len(set(kinds)) == len(kinds) and len(set(acts)) == len(acts)


def _score(chosen: Sequence[OwnerEvidence], now: int, alive: bool) -> float:
    product = 1.0
    for item in chosen:
        days = max(0, now - item.seen.at) / 86_400e9
        fresh = WEIGHTS[item.kind.value] * 0.5 ** (days / HALF_LIFE_DAYS)
        product *= 1.0 - fresh * (1 if alive else 0)
    return 1.0 - product
