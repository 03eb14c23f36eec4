"""From an acting credential back to its origin, over the records of issuance."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

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
        told: Issuances that say which agents act for each other, the nearest first.
        made_by: Person whom a record proves behind the maker's own session, or empty.
    """

    steps: tuple[Step, ...]
    issued: Issuance | None
    maker: Issuance | None
    cut: bool
    told: tuple[Issuance, ...] = ()
    made_by: str = ""

    def identities(self) -> tuple[str, ...]:
        """Principals from the origin on, each change once."""
        found: list[str] = []
        for step in reversed(self.steps):
            if step.identity and found[-1:] != [step.identity]:
                found.append(step.identity)
        return tuple(found)

    @property
    def owned(self) -> Issuance | None:
        """The nearest issuance that names an attested owner."""
        return next((each for each in self.told if each.owner), None)

    @property
    def delegation(self) -> str:
        """Id of the nearest delegation, empty where none is recorded."""
        return next((each.parent.run for each in self.told if each.parent.run), "")

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


@dataclass(frozen=True, slots=True)
class Issued:
    """Issuances, found by what they gave, by their run, and by who was given to.

    Attributes:
        by_credential: The most telling of each credential.
        by_run: Of those that name a chain, the first of each run: for each agent at
            the end of one, and for whichever (empty).
        by_parent: Likewise, by the joints of the record itself.
    """

    by_credential: Mapping[str, Issuance]
    by_run: Mapping[tuple[str, str], Issuance]
    by_parent: Mapping[ChainKey, Issuance]


def index(issuances: Sequence[Issuance]) -> Issued:
    """Index issuances."""
    runs: dict[tuple[str, str], Issuance] = {}
    parents: dict[ChainKey, Issuance] = {}
    for each in sorted(issuances, key=_order):
        if each.chain:
            runs.setdefault((each.parent.run, ""), each)
            runs.setdefault((each.parent.run, each.chain[-1]), each)
            if each.chain[-1] == each.parent.agent:
                parents.setdefault(_unnamed(each.parent), each)
    return Issued(by_credential(issuances), runs, parents)


def _unnamed(key: ChainKey) -> ChainKey:
    """Leave out the session's name, which is its caller's own word."""
    return replace(key, session="")


def _order(issuance: Issuance) -> tuple[object, ...]:
    """Put those first that name an owner: a record without one hides none."""
    unowned = not issuance.owner
    return (unowned, issuance.at, issuance.event, issuance.chain, issuance.owner)


def trace_back(joint: Joint, issued: Issued) -> Path:
    """Walk from a joint to its origin.

    Args:
        joint: Where to begin.
        issued: All issuances.
    """
    key = joint.key
    if not joint.believed:
        return Path((Step("", "", "", joint.source),), None, None, cut=False)
    steps = [_step(key, joint.source)]
    first = issued.by_credential.get(key.credential) if key.credential else None
    seen = {key.credential}
    walked: list[Issuance] = []
    current = first
    while current is not None and not lasting(current.credential):
        walked.append(current)
        parent = current.parent
        if len(steps) >= LONGEST or (parent.credential and parent.credential in seen):
            told = _told(key, walked, issued)
            return Path(tuple(steps), first, None, cut=True, told=told)
        steps.append(_step(parent, f"{current.source} event {current.event}"))
        seen.add(parent.credential)
        current = (
            issued.by_credential.get(parent.credential) if parent.credential else None
        )
    named = tuple(steps) if key.agent else _named(steps, first)
    made_by = _person_behind(current, issued) if current else ""
    told = _told(key, walked, issued)
    return Path(named, first, current, cut=False, told=told, made_by=made_by)


def _person_behind(made: Issuance, issued: Issued) -> str:
    """Return the person at the start of the session that made something, or empty."""
    key = made.parent
    for _ in range(LONGEST):
        if key.person:
            return key.person
        session = issued.by_credential.get(key.credential) if key.credential else None
        if session is None or lasting(session.credential):
            break
        key = session.parent
    return ""


def _told(
    key: ChainKey, walked: Sequence[Issuance], issued: Issued
) -> tuple[Issuance, ...]:
    """Give the issuances that name the agents of a chain, the nearest first.

    The record of an exchange or of a ticket itself comes before what it was asked for
    with: who acts from now on stands in it. Whose run it is comes last. A run is held
    to the agent, too: a token of another issuer bears a run of that issuer's choice.
    """
    own = issued.by_parent.get(_unnamed(key)) if key.agent else None
    same = issued.by_run.get((key.run, key.agent)) if key.run else None
    found = (own, *walked, same)
    return tuple(each for each in found if each is not None and each.chain)


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
