"""Learning: what the runs of an identity show, as a profile that nobody has signed."""

import msgspec

from answerable.baseline.bounds import bounds, orders, surroundings
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
    Capability,
    Profile,
    Stance,
    Subject,
    Terms,
)
from answerable.model.behaviour import Run

_SECOND = 10**9
_encode = msgspec.json.Encoder(order="sorted").encode
_LIFE = 90 * DAY  # of a profile, unless it is signed for less


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
    return assembled(runs, count(runs, subject), subject, terms, now, accepted)


def assembled(
    runs: list[Run],
    tallies: Tallies,
    subject: Subject,
    terms: Terms,
    now: int,
    accepted: tuple[Accepted, ...] = (),
) -> Profile:
    """Put a profile together out of counts; see `learn`."""
    days = {run.started // DAY for run in runs}
    persons = {run.person for run in runs if run.person}
    firmness = Firmness(terms, len(days), len(persons))
    return Profile(
        subject=subject,
        runs=len(runs),
        learned_at=now // _SECOND,
        until=(now + _LIFE) // _SECOND,
        capabilities=_capabilities(tallies),
        entities=entities(tallies, terms, firmness),
        edges=edges(tallies, terms, firmness),
        orders=orders(runs, subject),
        bounds=bounds(runs, subject, terms),
        surroundings=surroundings(runs),
        confidence=confidence(tallies),
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
