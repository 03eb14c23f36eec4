"""Path from an acting credential back to its origin, over issuance records."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from answerable.lineage.stitch_inputs import LONGEST, Joint, lasting
from answerable.model.lineage import ChainKey, Issuance


@dataclass(frozen=True, slots=True)
class Step:
    """Principal on an issuance path.

    Attributes:
        identity: Identity, empty where the record names none.
        credential: Credential it used.
        person: Person that the platform authenticated, else empty.
        told_by: Record or source of the step.
    """

    identity: str
    credential: str
    person: str
    told_by: str


@dataclass(frozen=True, slots=True)
class Path:
    """Path of issuances from the acting identity (first) to the origin (last).

    Attributes:
        steps: At least one.
        issued: Issuance of the acting credential, or None.
        maker: Creation of the origin's long-lived credential, or None.
        cut: True if a cycle or the length limit ended it.
        told: Issuances that name the delegation chain of agents, the nearest first.
        made_by: Person proved by a record behind the session of `maker`, or empty.
    """

    steps: tuple[Step, ...]
    issued: Issuance | None
    maker: Issuance | None
    cut: bool
    told: tuple[Issuance, ...] = ()
    made_by: str = ""

    def identities(self) -> tuple[str, ...]:
        """Return the identities from the origin on, without repetitions."""
        found: list[str] = []
        for step in reversed(self.steps):
            if step.identity and found[-1:] != [step.identity]:
                found.append(step.identity)
        return tuple(found)

    @property
    def owned(self) -> Issuance | None:
        """Nearest issuance that names an attested owner."""
        return next((each for each in self.told if each.owner), None)

    @property
    def delegation(self) -> str:
        """Id of the nearest delegation, empty where none is recorded."""
        return next((each.parent.run for each in self.told if each.parent.run), "")

    def credentials(self) -> tuple[str, ...]:
        """Return the credentials from the origin on."""
        return tuple(s.credential for s in reversed(self.steps) if s.credential)


def by_credential(issuances: Iterable[Issuance]) -> dict[str, Issuance]:
    """Select the most informative issuance of each credential.

    Two accounts record a cross-account issuance; the record that names the caller is
    selected, or the first of equals.
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
    """Index of issuances by credential, by run and by parent.

    Attributes:
        by_credential: Most informative issuance of each credential.
        by_run: First issuance with a delegation chain, by run and last agent; under an
            empty agent for any.
        by_parent: Likewise, by the chain key of the record itself.
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
    """Return a key without the session name, which the caller writes."""
    return replace(key, session="")


def _order(issuance: Issuance) -> tuple[object, ...]:
    """Return a sort key: issuances with an owner come first."""
    unowned = not issuance.owner
    return (unowned, issuance.at, issuance.event, issuance.chain, issuance.owner)


def trace_back(joint: Joint, issued: Issued) -> Path:
    """Walk from a chain key back to its origin.

    Args:
        joint: Start of the walk.
        issued: Index of all issuances.
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
    """Return the person at the start of the session that created a key, or empty."""
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
    """List the issuances that name the agents of a chain, the nearest first.

    The record of an exchange or ticket itself comes first, since it names the agent
    that acts from then on. Issuances of the same run come last, and only for the same
    agent: a token of another issuer carries a run chosen by that issuer.
    """
    own = issued.by_parent.get(_unnamed(key)) if key.agent else None
    same = issued.by_run.get((key.run, key.agent)) if key.run else None
    found = (own, *walked, same)
    return tuple(each for each in found if each is not None and each.chain)


def _step(key: ChainKey, told_by: str) -> Step:
    return Step(key.identity, key.credential, key.person, told_by)


def _named(steps: Sequence[Step], first: Issuance | None) -> tuple[Step, ...]:
    """Name the acting identity by the issuance of its credential, if it is missing.

    This does not apply to gateway records: their token identifies the caller, not the
    identity that the tool acts as.
    """
    acting = steps[0]
    if acting.identity or first is None:
        return tuple(steps)
    told = f"{first.source} event {first.event}"
    named = Step(first.identity, acting.credential, acting.person, told)
    return (named, *steps[1:])
