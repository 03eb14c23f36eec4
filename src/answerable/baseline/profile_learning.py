"""Learn an unsigned baseline profile from the runs of an agent's identity."""

from dataclasses import dataclass

import msgspec

from answerable.baseline.baseline_confidence import estimate_confidence
from answerable.baseline.flow_generalisation import (
    FirmnessThreshold,
    generalise_entities,
    generalise_flow_edges,
)
from answerable.baseline.run_patterns import (
    ReadSets,
    count_reads_before_writes,
    learn_reads_before_writes,
    learn_run_bounds,
    learn_times_and_networks,
)
from answerable.baseline.training_counts import (
    LayerCounts,
    count_calls_of_runs,
    select_training_runs,
)
from answerable.baseline.training_run_merge import TrainingState
from answerable.model.baseline import (
    AcceptedDeviation,
    BaselineProfile,
    BaselineSubject,
    BoundEntry,
    CapabilityEntry,
    EnvelopeEntry,
    LearningParameters,
    Strictness,
)
from answerable.model.behaviour import AgentRun
from answerable.model.time_units import DAY_NS, SECOND_NS

_encode = msgspec.json.Encoder(order="sorted").encode
_PROFILE_LIFETIME = 90 * DAY_NS  # of a profile, unless it is signed for less


@dataclass(frozen=True, slots=True)
class TrainingCounts:
    """Counts that a profile is built from.

    Attributes:
        runs: Number of training runs.
        layer_counts: Layers L1 to L3.
        read_sets: Layer L4: runs by the reads before a write.
        bounds: Layer L4.
        surroundings: Layer L5.
    """

    runs: int
    days: int
    persons: int
    layer_counts: LayerCounts
    read_sets: ReadSets
    bounds: tuple[BoundEntry, ...]
    surroundings: EnvelopeEntry


def build_empty_profile(subject: BaselineSubject) -> BaselineProfile:
    """Return a profile without learned behaviour; it enforces only origins."""
    return BaselineProfile(subject)


def build_profile(
    state: TrainingState,
    subject: BaselineSubject,
    parameters: LearningParameters,
    now: int,
    accepted: tuple[AcceptedDeviation, ...] = (),
) -> BaselineProfile:
    """Learn a profile of one subject from its training runs.

    Args:
        now: UTC nanoseconds.
        accepted: Acceptances signed by the owner.
    """
    runs = select_training_runs(state, subject, parameters, now, accepted)
    return learn_profile_from_counts(
        count_training_runs(runs, subject, parameters),
        subject,
        parameters,
        now,
        accepted,
    )


def count_training_runs(
    runs: list[AgentRun], subject: BaselineSubject, parameters: LearningParameters
) -> TrainingCounts:
    """Count the training runs of one subject in memory."""
    return TrainingCounts(
        runs=len(runs),
        days=len({run.started // DAY_NS for run in runs}),
        persons=len({run.person for run in runs if run.person}),
        layer_counts=count_calls_of_runs(runs, subject),
        read_sets=count_reads_before_writes(runs, subject),
        bounds=learn_run_bounds(runs, subject, parameters),
        surroundings=learn_times_and_networks(runs),
    )


def learn_profile_from_counts(
    counts: TrainingCounts,
    subject: BaselineSubject,
    parameters: LearningParameters,
    now: int,
    accepted: tuple[AcceptedDeviation, ...] = (),
) -> BaselineProfile:
    """Build a baseline profile from the counts of training runs."""
    firmness = FirmnessThreshold(parameters, counts.days, counts.persons)
    return BaselineProfile(
        subject=subject,
        runs=counts.runs,
        learned_at=now // SECOND_NS,
        until=(now + _PROFILE_LIFETIME) // SECOND_NS,
        capabilities=_build_tool_layer(counts.layer_counts),
        entities=generalise_entities(counts.layer_counts, parameters, firmness),
        edges=generalise_flow_edges(counts.layer_counts, parameters, firmness),
        orders=learn_reads_before_writes(counts.read_sets),
        bounds=counts.bounds,
        surroundings=counts.surroundings,
        confidence=estimate_confidence(
            counts.layer_counts, counts.read_sets, counts.surroundings
        ),
        stance=Strictness(untrusted=parameters.untrusted),
        accepted=tuple(sorted(accepted, key=_accepted_deviation_sort_key)),
    )


def _accepted_deviation_sort_key(deviation: AcceptedDeviation) -> tuple[str, ...]:
    """Return the sort key of an accepted deviation."""
    return (deviation.tool, deviation.path, deviation.value, deviation.source)


def _build_tool_layer(layer_counts: LayerCounts) -> tuple[CapabilityEntry, ...]:
    """Build layer L1: the tools called, with their definitions."""
    return tuple(
        CapabilityEntry(*key, seen.to_profile_counts())
        for key, seen in sorted(layer_counts.capabilities.items())
    )


def list_training_set_merkle_leaves(runs: list[AgentRun]) -> list[bytes]:
    """Return the Merkle leaves of a profile's training set, one for each run."""
    return [_encode(run) for run in runs]
