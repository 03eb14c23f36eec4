"""Estimate the confidence of a baseline: share of behaviour not yet seen, per layer.

The Good-Turing estimate takes the share of singletons for the share of unseen
behaviour; a Wilson interval bounds its error.
"""

from collections.abc import Iterable
from math import sqrt

from answerable.baseline.run_patterns import ReadSets
from answerable.baseline.training_counts import KeyCount, LayerCounts
from answerable.model.baseline import (
    BaselineLayer,
    BaselineProfile,
    EnvelopeEntry,
    LayerConfidence,
    LearningParameters,
)
from answerable.model.behaviour import EntityKind

_Z = 1.959963984540054  # two-sided 95 %
_MILLION = 1_000_000


def wilson_upper_bound(hits: int, samples: int) -> float:
    """Return the upper end of Wilson's 95 % interval for a share."""
    if samples == 0:
        return 1.0
    share, square = hits / samples, _Z * _Z
    middle = share + square / (2 * samples)
    spread = _Z * sqrt(share * (1 - share) / samples + square / (4 * samples**2))
    return min(1.0, (middle + spread) / (1 + square / samples))


def estimate_unseen_layer_share(
    layer: BaselineLayer, runs: Iterable[int]
) -> LayerConfidence:
    """Estimate the share of behaviour in one profile layer that no run showed yet."""
    counts = list(runs)
    samples, singletons = sum(counts), counts.count(1)
    unseen = singletons / samples if samples else 1.0
    return LayerConfidence(
        layer,
        samples,
        singletons,
        round(unseen * _MILLION),
        round(wilson_upper_bound(singletons, samples) * _MILLION),
    )


def estimate_confidence(
    layer_counts: LayerCounts, read_sets: ReadSets, surroundings: EnvelopeEntry
) -> tuple[LayerConfidence, ...]:
    """Estimate the unseen share of each layer of a profile."""
    before = [runs for each in read_sets.values() for runs in each.values()]
    hours = [runs for _, runs in surroundings.hours]
    return (
        estimate_unseen_layer_share(
            BaselineLayer.CAPABILITY,
            _count_runs_by_key(layer_counts.capabilities.values()),
        ),
        estimate_unseen_layer_share(
            BaselineLayer.RESOURCE,
            _count_runs_by_key(_list_entity_counts(layer_counts)),
        ),
        estimate_unseen_layer_share(
            BaselineLayer.FLOW, _count_runs_by_key(layer_counts.edges.values())
        ),
        estimate_unseen_layer_share(BaselineLayer.ORDER, before),
        estimate_unseen_layer_share(BaselineLayer.ENVELOPE, hours),
    )


def _list_entity_counts(layer_counts: LayerCounts) -> Iterable[KeyCount]:
    """Yield counts of values that are typed (a host, a path) or sensitive."""
    for key, seen in layer_counts.entities.items():
        if key.sensitive or key.kind is not EntityKind.NAME:
            yield seen


def _count_runs_by_key(seen: Iterable[KeyCount]) -> list[int]:
    """Return in how many runs each key of a layer was seen."""
    return [each.runs for each in seen]


def is_ready_to_enforce(
    profile: BaselineProfile, parameters: LearningParameters
) -> bool:
    """Return whether a profile has enough training runs to leave shadow mode.

    Start hours do not count, because they are advisory.
    """
    return profile.runs >= parameters.ready_runs and all(
        each.unseen < parameters.ready_unseen
        for each in profile.confidence
        if each.samples
    )
