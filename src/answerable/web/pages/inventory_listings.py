"""Definitions of the inventory lists: agents, identities, credentials, people, tools."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import cast

from answerable.model.agent import FactStatus
from answerable.model.config import DeclaredAgent
from answerable.model.documents.core import (
    AgentItem,
    CredentialItem,
    Document,
    IdentityItem,
    OwnerItem,
    PersonItem,
    ToolItem,
)
from answerable.model.inventory import Inventory
from answerable.model.person import OwnerState, SubjectOwnership
from answerable.model.provenance import WrittenBy
from answerable.presentation import inventory_lists
from answerable.usecases.inventory import inventory_listing
from answerable.web.paged_list import ListDefinition, ListFacet, PagedList
from answerable.web.store_cache import StoreCache
from answerable.web.store_view import StoreView

OLD_AFTER = timedelta(days=90)
_OWNER_RANKS = {state.value: rank for rank, state in enumerate(OwnerState)}


def owner_sort_key(owner: OwnerItem) -> str:
    """Return the sort key of an owner: state, then name."""
    return f"{_OWNER_RANKS.get(owner['state'], 99):02d}{owner['person'] or ''}"


def run_mode(item: AgentItem | ToolItem) -> str:
    """Return whether a person approves each call."""
    return "unattended" if item["unattended"] else "attended"


def credential_age(item: CredentialItem, now: datetime) -> str:
    """Return whether a credential is too old."""
    if not item["created_at"]:
        return "not-collected"
    made = datetime.fromisoformat(item["created_at"])
    return "old" if now - made >= OLD_AFTER else "younger"


AGENT_LIST: ListDefinition[AgentItem] = ListDefinition(
    key=lambda item: item["id"],
    facets=(
        ListFacet("owner-state", "owner", lambda item: item["owner"]["state"]),
        ListFacet("kind", "kind", lambda item: item["kind"]),
        ListFacet("runs", "runs", run_mode),
    ),
    orders={
        "name": lambda item: item["id"],
        "owner": lambda item: owner_sort_key(item["owner"]),
        "tools": lambda item: len(item["tools"]),
        "acts-as": lambda item: len(item["identities"]),
        "kind": lambda item: item["kind"],
        "place": lambda item: item["place"],
    },
    words=lambda item: chain(
        (item["id"], item["name"], item["place"], item["owner"]["person"] or ""),
        (tool["server"] for tool in item["tools"]),
        item["identities"],
    ),
)

IDENTITY_LIST: ListDefinition[IdentityItem] = ListDefinition(
    key=lambda item: item["id"],
    facets=(
        ListFacet("owner-state", "owner", lambda item: item["owner"]["state"]),
        ListFacet("kind", "kind", lambda item: item["kind"]),
        ListFacet(
            "agents", "agents", lambda item: "some" if item["agents"] else "none"
        ),
    ),
    orders={
        "name": lambda item: item["id"],
        "owner": lambda item: owner_sort_key(item["owner"]),
        "agents": lambda item: len(item["agents"]),
        "keys": lambda item: len(item["credentials"]),
        "last-used": lambda item: item["last_used_at"] or "",
        "kind": lambda item: item["kind"],
        "made": lambda item: item["created_at"] or "",
    },
    words=lambda item: chain(
        (item["id"], item["name"], item["owner"]["person"] or ""),
        item["agents"],
        chain.from_iterable(item["tags"].items()),
    ),
)


def credential_list(now: datetime) -> ListDefinition[CredentialItem]:
    """Return the definition of the credential list, with ages at a moment."""
    return ListDefinition(
        key=lambda item: item["id"],
        facets=(
            ListFacet("owner-state", "owner", lambda item: item["owner"]["state"]),
            ListFacet("kind", "kind", lambda item: item["kind"]),
            ListFacet("lifetime", "lives", lambda item: item["lifetime"]),
            ListFacet("held", "held as", lambda item: item["class"]),
            ListFacet("age", "age", lambda item: credential_age(item, now)),
        ),
        orders={
            "name": lambda item: item["id"],
            "proves": lambda item: item["identity"] or "",
            "owner": lambda item: owner_sort_key(item["owner"]),
            "lives": lambda item: item["lifetime"],
            "made": lambda item: item["created_at"] or "",
            "last-used": lambda item: item["last_used_at"] or "",
            "places": lambda item: len(item["places"]),
            "kind": lambda item: item["kind"],
        },
        words=lambda item: chain(
            (item["id"], item["kind"], item["identity"] or ""),
            (item["owner"]["person"] or "", item["hint"]),
            chain.from_iterable((p["place"], p["name"]) for p in item["places"]),
        ),
    )


PERSON_LIST: ListDefinition[PersonItem] = ListDefinition(
    key=lambda item: item["id"],
    facets=(
        ListFacet("kind", "kind", lambda item: "team" if item["team"] else "person"),
        ListFacet("here", "here", lambda item: "here" if item["alive"] else "left"),
        ListFacet("owns", "owns", lambda item: "some" if item["owns"] else "none"),
    ),
    orders={
        "name": lambda item: item["id"],
        "owns": lambda item: len(item["owns"]),
    },
    words=lambda item: chain((item["id"], item["name"]), item["aliases"]),
)


TOOL_ORDERS = ("name", "agent", "acts-as", "runs")


def tool_list(desk: StoreCache) -> ListDefinition[ToolItem]:
    """Return the definition of the tool list, with the owners of agents."""
    owned = agents(desk).by_key

    def owner_state(item: ToolItem) -> str:
        return owned[item["agent"]]["owner"]["state"] if item["agent"] in owned else ""

    return ListDefinition(
        # A tool stands in each agent that carries it.
        key=lambda item: f"{item['id']} {item['agent']} {item['target']}",
        facets=(
            ListFacet("kind", "transport", lambda item: item["transport"]),
            ListFacet(
                "runs",
                "runs",
                lambda item: run_mode(item) if item["enabled"] else "disabled",
            ),
            ListFacet("owner-state", "owner of the agent", owner_state),
        ),
        orders={
            "name": lambda item: item["id"],
            "agent": lambda item: item["agent"],
            "acts-as": lambda item: len(item["identities"]),
            "runs": lambda item: run_mode(item) if item["enabled"] else "disabled",
        },
        words=lambda item: chain(
            (item["id"], item["agent"], item["target"]), item["identities"]
        ),
    )


def current_inventory(desk: StoreCache) -> Inventory:
    """Return the inventory with current ownership."""
    return desk.current_view().inventory


def owner_item(owners: Mapping[str, SubjectOwnership], subject: str) -> OwnerItem:
    """Return the owner of a subject as a list item."""
    known = owners.get(subject)
    if known is None:
        return {"state": OwnerState.NONE.value, "person": None, "score": 0.0}
    score = round(known.score, 4)
    return {"state": known.state.value, "person": known.person, "score": score}


def declared_agents(desk: StoreCache) -> Mapping[str, DeclaredAgent]:
    """Return the agents of the configuration by id."""
    named = desk.config.agents if desk.config is not None else ()
    return {agent.id: agent for agent in named}


def agents(desk: StoreCache) -> PagedList[AgentItem]:
    """List agents that were scanned, declared, or seen by a mediator."""

    def made(standing: StoreView) -> PagedList[AgentItem]:
        items = cast("list[AgentItem]", _build_document(desk, standing, "agents").items)
        scanned = {item["id"] for item in items}
        named = declared_agents(desk)
        acting = {
            agent
            for joint in standing.chains
            if joint.joint.believed
            for chained in joint.chains
            for agent in chained.agent_path
        }
        owners = current_inventory(desk).owners
        more = [
            _unscanned_agent(key, named.get(key), owner_item(owners, key))
            for key in sorted((acting | set(named)) - scanned)
        ]
        return PagedList(AGENT_LIST, [*items, *more])

    return desk.get_derived("agents", made)


def _unscanned_agent(
    key: str, named: DeclaredAgent | None, owner: OwnerItem
) -> AgentItem:
    """Build the item of an agent that no scan found."""
    known = FactStatus.DECLARED if named else FactStatus.OBSERVED
    said = "named in the configuration" if named else "seen acting by a mediator"
    return {
        "id": key,
        "kind": key.removeprefix("agent:").partition("/")[0],
        "name": named.name if named else key.rpartition("/")[2],
        "place": "answerable.yaml" if named else "",
        "known": known.value,
        "note": f"{said}; no scan saw its configuration",
        "owner": owner,
        "tools": [],
        "identities": [],
        "parent": None,
        "unattended": False,
        "written_by": (WrittenBy.PERSON if named else WrittenBy.MEDIATOR).value,
    }


def identities(desk: StoreCache) -> PagedList[IdentityItem]:
    """List identities."""
    return desk.get_derived(
        "identities",
        lambda standing: PagedList(
            IDENTITY_LIST,
            cast(
                "list[IdentityItem]",
                _build_document(desk, standing, "identities").items,
            ),
        ),
    )


def credentials(desk: StoreCache) -> PagedList[CredentialItem]:
    """List credentials."""
    return desk.get_derived(
        "credentials",
        lambda standing: PagedList(
            credential_list(datetime.now(tz=UTC)),
            cast(
                "list[CredentialItem]",
                _build_document(desk, standing, "credentials").items,
            ),
        ),
    )


def people(desk: StoreCache) -> PagedList[PersonItem]:
    """List people and teams."""
    return desk.get_derived(
        "people",
        lambda standing: PagedList(
            PERSON_LIST,
            cast("list[PersonItem]", _build_document(desk, standing, "people").items),
        ),
    )


def tools(desk: StoreCache) -> PagedList[ToolItem]:
    """List tools."""
    return desk.get_derived(
        "tools",
        lambda standing: PagedList(
            tool_list(desk),
            cast("list[ToolItem]", _build_document(desk, standing, "tools").items),
        ),
    )


def coverage_document(desk: StoreCache, kind: str = "") -> Document:
    """Return a document with only the coverage of a list.

    Args:
        kind: The list; empty for the whole inventory.
    """
    inventory = desk.current_view().inventory
    return Document(
        "coverage", (), inventory_lists.build_list_coverage(kind, inventory, desk.now)
    )


def known_count(desk: StoreCache, kind: str, number: int) -> int | None:
    """Return a count; None instead of 0 if a source is missing."""
    return inventory_lists.count_or_unknown(kind, desk.current_view().inventory, number)


def _build_document(desk: StoreCache, standing: StoreView, kind: str) -> Document:
    return inventory_listing.BY_KIND[kind](standing.inventory, now=standing.at)


def owned_subjects(person: PersonItem) -> Iterator[tuple[str, str]]:
    """Yield what a person owns, with its kind."""
    for subject in person["owns"]:
        kind = {"agent:": "agent", "cred:": "credential"}
        yield (
            next((n for p, n in kind.items() if subject.startswith(p)), "identity"),
            subject,
        )
