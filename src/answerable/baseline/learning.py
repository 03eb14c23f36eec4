"""Learning of an unsigned profile from the runs of an identity."""

from dataclasses import dataclass

import msgspec

from answerable.baseline.confidence import confidence
from answerable.baseline.counts import DAY, Tallies, count, teaching
from answerable.baseline.generalised_flows import Firmness, edges, entities
from answerable.baseline.run_bounds import (
    Sets,
    bounds,
    orders,
    reads_before,
    surroundings,
)
from answerable.baseline.run_fold import State
from answerable.model.baseline import (
    Accepted,
    Bound,
    Capability,
    Profile,
    Stance,
    Subject,
    Surroundings,
    Terms,
)
from answerable.model.behaviour import Run

_SECOND = 10**9
_encode = msgspec.json.Encoder(order="sorted").encode
_LIFE = 90 * DAY  # of a profile, unless it is signed for less


@dataclass(frozen=True, slots=True)
class Counted:
    """Counts that a profile is built from.

    Attributes:
        runs: Number of training runs.
        tallies: Layers L1 to L3.
        sets: Layer L4: runs by the reads before a write.
        bounds: Layer L4.
        surroundings: Layer L5.
    """

    runs: int
    days: int
    persons: int
    tallies: Tallies
    sets: Sets
    bounds: tuple[Bound, ...]
    surroundings: Surroundings


def cold(subject: Subject) -> Profile:
    """Return a profile without learned behaviour; it enforces only origins."""
    return Profile(subject)


def learn(
    state: State,
    subject: Subject,
    terms: Terms,
    now: int,
    accepted: tuple[Accepted, ...] = (),
) -> Profile:
    """Learn a profile.

    Args:
        now: UTC nanoseconds.
        accepted: Acceptances signed by the owner.
    """
    runs = teaching(state, subject, terms, now, accepted)
    return assembled(counted(runs, subject, terms), subject, terms, now, accepted)


def counted(runs: list[Run], subject: Subject, terms: Terms) -> Counted:
    """Count training runs in memory."""
    return Counted(
        runs=len(runs),
        days=len({run.started // DAY for run in runs}),
        persons=len({run.person for run in runs if run.person}),
        tallies=count(runs, subject),
        sets=reads_before(runs, subject),
        bounds=bounds(runs, subject, terms),
        surroundings=surroundings(runs),
    )


def assembled(
    found: Counted,
    subject: Subject,
    terms: Terms,
    now: int,
    accepted: tuple[Accepted, ...] = (),
) -> Profile:
    """Build a profile from counts; see `learn`."""
    firmness = Firmness(terms, found.days, found.persons)
    return Profile(
        subject=subject,
        runs=found.runs,
        learned_at=now // _SECOND,
        until=(now + _LIFE) // _SECOND,
        capabilities=_capabilities(found.tallies),
        entities=entities(found.tallies, terms, firmness),
        edges=edges(found.tallies, terms, firmness),
        orders=orders(found.sets),
        bounds=found.bounds,
        surroundings=found.surroundings,
        confidence=confidence(found.tallies, found.sets, found.surroundings),
        stance=Stance(untrusted=terms.untrusted),
        accepted=tuple(sorted(accepted, key=_accepted_order)),
    )


def _accepted_order(each: Accepted) -> tuple[str, ...]:
    return (each.tool, each.path, each.value, each.source)


def _capabilities(tallies: Tallies) -> tuple[Capability, ...]:
    return tuple(
        Capability(*key, seen.tally())
        for key, seen in sorted(tallies.capabilities.items())
    )


def training_rows(runs: list[Run]) -> list[bytes]:
    """Return the Merkle leaves of a profile's training set, one per run."""
    return [_encode(run) for run in runs]
