"""REST operations that list agents, identities, credentials, tools and people."""

from collections.abc import Callable
from difflib import get_close_matches
from typing import Any

from answerable.model.documents.owners import OwnershipItem
from answerable.model.documents.pins import DefinitionDiffItem
from answerable.model.documents.registry import get_item_type_of_document_kind
from answerable.model.documents.shared_shapes import (
    CoverageSourceItem,
    Document,
    SnapshotItem,
)
from answerable.model.documents.show import ShowItem
from answerable.model.errors import UsageError
from answerable.model.tool import TRANSPORTS
from answerable.posture.rule_catalogue import PLATFORMS, RULES_BY_ID
from answerable.presentation import answer_coverage
from answerable.presentation.inventory_items import format_time
from answerable.server.pins.pin_files import PinFiles
from answerable.server.state_folders import gateway_state
from answerable.services.inventory import snapshots
from answerable.usecases.authorization import tool_pins
from answerable.usecases.inventory import ownership
from answerable.usecases.inventory.show import show_subject
from answerable.web.activity_scope import build_search_scope
from answerable.web.api.operations import (
    AFTER,
    LIMIT,
    LOOK,
    ApiOperation,
    ApiParameter,
    DocumentPart,
    OperationParams,
    flag_parameter,
    get_current_minute,
    is_flag_set,
    read_page_size,
)
from answerable.web.paged_list import ListQuery, PagedList
from answerable.web.pages import findings, inventory_list_definitions
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import Visitor, WebPermission


def _build_list_handler(
    kind: str,
    build_list: Callable[[StoreCache], PagedList[Any]],
    facets: tuple[ApiParameter, ...],
) -> Callable[[StoreCache, Visitor, OperationParams], DocumentPart]:
    """Return the handler of an inventory list: filter, sort and page its items."""
    names = tuple(each.name for each in facets)

    def handle_list(
        cache: StoreCache, _visitor: Visitor, params: OperationParams
    ) -> DocumentPart:
        view, listing = cache.current_view(), build_list(cache)
        has_items = kind != "findings" and bool(listing.items)
        coverage = answer_coverage.build_list_coverage(
            kind,
            view.inventory,
            view.at,
            has_items=has_items,
            logs=view.chains.sources,
        )
        if params.get("id"):
            item = listing.by_key.get(params["id"])
            return DocumentPart(
                Document(kind, [] if item is None else [item], coverage)
            )
        for each in facets:
            if each.name in params and not each.choices:
                _require_listed_value(each.name, params[each.name], listing)
        query = ListQuery(
            search=params.get("q", ""),
            only={name: params[name] for name in names if name in params},
            order=params.get("sort", ""),
            after=params.get("after", ""),
        )
        shown = listing.get_page(query, read_page_size(params))
        total = shown.total if shown.total > len(shown.rows) else -1
        return DocumentPart(
            Document(kind, shown.rows, coverage, total=total), shown.older
        )

    return handle_list


def _require_listed_value(name: str, value: str, listing: PagedList[Any]) -> None:
    """Refuse a value that no item of a list has; an empty list accepts each.

    Raises:
        UsageError: No item has it; the message lists the values that items have.
    """
    known = sorted(listing.counts[name])
    if known and value not in known:
        near = get_close_matches(value[:80].lower(), known, 1)
        raise UsageError(
            f"no item has this {name} (got {value[:80]!r}, "
            f"expected one of {', '.join(known)})",
            f"did you mean {near[0]}?" if near else "choose one of them",
        )


def _build_list_operation(
    kind: str,
    summary: str,
    build_list: Callable[[StoreCache], PagedList[Any]],
    facets: tuple[ApiParameter, ...],
    permissions: frozenset[WebPermission] = LOOK,
) -> ApiOperation:
    """Build the GET operation of one inventory list: filters and sort fields."""
    sorts = tuple(inventory_list_definitions.list_sort_orders(kind))
    descending = tuple(f"-{name}" for name in sorts)
    takes = (
        ApiParameter("q", "Words that an item must contain."),
        *facets,
        ApiParameter("sort", "Sort field; `-` for descending.", (*sorts, *descending)),
        *(
            ()
            if kind == "tools"
            else (ApiParameter("id", "Only the item with this id."),)
        ),
        LIMIT,
        AFTER,
    )
    return ApiOperation(
        f"/{kind}",
        summary,
        _build_list_handler(kind, build_list, facets),
        kind,
        get_item_type_of_document_kind(kind),
        takes,
        permissions=permissions,
        command=kind,
    )


_STATE = ApiParameter(
    "owner-state",
    "Only items with this ownership status.",
    inventory_list_definitions.OWNER_STATES,
)
_KIND = ApiParameter(
    "kind", "Only this kind; the error about an unknown kind lists those of the store."
)
_TRANSPORT = ApiParameter("kind", "Only tools with this transport.", TRANSPORTS)
_RUNS = inventory_list_definitions.RUN_MODES


def _get_owner(
    cache: StoreCache, _visitor: Visitor, params: OperationParams
) -> Document:
    """Return the owner of a subject with the evidence for each candidate."""
    view = cache.current_view()
    return ownership.show_owner(view.inventory, params["id"], now=view.at)


def _show_subject(
    cache: StoreCache, visitor: Visitor, params: OperationParams
) -> Document:
    """Return the facts and links of one thing; activity is limited to what is visible."""
    scope, now = build_search_scope(cache, visitor), get_current_minute(cache)
    with cache.open_store() as store:
        return show_subject(store, scope, params["id"], cache.spools, now=now)


def _get_pin_diff(
    cache: StoreCache, _visitor: Visitor, params: OperationParams
) -> Document:
    """Return how tool definitions differ from their approved pins."""
    config = cache.config
    state = gateway_state(config, cache.root) if config else cache.root / "gateway"
    files = PinFiles(state)
    known = {name: files.read_pins(name) for name in files.list_servers()}
    wanted = params.get("server", "")
    shown = [each for each in known if wanted in ("", each)]
    with cache.open_store() as store:
        words = tool_pins.read_signed_approvals(store, cache.now)
    return tool_pins.show_definition_differences(
        known, shown, words, include_unchanged=is_flag_set(params, "all")
    )


def _list_snapshots(
    cache: StoreCache, _visitor: Visitor, _params: OperationParams
) -> Document:
    """List the stored inventory snapshots, newest first."""
    view = cache.current_view()
    with cache.open_store() as store:
        named, logged = snapshots.list_snapshots(store), store.list_objects("snapshot")
    items: list[SnapshotItem] = [
        {"name": each.name, "at": format_time(at.at), "digest": each.digest}
        for each, at in zip(named, logged, strict=True)
    ]
    coverage = answer_coverage.build_coverage(view.inventory, view.at)
    return Document("snapshots", items[::-1], coverage)


def _get_coverage(
    cache: StoreCache, _visitor: Visitor, _params: OperationParams
) -> Document:
    """Return the scanned sources with their age and problems."""
    view = cache.current_view()
    coverage = answer_coverage.build_coverage(view.inventory, view.at)
    return Document("coverage", coverage["sources"], coverage)


OPERATIONS: tuple[ApiOperation, ...] = (
    _build_list_operation(
        "agents",
        "Agents with their tools, credentials and identities.",
        inventory_list_definitions.agents,
        (
            _STATE,
            _KIND,
            ApiParameter(
                "runs",
                "Only agents whose calls a person approves, or unattended agents.",
                _RUNS,
            ),
        ),
    ),
    _build_list_operation(
        "identities",
        "Identities, with the agents and credentials that reach each.",
        inventory_list_definitions.identities,
        (
            _STATE,
            _KIND,
            ApiParameter(
                "agents",
                "Return only identities that agents can use, or only those that no "
                "agent can use.",
                ("some", "none"),
            ),
        ),
    ),
    _build_list_operation(
        "credentials",
        "Credentials with all locations; never a value.",
        inventory_list_definitions.credentials,
        (
            _STATE,
            _KIND,
            ApiParameter(
                "lifetime",
                "Only credentials with this lifetime.",
                inventory_list_definitions.LIFETIMES,
            ),
        ),
    ),
    _build_list_operation(
        "tools",
        "Tools of every agent; `kind` is the transport.",
        inventory_list_definitions.tools,
        (
            _STATE,
            _TRANSPORT,
            ApiParameter("runs", "How calls run.", (*_RUNS, "disabled")),
        ),
    ),
    _build_list_operation(
        "people",
        "People and teams, with the entities that they own.",
        inventory_list_definitions.people,
        (
            ApiParameter("kind", "Only these.", ("person", "team")),
            ApiParameter("here", "Only owners with this status.", ("here", "left")),
            ApiParameter(
                "owns",
                "Only people who own an entity, or who own none.",
                ("some", "none"),
            ),
        ),
    ),
    _build_list_operation(
        "findings",
        "Defects, most severe first, and rules that could not be evaluated.",
        findings.findings,
        (
            ApiParameter(
                "severity", "Only findings of this severity.", findings.SEVERITIES
            ),
            ApiParameter("state", "Only findings in this state.", findings.STATES),
            ApiParameter("rule", "Only findings of this rule.", tuple(RULES_BY_ID)),
            ApiParameter("platform", "Only findings of this platform.", PLATFORMS),
            _STATE,
        ),
        findings.FINDING_PERMISSIONS,
    ),
    ApiOperation(
        "/who-owns",
        "Owner of an agent, identity or credential, with the evidence.",
        _get_owner,
        "who-owns",
        OwnershipItem,
        (ApiParameter("id", "An id, an ARN or an unambiguous name.", required=True),),
        command="who-owns ID",
    ),
    ApiOperation(
        "/show",
        "One agent, tool, identity, credential, person, resource, event or decision, "
        "with all its relations.",
        _show_subject,
        "show",
        ShowItem,
        (ApiParameter("id", "An id, ARN, URI or unambiguous name.", required=True),),
        varies_with_time=True,
        command="show ID",
    ),
    ApiOperation(
        "/tools/diff",
        "Unapproved changes of tool definitions, by server.",
        _get_pin_diff,
        "tools-diff",
        DefinitionDiffItem,
        (
            ApiParameter("server", "Only this server."),
            flag_parameter("all", "Include unchanged definitions."),
        ),
        varies_with_time=True,
        command="tools diff",
    ),
    ApiOperation(
        "/snapshots",
        "Stored scans, newest first.",
        _list_snapshots,
        "snapshots",
        SnapshotItem,
    ),
    ApiOperation(
        "/coverage",
        "Sources of the inventory, with their age and completeness.",
        _get_coverage,
        "coverage",
        CoverageSourceItem,
    ),
)
