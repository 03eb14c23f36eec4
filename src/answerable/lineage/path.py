"""From an acting credential back to its origin, over the records of issuance."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from answerable.lineage.joints import LONGEST, Joint, lasting
from answerable.model.lineage import ChainKey, Issuance


@dataclass(frozen=True, slots=True)
class Step:
    """One principal on the path.

    Attributes:
        identity: Who, empty where the record names nobody.
        credential: With what.
        person: Whom the platform authenticated, empty otherwise.
        told_by: The record or source that says so.
    """

    identity: str
    credential: str
    person: str
    told_by: str


@dataclass(frozen=True, slots=True)
class Path:
    """Steps from the acting identity (first) to the origin (last).

    Attributes:
        steps: At least one.
        issued: Issuance of the acting credential, or None.
        maker: Issuance of the origin's long-lived credential, or None.
        cut: True when a cycle or an absurd length ended it.
        told: Issuance that says which agents act for each other, the nearest, or None.
    """

    steps: tuple[Step, ...]
    issued: Issuance | None
    maker: Issuance | None
    cut: bool
    told: Issuance | None = None

    def identities(self) -> tuple[str, ...]:
        """Principals from the origin on, each change once."""
        found: list[str] = []
        for step in reversed(self.steps):
            if step.identity and found[-1:] != [step.identity]:
                found.append(step.identity)
        return tuple(found)

    def credentials(self) -> tuple[str, ...]:
        """Credentials from the origin on."""
        return tuple(s.credential for s in reversed(self.steps) if s.credential)


def by_credential(issuances: Iterable[Issuance]) -> dict[str, Issuance]:
    """Give the most telling issuance of each credential.

    Both accounts record one that crosses an account; the side that names the caller
    tells more. Of equals the first counts.
    """
    best: dict[str, Issuance] = {}
    for issuance in issuances:
        known = best.get(issuance.credential)
        if known is None or _rank(issuance) < _rank(known):
            best[issuance.credential] = issuance
    return best


def _rank(issuance: Issuance) -> tuple[object, ...]:
    parent = issuance.parent
    return (
        not parent.person,
        not parent.credential,
        not parent.identity,
        issuance.at,
        issuance.event,
        (parent.identity, parent.credential, parent.person),
        (issuance.identity, issuance.until, issuance.source),
        (issuance.chain, issuance.owner),
    )


def by_run(issuances: Iterable[Issuance]) -> dict[str, Issuance]:
    """Give the first issuance of each run that says which agents act for each other."""
    first: dict[str, Issuance] = {}
    for issuance in issuances:
        run = issuance.parent.run
        if run and issuance.chain:
            known = first.get(run)
            if known is None or _order(issuance) < _order(known):
                first[run] = issuance
    return first


def _order(issuance: Issuance) -> tuple[object, ...]:
    return (issuance.at, issuance.event, issuance.chain, issuance.owner)


def trace_back(
    joint: Joint, issued: Mapping[str, Issuance], runs: Mapping[str, Issuance]
) -> Path:
    """Walk from a joint to its origin.

    Args:
        joint: Where to begin.
        issued: Issuances by credential.
        runs: Issuances by run.
    """
    key = joint.key
    if not joint.believed:
        return Path((Step("", "", "", joint.source),), None, None, cut=False)
    steps = [_step(key, joint.source)]
    first = issued.get(key.credential) if key.credential else None
    seen = {key.credential}
    told: Issuance | None = None
    current = first
    while current is not None and not lasting(current.credential):
        told = current if told is None and current.chain else told
        parent = current.parent
        if len(steps) >= LONGEST or (parent.credential and parent.credential in seen):
            return Path(tuple(steps), first, None, cut=True)
        steps.append(_step(parent, f"{current.source} event {current.event}"))
        seen.add(parent.credential)
        current = issued.get(parent.credential) if parent.credential else None
    # The record of an exchange itself: what it gave is no credential that it was asked
    # with, but bears its run.
    told = told or runs.get(key.run)
    named = tuple(steps) if key.agent else _named(steps, first)
    return Path(named, first, current, cut=False, told=told)


def _step(key: ChainKey, told_by: str) -> Step:
    return Step(key.identity, key.credential, key.person, told_by)


def _named(steps: Sequence[Step], first: Issuance | None) -> tuple[Step, ...]:
    """Where the event names no identity, the issuance of its credential may.

    Not where a mediator saw an agent act: the token that it was shown says who called,
    and not what the tool then acts as.
    """
    acting = steps[0]
    if acting.identity or first is None:
        return tuple(steps)
    told = f"{first.source} event {first.event}"
    named = Step(first.identity, acting.credential, acting.person, told)
    return (named, *steps[1:])
