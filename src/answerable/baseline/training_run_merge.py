"""Merge recorded runs into the training state, in any order and idempotently.

The state maps each run to its contribution. Runs may arrive in parts, and parts may
repeat. A run whose parts contradict each other teaches nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from answerable.model.behaviour import AgentRun, CallObservation, RunEnvelope


@dataclass(frozen=True, slots=True)
class RunContribution:
    """Everything known of one run.

    Attributes:
        run: Its calls are in the order of their ids.
        conflict: Whether its parts contradict each other.
    """

    run: AgentRun
    conflict: bool = False


TrainingState = Mapping[str, RunContribution]


def merge_runs_into_state(
    state: TrainingState, runs: Iterable[AgentRun]
) -> dict[str, RunContribution]:
    """Merge runs into the training state; self-reported runs are ignored."""
    found = dict(state)
    for run in runs:
        if not run.written_by.is_trusted_author:
            continue
        here = RunContribution(*_normalise_run(run))
        known = found.get(run.id)
        found[run.id] = here if known is None else _merge_run_records(known, here)
    return found


def _normalise_run(run: AgentRun) -> tuple[AgentRun, bool]:
    """Return a run with its calls deduplicated, and whether two contradict."""
    calls, conflict = _merge_calls(run.calls)
    return replace(run, calls=calls), conflict


def _merge_run_records(one: RunContribution, other: RunContribution) -> RunContribution:
    """Merge two recorded parts of one run; mark contradictions as conflict."""
    a, b = one.run, other.run
    calls, differ = _merge_calls((*a.calls, *b.calls))
    named = [
        _merge_optional_names(a.agent, b.agent),
        _merge_optional_names(a.identity, b.identity),
        _merge_optional_names(a.person, b.person),
        _merge_optional_names(a.envelope.network, b.envelope.network),
        _merge_optional_names(a.envelope.workload, b.envelope.workload),
        _merge_optional_names(a.envelope.region, b.envelope.region),
    ]
    run = AgentRun(
        id=a.id,
        agent=named[0][0],
        identity=named[1][0],
        person=named[2][0],
        started=min(a.started, b.started),
        written_by=min(a.written_by, b.written_by),
        envelope=RunEnvelope(*(text for text, _ in named[3:])),
        calls=calls,
        denied=a.denied or b.denied,
        asked=a.asked or b.asked,
    )
    conflict = differ or any(wrong for _, wrong in named)
    return RunContribution(run, conflict or one.conflict or other.conflict)


def _merge_optional_names(one: str, other: str) -> tuple[str, bool]:
    """Return the known one of two names, and whether they contradict."""
    if not one or not other:
        return one or other, False
    return min(one, other), one != other


def _merge_calls(
    calls: tuple[CallObservation, ...],
) -> tuple[tuple[CallObservation, ...], bool]:
    """Return calls deduplicated by id, and whether two contradict."""
    found: dict[str, CallObservation] = {}
    conflict = False
    for call in calls:
        known = found.setdefault(call.id, call)
        if known != call:
            conflict = True
            found[call.id] = min(known, call, key=repr)
    return tuple(found[each] for each in sorted(found)), conflict
