"""Define columns, filters and search texts of the inventory lists, and build them."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import chain
from typing import Any, cast

from answerable.model.agent import FactStatus
from answerable.model.config import DeclaredAgent
from answerable.model.credential import CredentialLifetime
from answerable.model.documents.columns import DocumentColumn, list_item_columns
from answerable.model.documents.inventory import (
    AgentItem,
    CredentialItem,
    IdentityItem,
    OwnerItem,
    PersonItem,
    ToolItem,
)
from answerable.model.documents.registry import get_item_type_of_document_kind
from answerable.model.documents.shared_shapes import Document
from answerable.model.inventory import Inventory
from answerable.model.person import LISTED_OWNER_STATES
from answerable.model.provenance import WrittenBy
from answerable.model.tool import TRANSPORTS
from answerable.presentation import answer_coverage
from answerable.presentation.cell_text import get_cell_sort_key
from answerable.presentation.inventory_items import get_owner_item as get_owner_item
from answerable.usecases.inventory import inventory_listing
from answerable.web.paged_list import ListDefinition, ListFacet, PagedList
from answerable.web.store_cache import StoreCache
from answerable.web.store_view import StoreView

OLD_AFTER = timedelta(days=90)
OWNER_STATES = LISTED_OWNER_STATES
LIFETIMES = tuple(each.value for each in CredentialLifetime)
RUN_MODES = ("attended", "unattended")
_SOME_OR_NONE = ("some", "none")


def list_html_columns(kind: str) -> list[DocumentColumn]:
    """List the columns of an HTML list; a cell shows a nested object as a whole.

    Where a title links to the page of an item, its id has no column.
    """
    columns = list_item_columns(get_item_type_of_document_kind(kind))
    has_title = any(each.name == "title" for each in columns)
    return [
        each
        for each in columns
        if each.is_visible
        and len(each.path) == 1
        and not (has_title and each.name == "id")
    ]


def list_sort_orders(kind: str) -> Mapping[str, Callable[[Any], float | str]]:
    """List the sort orders of a list by name: its columns, and hidden ones with one."""
    return {
        column.sort: partial(get_cell_sort_key, column)
        for column in list_item_columns(get_item_type_of_document_kind(kind))
        if len(column.path) == 1 and (column.is_visible or column.declared.sort)
    }


def get_run_mode(item: AgentItem | ToolItem) -> str:
    """Return `unattended`, or `attended` if a person approves each call."""
    return "unattended" if item["unattended"] else "attended"


def get_credential_age_class(item: CredentialItem, now: datetime) -> str:
    """Return `old` from 90 days, `younger`, or `not-collected`."""
    if not item["created_at"]:
        return "not-collected"
    made = datetime.fromisoformat(item["created_at"])
    return "old" if now - made >= OLD_AFTER else "younger"


AGENT_LIST: ListDefinition[AgentItem] = ListDefinition(
    key=lambda item: item["id"],
    facets=(
        ListFacet(
            "owner-state", "owner", lambda item: item["owner"]["state"], OWNER_STATES
        ),
        ListFacet("kind", "kind", lambda item: item["kind"]),
        ListFacet("runs", "runs", get_run_mode, RUN_MODES),
    ),
    orders=list_sort_orders("agents"),
    words=lambda item: chain(
        (item["id"], item["name"], item["place"], item["owner"]["person"] or ""),
        (tool["server"] for tool in item["tools"]),
        item["identities"],
    ),
)

IDENTITY_LIST: ListDefinition[IdentityItem] = ListDefinition(
    key=lambda item: item["id"],
    facets=(
        ListFacet(
            "owner-state", "owner", lambda item: item["owner"]["state"], OWNER_STATES
        ),
        ListFacet("kind", "kind", lambda item: item["kind"]),
        ListFacet(
            "agents",
            "agents",
            lambda item: "some" if item["agents"] else "none",
            _SOME_OR_NONE,
        ),
    ),
    orders=list_sort_orders("identities"),
    words=lambda item: chain(
        (item["id"], item["name"], item["owner"]["person"] or ""),
        item["agents"],
        chain.from_iterable(item["tags"].items()),
    ),
)


def define_credential_list(now: datetime) -> ListDefinition[CredentialItem]:
    """Return the list definition of credentials; ages are relative to `now`."""
    return ListDefinition(
        key=lambda item: item["id"],
        facets=(
            ListFacet(
                "owner-state",
                "owner",
                lambda item: item["owner"]["state"],
                OWNER_STATES,
            ),
            ListFacet("kind", "kind", lambda item: item["kind"]),
            ListFacet(
                "lifetime",
                "lives",
                lambda item: item["lifetime"],
                LIFETIMES,
            ),
            ListFacet("held", "held as", lambda item: item["class"]),
            ListFacet(
                "age",
                "age",
                lambda item: get_credential_age_class(item, now),
                ("old", "younger", "not-collected"),
            ),
        ),
        orders=list_sort_orders("credentials"),
        words=lambda item: chain(
            (item["id"], item["kind"], item["identity"] or ""),
            (item["owner"]["person"] or "", item["hint"]),
            chain.from_iterable((p["place"], p["name"]) for p in item["places"]),
        ),
    )


PERSON_LIST: ListDefinition[PersonItem] = ListDefinition(
    key=lambda item: item["id"],
    facets=(
        ListFacet(
            "kind",
            "kind",
            lambda item: "team" if item["team"] else "person",
            ("person", "team"),
        ),
        ListFacet(
            "here",
            "here",
            lambda item: "here" if item["alive"] else "left",
            ("here", "left"),
        ),
        ListFacet(
            "owns",
            "owns",
            lambda item: "some" if item["owns"] else "none",
            _SOME_OR_NONE,
        ),
    ),
    orders=list_sort_orders("people"),
    words=lambda item: chain((item["id"], item["name"]), item["aliases"]),
)


def define_tool_list(cache: StoreCache) -> ListDefinition[ToolItem]:
    """Return the list definition of tools, with the owner state of their agents."""
    owned = agents(cache).by_key

    def owner_state(item: ToolItem) -> str:
        return owned[item["agent"]]["owner"]["state"] if item["agent"] in owned else ""

    return ListDefinition(
        # A tool is listed once for each agent that has it.
        key=lambda item: f"{item['id']} {item['agent']} {item['target']}",
        facets=(
            ListFacet("kind", "transport", lambda item: item["transport"], TRANSPORTS),
            ListFacet(
                "runs",
                "runs",
                lambda item: get_run_mode(item) if item["enabled"] else "disabled",
                (*RUN_MODES, "disabled"),
            ),
            ListFacet("owner-state", "owner of the agent", owner_state, OWNER_STATES),
        ),
        orders=list_sort_orders("tools"),
        words=lambda item: chain(
            (item["id"], item["agent"], item["target"]), item["identities"]
        ),
    )


def get_current_inventory(cache: StoreCache) -> Inventory:
    """Return the inventory of the current store view."""
    return cache.current_view().inventory


def get_declared_agents(cache: StoreCache) -> Mapping[str, DeclaredAgent]:
    """Return the agents of the configuration file by id."""
    named = cache.config.agents if cache.config is not None else ()
    return {agent.id: agent for agent in named}


def agents(cache: StoreCache) -> PagedList[AgentItem]:
    """Build the list of agents: scanned, configured, or seen by a gateway."""

    def build_list(view: StoreView) -> PagedList[AgentItem]:
        items = cast("list[AgentItem]", _build_document(cache, view, "agents").items)
        scanned = {item["id"] for item in items}
        declared = get_declared_agents(cache)
        acting = {
            agent
            for joint in view.chains
            if joint.chain_key.believed
            for chained in joint.chains
            for agent in chained.agent_path
        }
        owners = get_current_inventory(cache).owners
        more = [
            _build_unscanned_agent_item(
                key, declared.get(key), get_owner_item(owners, key)
            )
            for key in sorted((acting | set(declared)) - scanned)
        ]
        return PagedList(AGENT_LIST, [*items, *more])

    return cache.get_derived("agents", build_list)


def _build_unscanned_agent_item(
    key: str, declared: DeclaredAgent | None, owner: OwnerItem
) -> AgentItem:
    """Build the list item of an agent that no scan found."""
    known = FactStatus.DECLARED if declared else FactStatus.OBSERVED
    note = "declared in the configuration" if declared else "observed by a mediator"
    return {
        "id": key,
        "kind": key.removeprefix("agent:").partition("/")[0],
        "name": declared.name if declared else key.rpartition("/")[2],
        "place": "answerable.yaml" if declared else "",
        "known": known.value,
        "note": f"{note}; no scan found its configuration",
        "owner": owner,
        "tools": [],
        "identities": [],
        "parent": None,
        "unattended": False,
        "written_by": (WrittenBy.PERSON if declared else WrittenBy.MEDIATOR).value,
    }


def _build_list(
    kind: str, define: Callable[[StoreCache], ListDefinition[Any]], cache: StoreCache
) -> PagedList[Any]:
    """Build the list of one kind of inventory item, cached per store view."""
    return cache.get_derived(
        kind,
        lambda view: PagedList(
            define(cache),
            cast("Iterable[Any]", _build_document(cache, view, kind).items),
        ),
    )


identities: Callable[[StoreCache], PagedList[IdentityItem]] = partial(
    _build_list, "identities", lambda cache: IDENTITY_LIST
)
credentials: Callable[[StoreCache], PagedList[CredentialItem]] = partial(
    _build_list,
    "credentials",
    lambda cache: define_credential_list(datetime.now(tz=UTC)),
)
people: Callable[[StoreCache], PagedList[PersonItem]] = partial(
    _build_list, "people", lambda cache: PERSON_LIST
)
tools: Callable[[StoreCache], PagedList[ToolItem]] = partial(
    _build_list, "tools", define_tool_list
)


def build_coverage_document(
    cache: StoreCache, kind: str = "", *, has_items: bool = False
) -> Document:
    """Return the coverage of a list: its sources, without items.

    Args:
        kind: The list; empty for the whole inventory.
        has_items: Whether the list has items.
    """
    view = cache.current_view()
    coverage = answer_coverage.build_list_coverage(
        kind,
        view.inventory,
        cache.now,
        has_items=has_items,
        logs=view.chains.sources,
    )
    return Document("coverage", (), coverage)


def count_or_none_if_unscanned(cache: StoreCache, kind: str, count: int) -> int | None:
    """Return a count; None instead of 0 if a source was not scanned."""
    view = cache.current_view()
    return answer_coverage.count_or_unknown(
        kind, view.inventory, count, view.chains.sources
    )


def is_list_complete(cache: StoreCache, kind: str) -> bool:
    """Return whether all data was collected that a list is made from."""
    view = cache.current_view()
    return not answer_coverage.list_missing_data(
        kind, view.inventory, view.chains.sources
    )


def _build_document(cache: StoreCache, view: StoreView, kind: str) -> Document:
    """Build the document of one kind of inventory item."""
    return inventory_listing.BY_KIND[kind](view.inventory, now=view.at)


def iterate_owned_subjects(person: PersonItem) -> Iterator[tuple[str, str]]:
    """Yield kind and id of each subject that a person owns."""
    for subject in person["owns"]:
        kind = {"agent:": "agent", "cred:": "credential"}
        yield (
            next((n for p, n in kind.items() if subject.startswith(p)), "identity"),
            subject,
        )
