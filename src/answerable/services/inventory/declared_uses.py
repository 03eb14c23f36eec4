"""Declared users and owners of subjects over time, from the snapshot history."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from answerable.model.ids import CredentialId
from answerable.model.inventory import AgentEntity, Inventory, ToolUse
from answerable.model.lineage import DeclaredUse
from answerable.model.person import Ownership, OwnerState
from answerable.presentation.inventory_items import sighting_of

# Only these states name a person in a chain; guesses do not.
_NAMED = (OwnerState.ATTESTED, OwnerState.CONFIRMED, OwnerState.INFERRED)


@dataclass(frozen=True, slots=True)
class Standing:
    """Inventory and the interval in which it was the latest.

    Attributes:
        inventory: Inventory at that time, without facts from audit logs.
        valid_from: UTC nanoseconds, inclusive; 0 for the first snapshot, as nothing
            older is known. Its statements about earlier times are hindsight.
        valid_to: UTC nanoseconds, exclusive.
    """

    inventory: Inventory
    valid_from: int
    valid_to: int


def uses(history: Iterable[Standing]) -> tuple[DeclaredUse, ...]:
    """List who used and owned each identity, credential and agent, and when.

    Args:
        history: Oldest first, without gaps.

    Returns:
        Uses sorted by subject and time; intervals of one subject do not overlap. A
        use that does not change between snapshots is one interval.
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
    """Split the first interval into its observed and its assumed part."""
    for standing in history:
        taken = min(standing.inventory.at, standing.valid_to)
        if standing.valid_from == 0 and taken > 0:
            yield replace(standing, valid_to=taken)
            standing = replace(standing, valid_from=taken)
        if standing.valid_from < standing.valid_to:
            yield standing


def _same(before: DeclaredUse, use: DeclaredUse) -> bool:
    stretched = replace(
        before,
        valid_from=use.valid_from,
        valid_to=use.valid_to,
        source=use.source,
        uses=use.uses,
    )
    return stretched == use


@dataclass(slots=True)
class _Users:
    """Agents and tools that use a subject, each with the place that declares it."""

    places: dict[tuple[str, str], str] = field(default_factory=dict)

    def add(self, agent: str, tool: str, place: str) -> None:
        self.places.setdefault((agent, tool), place)


def _uses(standing: Standing) -> Iterator[DeclaredUse]:
    inventory = standing.inventory
    snapshot = f"snapshot {inventory.name}"
    users = _users(inventory)
    subjects: set[str] = {identity.id for identity in inventory.facts.identities}
    subjects |= {*inventory.credentials, *inventory.agents, *users}
    for subject in sorted(subjects):
        owner = _own(inventory, subject)
        places = sorted(users.get(subject, _Users()).places.items())
        yield DeclaredUse(
            subject=subject,
            valid_from=standing.valid_from,
            valid_to=standing.valid_to,
            person=_person(owner),
            owner_state=(owner.state if owner else OwnerState.NONE).value,
            agents=tuple(sorted({agent for (agent, _), _ in places})),
            tools=tuple(key for key, _ in places if key[1]),
            source=f"{snapshot} {_owner_place(owner)}".rstrip(),
            hindsight=standing.valid_to <= inventory.at,
            uses=tuple(
                (agent, tool, f"{snapshot} {place}".rstrip())
                for (agent, tool), place in places
            ),
        )


def _users(inventory: Inventory) -> Mapping[str, _Users]:
    """Return the agents and tools that act through each identity and credential.

    A disabled tool counts only if no enabled one carries the subject: the rule that
    disables it is in a file that the agent can edit.
    """
    users = _users_by(inventory, enabled=True)
    for key, agent in inventory.agents.items():
        for role in agent.agent.runs_as:
            users[role].add(key, "", agent.agent.seen.place or agent.agent.place)
    for subject, off in _users_by(inventory, enabled=False).items():
        users.setdefault(subject, off)
    return users


def _users_by(inventory: Inventory, *, enabled: bool) -> dict[str, _Users]:
    """Return the users through enabled tools, or through disabled ones."""
    users: dict[str, _Users] = defaultdict(_Users)
    for key, agent in inventory.agents.items():
        for use in agent.tools:
            if use.tool.enabled is not enabled or use.tool.is_indirect:
                continue
            for credential in use.credentials:
                place = _place(inventory, agent, use, credential)
                users[credential].add(key, use.tool.id, place)
                entity = inventory.credentials.get(credential)
                if entity is not None and entity.identity is not None:
                    users[entity.identity].add(key, use.tool.id, place)
            for identity in use.identities:
                users[identity].add(key, use.tool.id, use.tool.seen.place)
    return users


def _place(
    inventory: Inventory, agent: AgentEntity, use: ToolUse, credential: CredentialId
) -> str:
    """Return the place of a credential: the tool's entry, else the agent's home."""
    entity = inventory.credentials.get(credential)
    sighting = sighting_of(entity, use) if entity is not None else None
    entry, scope = use.tool.seen.place, agent.agent.scope
    if sighting is None:
        return entry
    own = sighting.place == entry or sighting.place.startswith(f"{entry}/")
    return sighting.place if own or (scope and sighting.scope == scope) else entry


def _own(inventory: Inventory, subject: str) -> Ownership | None:
    """Return the owner by evidence that does not come from an assumed role.

    A platform agent and an ambient credential belong to the owner of the role that
    they use. That owner is not the person of a call, so no chain names them.
    """
    return inventory.own_owners.get(subject) or inventory.owners.get(subject)


def _person(owner: Ownership | None) -> str:
    if owner is None or owner.state not in _NAMED:
        return ""
    return owner.person or ""


def _owner_place(owner: Ownership | None) -> str:
    """Return the place of the strongest evidence, empty if none counts."""
    for candidate in (owner.candidates if owner else ())[:1]:
        for item, weight in candidate.evidence[:1]:
            if weight > 0.0:
                return item.seen.place
    return ""
