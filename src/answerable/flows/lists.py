"""The lists: agents, identities, credentials, people, tools; and their coverage."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from answerable.inventory import aged
from answerable.model.credential import Credential, CredentialClass, Lifetime
from answerable.model.document import (
    AgentItem,
    AgentToolItem,
    Coverage,
    CredentialItem,
    Document,
    IdentityItem,
    OwnerItem,
    PersonItem,
    SourceItem,
    ToolCredentialItem,
    ToolItem,
)
from answerable.model.errors import UsageError
from answerable.model.ids import CredentialId
from answerable.model.inventory import (
    AgentEntity,
    CredentialEntity,
    Inventory,
    SourceCoverage,
    ToolUse,
)
from answerable.model.person import OwnerState
from answerable.model.sighting import Problem

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_SECOND = 253_402_300_799  # of the year 9999
_SCAN = "answerable scan"


def spelled_time(at: int) -> str:
    """Spell UTC nanoseconds as RFC 3339, to the second."""
    moment = _EPOCH + timedelta(seconds=min(at // 1_000_000_000, _LAST_SECOND))
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _maybe(at: int) -> str | None:
    return spelled_time(at) if at else None


def coverage(
    inventory: Inventory, now: int, not_collected: Sequence[str] = ()
) -> Coverage:
    """Say what an answer rests on.

    Args:
        inventory: The snapshot.
        now: UTC nanoseconds.
        not_collected: What was not collected and could change this very answer.
    """
    return coverage_of(inventory.coverage, now, not_collected)


def coverage_of(
    sources: Sequence[SourceCoverage], now: int, not_collected: Sequence[str] = ()
) -> Coverage:
    """Say the same of some sources."""
    items: list[SourceItem] = [
        {
            "source": each.source,
            "at": spelled_time(each.at),
            "age_s": max(0, now - each.at) // 1_000_000_000,
            "problems": [problem_line(problem) for problem in each.problems],
        }
        for each in sources
    ]
    seen = {word for each in sources for word in each.collected}
    return {
        "partial": any(each.problems for each in sources),
        "sources": items,
        "seen": sorted(seen),
        "not_collected": sorted(set(not_collected)),
    }


def no_coverage() -> Coverage:
    """Cover nothing: the answer rests on no source."""
    return {"partial": False, "sources": [], "seen": [], "not_collected": []}


def problem_line(problem: Problem) -> str:
    """Say a problem in one line."""
    what = " ".join(problem.what.split())
    if problem.place and problem.place not in what:
        return f"{problem.kind}: {problem.place}: {what}"
    return f"{problem.kind}: {what}"


def agents(
    inventory: Inventory, *, now: int, owner_state: str = "", kind: str = ""
) -> Document:
    """List agents with their tools, credentials and identities."""
    inventory = aged(inventory, now)
    items = [_agent(inventory, entity) for entity in inventory.agents.values()]
    kept = _filtered(items, owner_state, kind)
    kinds = {str(item["kind"]) for item in items}
    return _document("agents", inventory, now, kept, _no_kind(kind, kinds))


def identities(
    inventory: Inventory, *, now: int, owner_state: str = "", kind: str = ""
) -> Document:
    """List identities with the agents and credentials that reach them."""
    inventory = aged(inventory, now)
    by_agent: dict[str, list[str]] = defaultdict(list)
    for key, entity in inventory.agents.items():
        for reached in entity.identities:
            by_agent[reached].append(key)
    by_credential: dict[str, list[str]] = defaultdict(list)
    for credential in inventory.credentials.values():
        if credential.identity is not None:
            by_credential[credential.identity].append(credential.id)
    items: list[IdentityItem] = [
        {
            "id": identity.id,
            "kind": identity.kind,
            "name": identity.name,
            "account": identity.account,
            "owner": owner(inventory, identity.id),
            "agents": sorted(by_agent[identity.id]),
            "credentials": sorted(by_credential[identity.id]),
            "created_at": _maybe(identity.created_at),
            "last_used_at": _maybe(identity.last_used_at),
            "tags": dict(identity.tags),
            "written_by": identity.seen.written_by.value,
        }
        for identity in inventory.facts.identities
    ]
    kept = _filtered(items, owner_state, kind)
    kinds = {str(item["kind"]) for item in items}
    return _document("identities", inventory, now, kept, _no_kind(kind, kinds))


def credentials(
    inventory: Inventory, *, now: int, owner_state: str = "", kind: str = ""
) -> Document:
    """List credentials with every place they lie; never a value."""
    inventory = aged(inventory, now)
    items = [_credential(inventory, each) for each in inventory.credentials.values()]
    kept = _filtered(items, owner_state, kind)
    kinds = {str(item["kind"]) for item in items}
    return _document("credentials", inventory, now, kept, _no_kind(kind, kinds))


def people(
    inventory: Inventory, *, now: int, owner_state: str = "", kind: str = ""
) -> Document:
    """List people and teams with what they answer for.

    `kind` is `person` or `team`; `owner_state` keeps what is owned in that state.
    What a person is merely suggested for is not theirs, and shown only when asked for.
    """
    inventory = aged(inventory, now)
    _known_state(owner_state)
    owns: dict[str, list[str]] = defaultdict(list)
    for subject, ownership in inventory.owners.items():
        state = ownership.state
        shown = state == owner_state or (
            not owner_state and state is not OwnerState.SUGGESTED
        )
        if ownership.person is not None and shown:
            owns[ownership.person].append(subject)
    items: list[PersonItem] = [
        {
            "id": person.id,
            "name": person.name,
            "aliases": list(person.aliases),
            "team": person.team,
            "alive": person.alive,
            "owns": sorted(owns[person.id]),
        }
        for person in inventory.persons.values()
        if kind in ("", "team" if person.team else "person")
        and (not owner_state or owns[person.id])
    ]
    missing = _no_kind(kind, ("person", "team"))
    return _document("people", inventory, now, items, missing)


def tools(
    inventory: Inventory, *, now: int, owner_state: str = "", kind: str = ""
) -> Document:
    """List the tools of every agent; `kind` is a transport, the owner the agent's."""
    inventory = aged(inventory, now)
    _known_state(owner_state)
    items: list[ToolItem] = []
    for key, entity in inventory.agents.items():
        if owner_state and owner(inventory, key)["state"] != owner_state:
            continue
        for use in entity.tools:
            if kind in ("", use.tool.transport):
                found = _tool_credentials(inventory, use)
                items.append(
                    {
                        "id": use.tool.id,
                        "agent": key,
                        "server": use.tool.server,
                        "transport": use.tool.transport,
                        "target": use.tool.target,
                        "enabled": use.tool.enabled,
                        "unattended": use.tool.unattended,
                        "credential": found[0] if found else None,
                        "identities": list(use.identities),
                        "written_by": use.tool.seen.written_by.value,
                    }
                )
    kinds = {u.tool.transport for each in inventory.agents.values() for u in each.tools}
    return _document("tools", inventory, now, items, _no_kind(kind, kinds))


def owner(inventory: Inventory, subject: str) -> OwnerItem:
    """Show an owner as the lists do."""
    ownership = inventory.owners.get(subject)
    if ownership is None:
        return {"state": OwnerState.NONE.value, "person": None, "score": 0.0}
    return {
        "state": ownership.state.value,
        "person": ownership.person,
        "score": round(ownership.score, 4),
    }


def _agent(inventory: Inventory, entity: AgentEntity) -> AgentItem:
    agent = entity.agent
    return {
        "id": agent.id,
        "kind": agent.kind,
        "name": agent.name,
        "place": agent.place,
        "known": agent.known.value,
        "note": agent.note,
        "owner": owner(inventory, agent.id),
        "tools": [_agent_tool(inventory, use) for use in entity.tools],
        "identities": list(entity.identities),
        "parent": agent.parent,
        "unattended": agent.unattended or any(u.tool.unattended for u in entity.tools),
        "written_by": agent.seen.written_by.value,
    }


def _agent_tool(inventory: Inventory, use: ToolUse) -> AgentToolItem:
    found = _tool_credentials(inventory, use)
    return {
        "id": use.tool.id,
        "server": use.tool.server,
        "transport": use.tool.transport,
        "target": use.tool.target,
        "enabled": use.tool.enabled,
        "unattended": use.tool.unattended,
        "inherited": use.inherited,
        "credential": found[0] if found else None,
        "credentials": found,
        "identity": use.identities[0] if len(use.identities) == 1 else None,
        "identities": list(use.identities),
    }


def _tool_credentials(inventory: Inventory, use: ToolUse) -> list[ToolCredentialItem]:
    """Show what a tool acts with; what proves an identity first, as it tells most."""

    def telling(key: CredentialId) -> bool:
        entity = inventory.credentials.get(key)
        return entity is None or entity.identity is None

    items: list[ToolCredentialItem] = []
    for key in sorted(use.credentials, key=telling):
        entity = inventory.credentials.get(key)
        sighting = _sighting(entity, use) if entity is not None else None
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


def _sighting(entity: CredentialEntity, use: ToolUse) -> Credential | None:
    """Choose the sighting in the tool's own file, else the most telling one."""
    own = use.tool.seen.place
    for sighting in entity.sightings:
        if sighting.place == own or sighting.place.startswith(f"{own}/"):
            return sighting
    return entity.sightings[0] if entity.sightings else None


def _credential(inventory: Inventory, entity: CredentialEntity) -> CredentialItem:
    found = entity.sightings
    lying = [s for s in found if s.cls is not CredentialClass.RECORD]
    first = (lying or list(found))[0] if found else None
    return {
        "id": entity.id,
        "kind": first.kind if first else _unseen(entity.id),
        "class": first.cls.value if first else "",
        "lifetime": (first.lifetime if first else _lifetime(entity.id)).value,
        "hint": next((s.hint for s in found if s.hint), ""),
        "account": next((s.account for s in found if s.account), ""),
        "status": next((s.status for s in found if s.status), ""),
        "identity": entity.identity,
        "how": entity.how,
        "owner": owner(inventory, entity.id),
        "places": [
            {"place": s.place, "name": s.name, "written_by": s.seen.written_by.value}
            for s in lying
        ],
        "created_at": _maybe(max((s.created_at for s in found), default=0)),
        "expires_at": _maybe(max((s.expires_at for s in found), default=0)),
        "last_used_at": _maybe(max((s.last_used_at for s in found), default=0)),
    }


def _unseen(key: CredentialId) -> str:
    """Say what a key is that only a trail tells of."""
    return "aws-access-key" if key.startswith("cred:aws/AKIA") else ""


def _lifetime(key: CredentialId) -> Lifetime:
    return Lifetime.STATIC if _unseen(key) else Lifetime.UNKNOWN


def _known_state(owner_state: str) -> None:
    if owner_state and owner_state not in set(OwnerState):
        states = ", ".join(OwnerState)
        raise UsageError(f"unknown owner state (got {owner_state[:80]!r})", states)


def _filtered(
    items: Sequence[Mapping[str, object]], owner_state: str, kind: str
) -> list[Mapping[str, object]]:
    _known_state(owner_state)
    kept = []
    for item in items:
        shown = item["owner"]
        state = shown["state"] if isinstance(shown, dict) else ""
        if owner_state in ("", state) and kind in ("", item["kind"]):
            kept.append(item)
    return kept


def _no_kind(kind: str, kinds: Collection[str]) -> str:
    """Say which kinds there are, when the one asked for is none of them."""
    known = sorted(each for each in kinds if each)
    if not kind or kind in known or not known:
        return ""
    return f"nothing is of kind {kind[:80]!r}; there are: {', '.join(known)}"


def _document(
    kind: str,
    inventory: Inventory,
    now: int,
    items: Sequence[Mapping[str, object]],
    searched: str = "",
) -> Document:
    hint = "" if inventory.coverage else _SCAN
    return Document(kind, items, coverage(inventory, now), next=hint, searched=searched)
