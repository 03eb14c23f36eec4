"""List who owned and used each identity and credential over time, from snapshots."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from answerable.model.ids import CredentialId
from answerable.model.inventory import AgentEntity, Inventory, ToolUse
from answerable.model.lineage import DeclaredUse
from answerable.model.person import OwnerState, SubjectOwnership
from answerable.presentation.inventory_items import select_credential_place

# Only these states name a person in a chain; guesses do not.
_NAMED_STATES = (OwnerState.ATTESTED, OwnerState.CONFIRMED, OwnerState.INFERRED)


@dataclass(frozen=True, slots=True)
class InventoryInterval:
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


def list_declared_uses(history: Iterable[InventoryInterval]) -> tuple[DeclaredUse, ...]:
    """List who used and owned each identity, credential and agent, and when.

    Args:
        history: Oldest first, without gaps.

    Returns:
        Uses sorted by subject and time; intervals of one subject do not overlap. A
        use that does not change between snapshots is one interval.
    """
    running: dict[str, DeclaredUse] = {}
    ended: list[DeclaredUse] = []
    for standing in _split_interval_at_first_scan(history):
        now = {use.subject: use for use in _list_owners_and_users(standing)}
        ended += [running.pop(subject) for subject in set(running) - set(now)]
        for subject, use in now.items():
            before = running.get(subject)
            if before is not None and _is_same_use(before, use):
                running[subject] = replace(before, valid_to=use.valid_to)
                continue
            if before is not None:
                ended.append(before)
            running[subject] = use
    every = [*ended, *running.values()]
    return tuple(sorted(every, key=lambda use: (use.subject, use.valid_from)))


def _split_interval_at_first_scan(
    history: Iterable[InventoryInterval],
) -> Iterator[InventoryInterval]:
    """Split the first interval at its scan: assumed before, observed since."""
    for standing in history:
        taken = min(standing.inventory.at, standing.valid_to)
        if standing.valid_from == 0 and taken > 0:
            yield replace(standing, valid_to=taken)
            standing = replace(standing, valid_from=taken)
        if standing.valid_from < standing.valid_to:
            yield standing


def _is_same_use(previous: DeclaredUse, use: DeclaredUse) -> bool:
    """Return whether two declared uses differ only in their time and source."""
    stretched = replace(
        previous,
        valid_from=use.valid_from,
        valid_to=use.valid_to,
        source=use.source,
        uses=use.uses,
    )
    return stretched == use


@dataclass(slots=True)
class _DeclaredUsers:
    """Agents and tools that use a subject, each with the place that declares it."""

    places: dict[tuple[str, str], str] = field(default_factory=dict)

    def add_use(self, agent: str, tool: str, location: str) -> None:
        """Add an agent or tool that uses the subject, unless it is known."""
        self.places.setdefault((agent, tool), location)


def _list_owners_and_users(interval: InventoryInterval) -> Iterator[DeclaredUse]:
    """Yield the owner and the users of each subject of one snapshot."""
    inventory = interval.inventory
    snapshot = f"snapshot {inventory.name}"
    users = _index_users_by_subject(inventory)
    subjects: set[str] = {identity.id for identity in inventory.facts.identities}
    subjects |= {*inventory.credentials, *inventory.agents, *users}
    for subject in sorted(subjects):
        owner = _select_ownership(inventory, subject)
        places = sorted(users.get(subject, _DeclaredUsers()).places.items())
        yield DeclaredUse(
            subject=subject,
            valid_from=interval.valid_from,
            valid_to=interval.valid_to,
            person=_get_owner_person_id(owner),
            owner_state=(owner.state if owner else OwnerState.NONE).value,
            agents=tuple(sorted({agent for (agent, _), _ in places})),
            tools=tuple(key for key, _ in places if key[1]),
            source=f"{snapshot} {_get_strongest_evidence_location(owner)}".rstrip(),
            hindsight=interval.valid_to <= inventory.at,
            uses=tuple(
                (agent, tool, f"{snapshot} {place}".rstrip())
                for (agent, tool), place in places
            ),
        )


def _index_users_by_subject(inventory: Inventory) -> Mapping[str, _DeclaredUsers]:
    """Index the agents and tools that act through each identity and credential.

    A disabled tool counts only if no enabled one carries the subject: the rule that
    disables it is in a file that the agent can edit.
    """
    users = _index_users_by_tool_state(inventory, enabled=True)
    for key, agent in inventory.agents.items():
        for role in agent.agent.runs_as:
            users[role].add_use(key, "", agent.agent.seen.place or agent.agent.place)
    for subject, off in _index_users_by_tool_state(inventory, enabled=False).items():
        users.setdefault(subject, off)
    return users


def _index_users_by_tool_state(
    inventory: Inventory, *, enabled: bool
) -> dict[str, _DeclaredUsers]:
    """Index the users through enabled tools, or through disabled ones."""
    users: dict[str, _DeclaredUsers] = defaultdict(_DeclaredUsers)
    for key, agent in inventory.agents.items():
        for use in agent.tools:
            if use.tool.enabled is not enabled or use.tool.has_only_indirect_identities:
                continue
            for credential in use.credentials:
                place = _find_credential_location(inventory, agent, use, credential)
                users[credential].add_use(key, use.tool.id, place)
                entity = inventory.credentials.get(credential)
                if entity is not None and entity.identity is not None:
                    users[entity.identity].add_use(key, use.tool.id, place)
            for identity in use.identities:
                users[identity].add_use(key, use.tool.id, use.tool.seen.place)
    return users


def _find_credential_location(
    inventory: Inventory, agent: AgentEntity, use: ToolUse, credential: CredentialId
) -> str:
    """Return the place of a credential: the tool's entry, else the agent's home."""
    entity = inventory.credentials.get(credential)
    sighting = select_credential_place(entity, use) if entity is not None else None
    entry, scope = use.tool.seen.place, agent.agent.scope
    if sighting is None:
        return entry
    own = sighting.place == entry or sighting.place.startswith(f"{entry}/")
    return sighting.place if own or (scope and sighting.scope == scope) else entry


def _select_ownership(inventory: Inventory, subject: str) -> SubjectOwnership | None:
    """Select the owner of a subject, ignoring evidence from an assumed role.

    A platform agent and an ambient credential belong to the owner of the role that
    they use. That owner is not the person of a call, so no chain names them.
    """
    return inventory.own_owners.get(subject) or inventory.owners.get(subject)


def _get_owner_person_id(owner: SubjectOwnership | None) -> str:
    """Return the person id of an owner; empty if there is none."""
    if owner is None or owner.state not in _NAMED_STATES:
        return ""
    return owner.person or ""


def _get_strongest_evidence_location(owner: SubjectOwnership | None) -> str:
    """Return the place of the strongest owner evidence; empty if none counts."""
    for candidate in (owner.candidates if owner else ())[:1]:
        for item, weight in candidate.evidence[:1]:
            if weight > 0.0:
                return item.seen.place
    return ""
