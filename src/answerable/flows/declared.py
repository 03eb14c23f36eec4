"""What the inventory declared while each snapshot stood: for the stitching of chains."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from answerable.model.inventory import Inventory
from answerable.model.lineage import DeclaredUse
from answerable.model.person import Ownership, OwnerState

# Only these name a person whom a chain may show; a guess stays out of it.
_NAMED = (OwnerState.ATTESTED, OwnerState.CONFIRMED, OwnerState.INFERRED)


@dataclass(frozen=True, slots=True)
class Standing:
    """An inventory and the interval in which it was the latest.

    Attributes:
        inventory: As of that time; without the facts of trails.
        valid_from: UTC nanoseconds, inclusive; 0 for the first, as nothing older is
            known. What it says of the time before it was taken is hindsight.
        valid_to: UTC nanoseconds, exclusive.
    """

    inventory: Inventory
    valid_from: int
    valid_to: int


def uses(history: Iterable[Standing]) -> tuple[DeclaredUse, ...]:
    """Tell, for each identity, credential and agent, who used and owned it, and when.

    Args:
        history: Oldest first, without gaps.

    Returns:
        Uses sorted by subject and time; intervals of one subject do not overlap. What
        did not change from one snapshot to the next is one use.
    """
    running: dict[str, DeclaredUse] = {}
    ended: list[DeclaredUse] = []
    for standing in _split(history):
        now = {use.subject: use for use in _uses(standing)}
        ended += [running.pop(subject) for subject in set(running) - set(now)]
        for subject, use in now.items():
            before = running.get(subject)
            if before is not None and _same(before, use):
                running[subject] = replace(before, valid_to=use.valid_to)
                continue
            if before is not None:
                ended.append(before)
            running[subject] = use
    every = [*ended, *running.values()]
    return tuple(sorted(every, key=lambda use: (use.subject, use.valid_from)))


def _split(history: Iterable[Standing]) -> Iterator[Standing]:
    """Part what the first snapshot saw from what it is taken to have seen earlier."""
    for standing in history:
        taken = min(standing.inventory.at, standing.valid_to)
        if standing.valid_from == 0 and taken > 0:
            yield replace(standing, valid_to=taken)
            standing = replace(standing, valid_from=taken)
        if standing.valid_from < standing.valid_to:
            yield standing


def _same(before: DeclaredUse, use: DeclaredUse) -> bool:
    stretched = replace(
        before, valid_from=use.valid_from, valid_to=use.valid_to, source=use.source
    )
    return stretched == use


@dataclass(slots=True)
class _Users:
    agents: dict[str, None]
    tools: dict[tuple[str, str], None]


def _uses(standing: Standing) -> Iterator[DeclaredUse]:
    inventory = standing.inventory
    users = _users(inventory)
    subjects: set[str] = {identity.id for identity in inventory.facts.identities}
    subjects |= {*inventory.credentials, *inventory.agents, *users}
    for subject in sorted(subjects):
        owner = inventory.owners.get(subject)
        use = users.get(subject, _Users({}, {}))
        yield DeclaredUse(
            subject=subject,
            valid_from=standing.valid_from,
            valid_to=standing.valid_to,
            person=_person(owner),
            owner_state=(owner.state if owner else OwnerState.NONE).value,
            agents=tuple(sorted(use.agents)),
            tools=tuple(sorted(use.tools)),
            source=_source(inventory, owner, use),
            hindsight=standing.valid_to <= inventory.at,
        )


def _users(inventory: Inventory) -> Mapping[str, _Users]:
    """Return per identity and credential the agents and tools that act through it."""
    users: dict[str, _Users] = defaultdict(lambda: _Users({}, {}))
    for key, agent in inventory.agents.items():
        for role in agent.agent.runs_as:
            users[role].agents[key] = None
        for use in agent.tools:
            if not use.tool.enabled:
                continue
            for subject in (*use.credentials, *use.identities):
                users[subject].agents[key] = None
                users[subject].tools[key, use.tool.id] = None
    return users


def _person(owner: Ownership | None) -> str:
    if owner is None or owner.state not in _NAMED:
        return ""
    return owner.person or ""


def _source(inventory: Inventory, owner: Ownership | None, use: _Users) -> str:
    places = [
        item.seen.place
        for candidate in (owner.candidates if owner else ())[:1]
        for item, weight in candidate.evidence[:1]
        if weight > 0.0
    ]
    places += [
        entity.agent.place
        for entity in (inventory.agents.get(key) for key in sorted(use.agents)[:1])  # type: ignore[call-overload]  # keys of that very mapping
        if entity is not None
    ]
    return " ".join([f"snapshot {inventory.name}", *places[:1]])
