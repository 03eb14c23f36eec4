"""Learning: what the runs of an identity show, as a profile that nobody has signed."""

from dataclasses import dataclass

import msgspec

from answerable.baseline.bounds import Sets, bounds, orders, reads_before, surroundings
from answerable.baseline.confidence import confidence
from answerable.baseline.flows import Firmness, edges, entities
from answerable.baseline.fold import State
from answerable.baseline.tally import (
    DAY,
    Tallies,
    count,
    teaching,
)
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
    """What a profile is made of, however it was counted.

    Attributes:
        runs: How many teach.
        days: On how many days they began.
        persons: For how many persons they were.
        tallies: L1 to L3.
        sets: L4: runs by what they had read before a write.
        bounds: L4.
        surroundings: L5.
    """

    runs: int
    days: int
    persons: int
    tallies: Tallies
    sets: Sets
    bounds: tuple[Bound, ...]
    surroundings: Surroundings


def cold(subject: Subject) -> Profile:
    """Give the profile that has learned nothing: it holds to origins alone."""
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
        state: What `fold` knows of runs.
        subject: Whose.
        terms: On which terms.
        now: UTC nanoseconds.
        accepted: What the owner has signed by name.
    """
    runs = teaching(state, subject, terms, now, accepted)
    return assembled(counted(runs, subject, terms), subject, terms, now, accepted)


def counted(runs: list[Run], subject: Subject, terms: Terms) -> Counted:
    """Count what a profile is made of, by folding."""
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
    """Put a profile together out of counts; see `learn`."""
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
    """Give the bytes that the Merkle root of a profile commits to, a leaf per run."""
    return [_encode(run) for run in runs]
