"""Definitions of the inventory lists: agents, identities, credentials, people, tools."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import cast

from answerable.model.agent import Known
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
from answerable.model.person import Ownership, OwnerState
from answerable.model.provenance import WrittenBy
from answerable.presentation import inventory_lists
from answerable.web.paged_list import Facet, Listing, Shape
from answerable.web.store_cache import Desk
from answerable.web.store_view import Standing

OLD = timedelta(days=90)
_STATES = {state.value: rank for rank, state in enumerate(OwnerState)}


def owner_rank(owner: OwnerItem) -> str:
    """Return the sort key of an owner: state, then name."""
    return f"{_STATES.get(owner['state'], 99):02d}{owner['person'] or ''}"


def runs(item: AgentItem | ToolItem) -> str:
    """Return whether a person approves each call."""
    return "unattended" if item["unattended"] else "attended"


def age(item: CredentialItem, now: datetime) -> str:
    """Return whether a credential is too old."""
    if not item["created_at"]:
        return "not-collected"
    made = datetime.fromisoformat(item["created_at"])
    return "old" if now - made >= OLD else "younger"


AGENTS: Shape[AgentItem] = Shape(
    key=lambda item: item["id"],
    facets=(
        Facet("owner-state", "owner", lambda item: item["owner"]["state"]),
        Facet("kind", "kind", lambda item: item["kind"]),
        Facet("runs", "runs", runs),
    ),
    orders={
        "name": lambda item: item["id"],
        "owner": lambda item: owner_rank(item["owner"]),
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

IDENTITIES: Shape[IdentityItem] = Shape(
    key=lambda item: item["id"],
    facets=(
        Facet("owner-state", "owner", lambda item: item["owner"]["state"]),
        Facet("kind", "kind", lambda item: item["kind"]),
        Facet("agents", "agents", lambda item: "some" if item["agents"] else "none"),
    ),
    orders={
        "name": lambda item: item["id"],
        "owner": lambda item: owner_rank(item["owner"]),
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


def credentials_at(now: datetime) -> Shape[CredentialItem]:
    """Return the definition of the credential list, with ages at a moment."""
    return Shape(
        key=lambda item: item["id"],
        facets=(
            Facet("owner-state", "owner", lambda item: item["owner"]["state"]),
            Facet("kind", "kind", lambda item: item["kind"]),
            Facet("lifetime", "lives", lambda item: item["lifetime"]),
            Facet("held", "held as", lambda item: item["class"]),
            Facet("age", "age", lambda item: age(item, now)),
        ),
        orders={
            "name": lambda item: item["id"],
            "proves": lambda item: item["identity"] or "",
            "owner": lambda item: owner_rank(item["owner"]),
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


PEOPLE: Shape[PersonItem] = Shape(
    key=lambda item: item["id"],
    facets=(
        Facet("kind", "kind", lambda item: "team" if item["team"] else "person"),
        Facet("here", "here", lambda item: "here" if item["alive"] else "left"),
        Facet("owns", "owns", lambda item: "some" if item["owns"] else "none"),
    ),
    orders={
        "name": lambda item: item["id"],
        "owns": lambda item: len(item["owns"]),
    },
    words=lambda item: chain((item["id"], item["name"]), item["aliases"]),
)


TOOL_ORDERS = ("name", "agent", "acts-as", "runs")


def tools_of(desk: Desk) -> Shape[ToolItem]:
    """Return the definition of the tool list, with the owners of agents."""
    owned = agents(desk).by_key

    def owner_state(item: ToolItem) -> str:
        return owned[item["agent"]]["owner"]["state"] if item["agent"] in owned else ""

    return Shape(
        # A tool stands in each agent that carries it.
        key=lambda item: f"{item['id']} {item['agent']} {item['target']}",
        facets=(
            Facet("kind", "transport", lambda item: item["transport"]),
            Facet(
                "runs",
                "runs",
                lambda item: runs(item) if item["enabled"] else "disabled",
            ),
            Facet("owner-state", "owner of the agent", owner_state),
        ),
        orders={
            "name": lambda item: item["id"],
            "agent": lambda item: item["agent"],
            "acts-as": lambda item: len(item["identities"]),
            "runs": lambda item: runs(item) if item["enabled"] else "disabled",
        },
        words=lambda item: chain(
            (item["id"], item["agent"], item["target"]), item["identities"]
        ),
    )


def judged(desk: Desk) -> Inventory:
    """Return the inventory with current ownership."""
    return desk.standing().inventory


def owner(owners: Mapping[str, Ownership], subject: str) -> OwnerItem:
    """Return the owner of a subject as a list item."""
    known = owners.get(subject)
    if known is None:
        return {"state": OwnerState.NONE.value, "person": None, "score": 0.0}
    score = round(known.score, 4)
    return {"state": known.state.value, "person": known.person, "score": score}


def declared(desk: Desk) -> Mapping[str, DeclaredAgent]:
    """Return the agents of the configuration by id."""
    named = desk.config.agents if desk.config is not None else ()
    return {agent.id: agent for agent in named}


def agents(desk: Desk) -> Listing[AgentItem]:
    """List agents that were scanned, declared, or seen by a mediator."""

    def made(standing: Standing) -> Listing[AgentItem]:
        items = cast("list[AgentItem]", _document(desk, standing, "agents").items)
        scanned = {item["id"] for item in items}
        named = declared(desk)
        acting = {
            agent
            for joint in standing.chains
            if joint.joint.believed
            for chained in joint.chains
            for agent in chained.agent_path
        }
        owners = judged(desk).owners
        more = [
            _unscanned(key, named.get(key), owner(owners, key))
            for key in sorted((acting | set(named)) - scanned)
        ]
        return Listing(AGENTS, [*items, *more])

    return desk.kept("agents", made)


def _unscanned(key: str, named: DeclaredAgent | None, owner: OwnerItem) -> AgentItem:
    """Build the item of an agent that no scan found."""
    known = Known.DECLARED if named else Known.OBSERVED
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


def identities(desk: Desk) -> Listing[IdentityItem]:
    """List identities."""
    return desk.kept(
        "identities",
        lambda standing: Listing(
            IDENTITIES,
            cast("list[IdentityItem]", _document(desk, standing, "identities").items),
        ),
    )


def credentials(desk: Desk) -> Listing[CredentialItem]:
    """List credentials."""
    return desk.kept(
        "credentials",
        lambda standing: Listing(
            credentials_at(datetime.now(tz=UTC)),
            cast(
                "list[CredentialItem]", _document(desk, standing, "credentials").items
            ),
        ),
    )


def people(desk: Desk) -> Listing[PersonItem]:
    """List people and teams."""
    return desk.kept(
        "people",
        lambda standing: Listing(
            PEOPLE, cast("list[PersonItem]", _document(desk, standing, "people").items)
        ),
    )


def tools(desk: Desk) -> Listing[ToolItem]:
    """List tools."""
    return desk.kept(
        "tools",
        lambda standing: Listing(
            tools_of(desk),
            cast("list[ToolItem]", _document(desk, standing, "tools").items),
        ),
    )


def coverage(desk: Desk, kind: str = "") -> Document:
    """Return a document with only the coverage of a list.

    Args:
        kind: The list; empty for the whole inventory.
    """
    inventory = desk.standing().inventory
    return Document(
        "coverage", (), inventory_lists.coverage_of_list(kind, inventory, desk.now)
    )


def count(desk: Desk, kind: str, number: int) -> int | None:
    """Return a count; None instead of 0 if a source is missing."""
    return inventory_lists.count(kind, desk.standing().inventory, number)


def _document(desk: Desk, standing: Standing, kind: str) -> Document:
    return inventory_lists.BY_KIND[kind](standing.inventory, now=standing.at)


def subjects_of(person: PersonItem) -> Iterator[tuple[str, str]]:
    """Yield what a person owns, with its kind."""
    for subject in person["owns"]:
        kind = {"agent:": "agent", "cred:": "credential"}
        yield (
            next((n for p, n in kind.items() if subject.startswith(p)), "identity"),
            subject,
        )
