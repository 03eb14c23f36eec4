"""Build document items for agents, tools, credentials, identities and persons."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from answerable.inventory.lazy_ownership import LazyOwnership
from answerable.model.credential import Credential, CredentialClass, CredentialLifetime
from answerable.model.identity import Identity
from answerable.model.ids import AgentId, CredentialId, PersonId
from answerable.model.inventory import (
    AgentEntity,
    CredentialEntity,
    Inventory,
    ToolUse,
)
from answerable.model.person import (
    OWNER_NOT_KNOWN,
    OwnerEvidenceKind,
    OwnerState,
    Person,
    SubjectOwnership,
)
from answerable.presentation.person_merge_items import build_merge_item
from answerable.presentation.scanned_identities import is_identity_scanned
from answerable.presentation.timestamps import (
    format_optional_time as format_optional_time,
)
from answerable.presentation.timestamps import format_time as format_time

if TYPE_CHECKING:
    from answerable.model.documents.inventory import (
        AgentItem,
        AgentToolItem,
        CredentialItem,
        IdentityItem,
        OwnerItem,
        PersonItem,
        RoleAssignmentItem,
        ToolCredentialItem,
        ToolItem,
    )


def build_owner_item(inventory: Inventory, subject: str) -> "OwnerItem":
    """Build the output on who owns a subject, and in which state that is."""
    return get_owner_item(inventory.owners, subject)


def get_owner_item(owners: Mapping[str, SubjectOwnership], subject: str) -> "OwnerItem":
    """Return owner state, person and score of a subject."""
    known = owners.get(subject)
    if known is None:
        return {"state": OwnerState.NONE.value, "person": None, "score": 0.0}
    score = round(known.score, 4)
    return {"state": known.state.value, "person": known.person, "score": score}


def build_unknown_owner_item() -> "OwnerItem":
    """Build the owner of a subject that no scan described."""
    return {"state": OWNER_NOT_KNOWN, "person": None, "score": 0.0}


def build_identity_item(inventory: Inventory, identity: Identity) -> "IdentityItem":
    """Build the item of an identity, with the agents and credentials that reach it."""
    ways = inventory.get_or_compute_value("ways to identities", _index_identity_users)
    is_scanned = is_identity_scanned(inventory, identity)
    owner = build_owner_item(inventory, identity.id)
    if owner["state"] == OwnerState.NONE.value and not is_scanned:
        owner = build_unknown_owner_item()
    return {
        "id": identity.id,
        "kind": identity.kind,
        "name": identity.name,
        "account": identity.account,
        "owner": owner,
        "agents": sorted(ways.agents.get(identity.id, ())),
        "credentials": sorted(ways.credentials.get(identity.id, ())),
        "created_at": format_optional_time(identity.created_at),
        "last_used_at": format_optional_time(identity.last_used_at),
        "tags": dict(identity.tags),
        "permissions": "collected" if is_scanned else "not collected",
        "written_by": identity.seen.written_by.value,
        "people": inventory.get_or_compute_value(
            "people of roles", _index_assignments
        ).people.get(identity.id, []),
    }


@dataclass(frozen=True, slots=True)
class _RoleAssignments:
    """Persons by assumable role, and roles by person."""

    people: "Mapping[str, list[RoleAssignmentItem]]"
    roles: Mapping[str, set[str]]


def _index_assignments(inventory: Inventory) -> _RoleAssignments:
    """Index who may assume which role, by role and by person."""
    found = _RoleAssignments(defaultdict(list), defaultdict(set))
    owners = inventory.owners
    assigned = (
        owners.iterate_owners(OwnerEvidenceKind.ASSIGNMENT)
        if isinstance(owners, LazyOwnership)
        else owners.items()
    )
    for subject, ownership in assigned:
        for candidate in ownership.candidates:
            for item, _ in candidate.evidence:
                if item.kind is OwnerEvidenceKind.ASSIGNMENT:
                    told: RoleAssignmentItem = {
                        "person": candidate.person,
                        "via": item.reference,
                    }
                    found.people[subject].append(told)
                    found.roles[candidate.person].add(subject)
    return found


@dataclass(frozen=True, slots=True)
class _IdentityUsers:
    """Agents and credentials by the identity they reach."""

    agents: Mapping[str, list[str]]
    credentials: Mapping[str, list[str]]


def _index_identity_users(inventory: Inventory) -> _IdentityUsers:
    """Index the agents and credentials that act as each identity."""
    found = _IdentityUsers(defaultdict(list), defaultdict(list))
    for key, entity in inventory.agents.items():
        for reached in entity.identities:
            found.agents[reached].append(key)
    for credential in inventory.credentials.values():
        if credential.identity is not None:
            found.credentials[credential.identity].append(credential.id)
    return found


def build_person_item(
    inventory: Inventory,
    person: Person,
    owner_state: str = "",
    ids: Sequence[PersonId] = (),
) -> "PersonItem":
    """Build the item of a person or team with what they own, suggestions excluded.

    Args:
        inventory: Inventory that knows the person.
        owner_state: Only things owned in this state.
        ids: Ids that the person is listed for; by default their own id.
    """
    by_person = inventory.get_or_compute_value("owned by person", index_owned_subjects)
    owned = [each for key in ids or (person.id,) for each in by_person.get(key, ())]
    return {
        "id": person.id,
        "name": person.name,
        "aliases": list(person.aliases),
        "team": person.team,
        "alive": person.alive,
        "owns": sorted(
            subject
            for subject, state in owned
            if state == owner_state
            or (not owner_state and state is not OwnerState.SUGGESTED)
        ),
        "may_become": sorted(
            inventory.get_or_compute_value(
                "people of roles", _index_assignments
            ).roles.get(person.id, ())
        ),
        "manager": person.manager,
        "sponsors": list(person.sponsors),
        "merged": [
            build_merge_item(each)
            for each in inventory.merges
            if not {*ids, person.id}.isdisjoint(each.pair)
        ],
    }


def index_owned_subjects(
    inventory: Inventory,
) -> Mapping[str, list[tuple[str, OwnerState]]]:
    """Index the subjects that each person owns, with the ownership state."""
    owned: dict[str, list[tuple[str, OwnerState]]] = defaultdict(list)
    for subject, ownership in inventory.owners.items():
        if ownership.person is not None:
            owned[ownership.person].append((subject, ownership.state))
    return owned


def build_tool_item(inventory: Inventory, agent: AgentId, use: ToolUse) -> "ToolItem":
    """Build the output row of one tool of an agent."""
    found = _build_tool_credentials(inventory, use)
    return {
        "id": use.tool.id,
        "agent": agent,
        "server": use.tool.server,
        "transport": use.tool.transport,
        "target": use.tool.target,
        "enabled": use.tool.enabled,
        "unattended": use.tool.unattended,
        "rule": use.tool.rule,
        "credential": found[0] if found else None,
        "identities": list(use.identities),
        "written_by": use.tool.seen.written_by.value,
    }


def build_agent_item(inventory: Inventory, entity: AgentEntity) -> "AgentItem":
    """Build the output row of an agent, with its tools."""
    agent = entity.agent
    return {
        "id": agent.id,
        "kind": agent.kind,
        "name": agent.name,
        "place": agent.place,
        "known": agent.known.value,
        "note": agent.note,
        "owner": build_owner_item(inventory, agent.id),
        "tools": [_build_agent_tool(inventory, use) for use in entity.tools],
        "identities": list(entity.identities),
        "parent": agent.parent,
        "unattended": agent.unattended or any(u.tool.unattended for u in entity.tools),
        "written_by": agent.seen.written_by.value,
    }


def _build_agent_tool(inventory: Inventory, use: ToolUse) -> "AgentToolItem":
    """Convert a tool of an agent to a document item with its credentials."""
    found = _build_tool_credentials(inventory, use)
    return {
        "id": use.tool.id,
        "server": use.tool.server,
        "transport": use.tool.transport,
        "target": use.tool.target,
        "enabled": use.tool.enabled,
        "unattended": use.tool.unattended,
        "rule": use.tool.rule,
        "inherited": use.inherited,
        "credential": found[0] if found else None,
        "credentials": found,
        "identity": use.identities[0] if len(use.identities) == 1 else None,
        "identities": list(use.identities),
    }


def _build_tool_credentials(
    inventory: Inventory, use: ToolUse
) -> "list[ToolCredentialItem]":
    """Build the credentials of a tool, those that prove an identity first."""

    def telling(key: CredentialId) -> bool:
        entity = inventory.credentials.get(key)
        return entity is None or entity.identity is None

    items: list[ToolCredentialItem] = []
    for key in sorted(use.credentials, key=telling):
        entity = inventory.credentials.get(key)
        sighting = select_credential_place(entity, use) if entity is not None else None
        if sighting is not None:
            items.append(
                {
                    "id": key,
                    "kind": sighting.kind,
                    "place": sighting.place,
                    "class": sighting.cls.value,
                    "hint": sighting.hint,
                    "name": sighting.name,
                }
            )
    return items


def select_credential_place(
    entity: CredentialEntity, use: ToolUse
) -> Credential | None:
    """Select the place from which a tool reads a credential.

    The one in the tool's own file comes first, then login files of its home, then other
    files with the same key.
    """
    own, source = use.tool.seen.place, use.tool.seen.source

    def rank(sighting: Credential) -> tuple[bool, bool, bool]:
        lies_in = sighting.place == own or sighting.place.startswith(
            (f"{own}/", f"{own}#")
        )
        ambient = sighting.cls is CredentialClass.AMBIENT
        return not lies_in, not ambient, sighting.seen.source != source

    return min(entity.sightings, key=rank, default=None)


def build_credential_item(
    inventory: Inventory, entity: CredentialEntity
) -> "CredentialItem":
    """Build the item of a credential with its places and users, without its value."""
    users = inventory.get_or_compute_value(
        "users of credentials", _index_credential_users
    )
    found = entity.sightings
    lying = [s for s in found if s.cls is not CredentialClass.RECORD]
    first = (lying or list(found))[0] if found else None
    return {
        "id": entity.id,
        "kind": first.kind if first else _get_log_only_key_kind(entity.id),
        "class": first.cls.value if first else "",
        "lifetime": (
            first.lifetime if first else _get_unseen_key_lifetime(entity.id)
        ).value,
        "hint": next((s.hint for s in found if s.hint), ""),
        "account": next((s.account for s in found if s.account), ""),
        "status": next((s.status for s in found if s.status), ""),
        "identity": entity.identity,
        "how": entity.how,
        "agents": list(users.agents.get(entity.id, ())),
        "tools": list(users.tools.get(entity.id, ())),
        "owner": build_owner_item(inventory, entity.id),
        "places": [
            {"place": s.place, "name": s.name, "written_by": s.seen.written_by.value}
            for s in lying
        ],
        "created_at": format_optional_time(
            max((s.created_at for s in found), default=0)
        ),
        "expires_at": format_optional_time(
            max((s.expires_at for s in found), default=0)
        ),
        "last_used_at": format_optional_time(
            max((s.last_used_at for s in found), default=0)
        ),
    }


@dataclass(frozen=True, slots=True)
class _CredentialUsers:
    """Agents and tools by the credential they use."""

    agents: Mapping[str, Sequence[str]]
    tools: Mapping[str, Sequence[str]]


def _index_credential_users(inventory: Inventory) -> _CredentialUsers:
    """Index the agents and tools that use each credential."""
    agents: dict[str, dict[str, None]] = defaultdict(dict)
    tools: dict[str, dict[str, None]] = defaultdict(dict)
    for key, entity in sorted(inventory.agents.items()):
        for use in entity.tools:
            for credential in use.credentials:
                agents[credential][key] = None
                tools[credential][use.tool.id] = None
    return _CredentialUsers(
        {key: tuple(each) for key, each in agents.items()},
        {key: tuple(each) for key, each in tools.items()},
    )


def _get_log_only_key_kind(key: CredentialId) -> str:
    """Return the kind of a key that only an audit log names."""
    return "aws-access-key" if key.startswith("cred:aws/AKIA") else ""


def _get_unseen_key_lifetime(key: CredentialId) -> CredentialLifetime:
    """Return the lifetime class of a key that only an audit log names."""
    return (
        CredentialLifetime.STATIC
        if _get_log_only_key_kind(key)
        else CredentialLifetime.UNKNOWN
    )
