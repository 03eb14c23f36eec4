"""Operations on the inventory: lists, owners, snapshots, coverage."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from answerable.model.documents.core import (
    AgentItem,
    CredentialItem,
    Document,
    IdentityItem,
    PersonItem,
    SnapshotItem,
    SourceItem,
    ToolItem,
)
from answerable.model.documents.owners import WhoOwnsItem
from answerable.model.documents.pins import ToolsDiffItem
from answerable.model.person import OwnerState
from answerable.presentation import inventory_lists
from answerable.presentation.inventory_items import spelled_time
from answerable.server.pins.pin_files import PinFiles
from answerable.server.state_folders import gateway_state
from answerable.services.inventory import snapshots
from answerable.usecases.authorization import tool_pins
from answerable.usecases.inventory import ownership
from answerable.web.api.operations import (
    AFTER,
    LIMIT,
    Operation,
    Parameter,
    Params,
    Part,
    flag,
    is_on,
    limit_of,
)
from answerable.web.paged_list import Listing, Shape, Wanted
from answerable.web.pages import inventory_listings
from answerable.web.store_cache import Desk
from answerable.web.visitor import Visit


def _listed(
    kind: str, made: Callable[[Desk], Listing[Any]], facets: tuple[str, ...]
) -> Callable[[Desk, Visit, Params], Part]:
    def tell(desk: Desk, visit: Visit, params: Params) -> Part:
        del visit
        standing, listing = desk.standing(), made(desk)
        covered = inventory_lists.coverage_of_list(
            kind, standing.inventory, standing.at
        )
        if params.get("id"):
            item = listing.by_key.get(params["id"])
            return Part(Document(kind, [] if item is None else [item], covered))
        for name in facets:
            if name in params and params[name] not in listing.counts[name]:
                inventory_lists.refuse_misspelled(
                    name, params[name], listing.counts[name]
                )
        wanted = Wanted(
            search=params.get("q", ""),
            only={name: params[name] for name in facets if name in params},
            order=params.get("sort", ""),
            after=params.get("after", ""),
        )
        shown = listing.page(wanted, limit_of(params))
        total = shown.total if shown.total > len(shown.rows) else -1
        return Part(Document(kind, shown.rows, covered, total=total), shown.older)

    return tell


def _list(
    kind: str,
    item: type,
    what: str,
    made: Callable[[Desk], Listing[Any]],
    shape: Shape[Any] | None,
    facets: tuple[Parameter, ...],
) -> Operation:
    sorts = inventory_listings.TOOL_ORDERS if shape is None else tuple(shape.orders)
    turned = tuple(f"-{name}" for name in sorts)
    takes = (
        Parameter("q", "Words; each is somewhere in an item."),
        *facets,
        Parameter("sort", "Sort field; `-` for descending.", (*sorts, *turned)),
        *(() if kind == "tools" else (Parameter("id", "This one alone."),)),
        LIMIT,
        AFTER,
    )
    names = tuple(each.name for each in facets)
    return Operation(
        f"/{kind}", what, _listed(kind, made, names), kind, item, takes, command=kind
    )


_STATE = Parameter(
    "owner-state",
    "How the owner is known.",
    tuple(state.value for state in OwnerState),
)
_KIND = Parameter("kind", "Only this kind.")
_RUNS = ("attended", "unattended")


def _who_owns(desk: Desk, visit: Visit, params: Params) -> Document:
    del visit
    standing = desk.standing()
    with desk.store() as store:
        return ownership.who_owns(
            store, standing.inventory, params["id"], now=standing.at
        )


def _tools_diff(desk: Desk, visit: Visit, params: Params) -> Document:
    del visit
    config = desk.config
    state = gateway_state(config, desk.root) if config else desk.root / "gateway"
    files = PinFiles(state)
    known = {name: files.read(name) for name in files.servers()}
    wanted = params.get("server", "")
    shown = [each for each in known if wanted in ("", each)]
    with desk.store() as store:
        words = tool_pins.signed(store)
    return tool_pins.diff(known, shown, words, every=is_on(params, "all"))


def _snapshots(desk: Desk, visit: Visit, params: Params) -> Document:
    del visit, params
    standing = desk.standing()
    with desk.store() as store:
        named, logged = snapshots.named(store), store.objects("snapshot")
    items: list[SnapshotItem] = [
        {"name": each.name, "at": spelled_time(at.at), "digest": each.digest}
        for each, at in zip(named, logged, strict=True)
    ]
    covered = inventory_lists.coverage(standing.inventory, standing.at)
    return Document("snapshots", items[::-1], covered)


def _coverage(desk: Desk, visit: Visit, params: Params) -> Document:
    del visit, params
    standing = desk.standing()
    covered = inventory_lists.coverage(standing.inventory, standing.at)
    return Document("coverage", covered["sources"], covered)


OPERATIONS: tuple[Operation, ...] = (
    _list(
        "agents",
        AgentItem,
        "Agents with their tools, credentials and identities.",
        inventory_listings.agents,
        inventory_listings.AGENTS,
        (_STATE, _KIND, Parameter("runs", "Whether a person approves calls.", _RUNS)),
    ),
    _list(
        "identities",
        IdentityItem,
        "Identities, with the agents and credentials that reach each.",
        inventory_listings.identities,
        inventory_listings.IDENTITIES,
        (
            _STATE,
            _KIND,
            Parameter("agents", "Whether agents reach it.", ("some", "none")),
        ),
    ),
    _list(
        "credentials",
        CredentialItem,
        "Credentials with every place they lie; never a value.",
        inventory_listings.credentials,
        inventory_listings.credentials_at(datetime.now(tz=UTC)),
        (_STATE, _KIND, Parameter("lifetime", "How long it lives.")),
    ),
    _list(
        "tools",
        ToolItem,
        "Tools of every agent; `kind` is the transport.",
        inventory_listings.tools,
        None,
        (_STATE, _KIND, Parameter("runs", "How calls run.", (*_RUNS, "disabled"))),
    ),
    _list(
        "people",
        PersonItem,
        "People and teams, with what they answer for.",
        inventory_listings.people,
        inventory_listings.PEOPLE,
        (
            Parameter("kind", "Only these.", ("person", "team")),
            Parameter("here", "Whether they are still here.", ("here", "left")),
            Parameter("owns", "Whether anything is theirs.", ("some", "none")),
        ),
    ),
    Operation(
        "/who-owns",
        "Owner of an agent, identity or credential, with the evidence.",
        _who_owns,
        "who-owns",
        WhoOwnsItem,
        (Parameter("id", "An id, an ARN or an unambiguous name.", required=True),),
        command="who-owns ID",
    ),
    Operation(
        "/tools/diff",
        "Unapproved changes of tool definitions, by server.",
        _tools_diff,
        "tools-diff",
        ToolsDiffItem,
        (
            Parameter("server", "This server alone."),
            flag("all", "Include unchanged definitions."),
        ),
        passing=True,
        command="tools diff",
    ),
    Operation(
        "/snapshots",
        "Every scan that is kept, the newest first.",
        _snapshots,
        "snapshots",
        SnapshotItem,
    ),
    Operation(
        "/coverage",
        "Which sources the inventory rests on, how old and how whole.",
        _coverage,
        "coverage",
        SourceItem,
    ),
)
