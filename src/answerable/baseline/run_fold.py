"""Fold of runs into training state: order-free and idempotent.

The state maps each run to its contribution. Runs may arrive in parts, and parts may
repeat. A run whose parts contradict each other teaches nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from answerable.model.behaviour import Envelope, Observation, Run


@dataclass(frozen=True, slots=True)
class Contribution:
    """Everything known of one run.

    Attributes:
        run: Its calls are in the order of their ids.
        conflict: Whether its parts contradict each other.
    """

    run: Run
    conflict: bool = False


State = Mapping[str, Contribution]


def fold(state: State, runs: Iterable[Run]) -> dict[str, Contribution]:
    """Add runs to the state; self-reported runs are ignored."""
    found = dict(state)
    for run in runs:
        if not run.written_by.believed:
            continue
        here = Contribution(*_alone(run))
        known = found.get(run.id)
        found[run.id] = here if known is None else _together(known, here)
    return found


def _alone(run: Run) -> tuple[Run, bool]:
    calls, conflict = _calls(run.calls)
    return replace(run, calls=calls), conflict


def _together(one: Contribution, other: Contribution) -> Contribution:
    a, b = one.run, other.run
    calls, differ = _calls((*a.calls, *b.calls))
    named = [
        _either(a.agent, b.agent),
        _either(a.identity, b.identity),
        _either(a.person, b.person),
        _either(a.envelope.network, b.envelope.network),
        _either(a.envelope.workload, b.envelope.workload),
        _either(a.envelope.region, b.envelope.region),
    ]
    run = Run(
        id=a.id,
        agent=named[0][0],
        identity=named[1][0],
        person=named[2][0],
        started=min(a.started, b.started),
        written_by=min(a.written_by, b.written_by),
        envelope=Envelope(*(text for text, _ in named[3:])),
        calls=calls,
        denied=a.denied or b.denied,
        asked=a.asked or b.asked,
    )
    conflict = differ or any(wrong for _, wrong in named)
    return Contribution(run, conflict or one.conflict or other.conflict)


def _either(one: str, other: str) -> tuple[str, bool]:
    """Return the known name of two, and whether they contradict each other."""
    if not one or not other:
        return one or other, False
    return min(one, other), one != other


def _calls(calls: tuple[Observation, ...]) -> tuple[tuple[Observation, ...], bool]:
    found: dict[str, Observation] = {}
    conflict = False
    for call in calls:
        known = found.setdefault(call.id, call)
        if known != call:
            conflict = True
            found[call.id] = min(known, call, key=repr)
    return tuple(found[each] for each in sorted(found)), conflict
