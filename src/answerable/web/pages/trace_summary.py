"""Pages `/trace/chains` (events by chain) and `/trace/compare` (two time windows)."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from answerable.lineage.search_query import HOPS, SearchQuery, parse_search_query
from answerable.model.documents.shared_shapes import Document
from answerable.model.documents.web import ChainSummaryItem, EventFacetItem
from answerable.model.errors import UsageError
from answerable.presentation.answer_coverage import format_time
from answerable.presentation.time_input import parse_window
from answerable.services.lineage import lineage_search
from answerable.services.lineage.trace_query import build_trace_query
from answerable.services.lineage.trace_rows import build_trace_coverage
from answerable.usecases.lineage import compare_windows
from answerable.usecases.lineage.summarize_events import (
    FACETS,
    EventSummary,
    summarize_events,
)
from answerable.web.activity_scope import (
    ACTIVITY_PERMISSIONS,
    build_counting_page,
    build_search_scope,
    count_scope_events,
)
from answerable.web.pages.investigation import build_query_error
from answerable.web.routing import PageAnswer, RouteAnswer, RouteRequest, WebRoute
from answerable.web.store_cache import StoreCache
from answerable.web.template_filters import build_url
from answerable.web.visitor import Visitor, WebPermission

_MAX_CHAINS = 50
_MAX_ACTIONS = 12  # actions of a chain that its row unfolds
_SHOWN_VALUES = 6  # values of a facet that are shown unfolded
_MAX_CHANGES = 200
_LATER, _EARLIER = "7d", "14d..7d"
SHOW_OWN = "shown"
ORDERS = ("events", "denied", "last", "first")
FIRST_SEEN, COMPARE = "first-seen", "compare"


class FacetValue(NamedTuple):
    """One value of a facet with its link; an empty link if no query selects it."""

    item: EventFacetItem
    link: str
    is_selected: bool


class Facet(NamedTuple):
    """A field with its most frequent values, and links that select one.

    Attributes:
        more: Further values, shown when unfolded.
        total: Number of its values.
        cleared: Link without a selected value, empty if none is selected.
    """

    field: str
    shown: Sequence[FacetValue]
    more: Sequence[FacetValue]
    total: int
    cleared: str


class ChainSummaryRow(NamedTuple):
    """A chain with links to its events, and to those of each action."""

    item: ChainSummaryItem
    link: str
    actions: Sequence[tuple[Mapping[str, object], str]]
    more_actions: int


def summarize(
    cache: StoreCache, visitor: Visitor, query: SearchQuery, *, with_own: bool
) -> EventSummary:
    """Summarize the events of a query that a visitor may see."""
    scope = build_search_scope(cache, visitor)
    event_filter = lineage_search.build_event_filter(scope, query, now=cache.now)
    with cache.open_store() as store:
        return summarize_events(
            store, scope.chains, event_filter, with_own_protocols=with_own
        )


def show_chains(
    cache: StoreCache, visitor: Visitor, request: RouteRequest
) -> RouteAnswer:
    """Show all chains of a query with counts, and facets that narrow the query."""
    text, own = request.query.get("q", ""), request.query.get("own", "")
    order = request.query.get("sort", "") or ORDERS[0]
    try:
        query = parse_search_query(text)
        if order not in ORDERS:
            raise UsageError(
                f"unknown order (got {order[:40]!r}, expected {', '.join(ORDERS)})"
            )
        scope = build_search_scope(cache, visitor)
        with_own = own == SHOW_OWN
        total = count_scope_events(cache, scope, query)
        answer = cache.background_answers.get_or_start(
            cache,
            ("chains", query.format_as_text, with_own, scope.visible_agents),
            total,
            lambda cache: summarize(cache, visitor, query, with_own=with_own),
        )
    except UsageError as error:
        return build_query_error(text, error)
    if answer is None:
        return build_counting_page(query, total, "Chains")
    found = answer.value
    ordered = sort_chains(found.chains, order)
    written = query.format_as_text
    values = {
        "text": text,
        "query": query,
        "found": found,
        "rows": [_build_row(query, item) for item in ordered[:_MAX_CHAINS]],
        "facets": _build_facets(query, found, own),
        "orders": [
            (name, build_url("/trace/chains", q=written, own=own, sort=name))
            for name in ORDERS
        ],
        "order": order,
        "own_link": build_url(
            "/trace/chains", q=written, own="" if own else SHOW_OWN, sort=order
        ),
        "own_shown": own == SHOW_OWN,
        "counted_at": format_time(answer.at),
        "permalink": build_url("/trace/chains", q=written, own=own, sort=order),
        "coverage": build_trace_coverage(scope.inventory, scope.chains, cache.now),
    }
    return PageAnswer("trace-chains.html", "Chains", values)


def sort_chains(
    chains: Sequence[ChainSummaryItem], order: str
) -> Sequence[ChainSummaryItem]:
    """Sort chains by a count, largest first, or by a time, newest first."""
    match order:
        case "denied":
            return sorted(chains, key=lambda item: -item["denied"])
        case "first":
            return sorted(chains, key=lambda item: item["first"], reverse=True)
        case "last":
            return sorted(chains, key=lambda item: item["last"], reverse=True)
        case _:
            return chains


def _build_row(query: SearchQuery, item: ChainSummaryItem) -> ChainSummaryRow:
    """Build the row of a chain with its links."""
    narrowed = query
    for name in HOPS:
        hop = item[name]  # type: ignore[literal-required]  # a hop's name
        narrowed = _select_field_value(narrowed, name, hop["value"] or None)
    actions = [
        (action, _events_url(narrowed.with_field("action", action["action"])))
        for action in item["actions"][:_MAX_ACTIONS]
    ]
    return ChainSummaryRow(
        item, _events_url(narrowed), actions, len(item["actions"]) - len(actions)
    )


def _events_url(query: SearchQuery) -> str:
    """Return the link to the events of a query."""
    return build_url("/trace", q=query.format_as_text)


def _select_field_value(
    query: SearchQuery, name: str, value: str | None
) -> SearchQuery:
    """Return the query with one value of a field; a missing hop by its status.

    A query holds one status, so that of a second missing hop is left out.
    """
    if value is not None:
        return query.with_field(name, value)
    if name in HOPS and not query.get_field_value("status"):
        return query.with_field("status", f"{name}=missing")
    return query


def _build_facets(query: SearchQuery, found: EventSummary, own: str) -> list[Facet]:
    """Build the facets, each value with the query that selects it."""
    facets: list[Facet] = []
    for name in FACETS:
        values: list[FacetValue] = []
        for item in found.facets:
            if item["field"] == name:
                narrowed = _select_field_value(query, name, item["value"])
                link = build_url("/trace/chains", q=narrowed.format_as_text, own=own)
                is_selected = query.get_field_value(name) == item["value"]
                usable = narrowed != query and not is_selected
                values.append(FacetValue(item, link if usable else "", is_selected))
        without = query.with_field(name, "").format_as_text
        cleared = build_url("/trace/chains", q=without, own=own)
        facets.append(
            Facet(
                name,
                values[:_SHOWN_VALUES],
                values[_SHOWN_VALUES:],
                found.values[name],
                cleared if query.get_field_value(name) else "",
            )
        )
    return facets


def compare(
    cache: StoreCache, visitor: Visitor, query: SearchQuery, view: str, by: str, at: str
) -> Document:
    """Compare the window of a query with an earlier one, or list its new values.

    Args:
        view: `first-seen`, or `compare` for changed counts.
        by: Fields to count by; empty for those of the command.
        at: Earlier window, `A..B`; empty for all records before.
    """
    scope = build_search_scope(cache, visitor)
    if not query.get_field_value("since"):
        query = query.with_field("since", _LATER)
    now = cache.now  # both windows are relative to one time
    question = build_trace_query(query, now, _MAX_CHANGES)
    earlier = parse_window(at, now) if at else None
    with cache.open_store() as store:
        if view != COMPARE or earlier is None:
            return compare_windows.list_first_seen(
                store, question, by, earlier, now=now, loaded=scope
            )
        return compare_windows.compare_windows(
            store, question, by, earlier, now=now, loaded=scope
        )


def show_comparison(
    cache: StoreCache, visitor: Visitor, request: RouteRequest
) -> RouteAnswer:
    """Show the values or counts of a window that an earlier window does not have."""
    text, by = request.query.get("q", ""), request.query.get("by", "")
    view = request.query.get("view", "") or FIRST_SEEN
    earlier = request.query.get("earlier", "")
    if view == COMPARE:
        earlier = earlier or _EARLIER
    document, problem, query = None, None, SearchQuery()
    try:
        query = parse_search_query(text)
        if view not in (FIRST_SEEN, COMPARE):
            raise UsageError(f"unknown view (got {view[:40]!r}, expected {COMPARE})")
        document = compare(cache, visitor, query, view, by, earlier)
    except UsageError as error:
        problem = error
    values = {
        "text": text,
        "view": view,
        "by": by,
        "earlier": earlier,
        "later": query.get_field_value("since") or _LATER,
        "until": query.get_field_value("until"),
        "problem": problem,
        "document": document,
        "rows": [(item, _change_url(query, item)) for item in document.items]
        if document
        else [],
        "fields": [
            name
            for name in _COMPARED
            if document and document.items and name in document.items[0]
        ],
        "permalink": build_url(
            "/trace/compare", q=text, view=view, by=by, earlier=earlier
        ),
        "coverage": document.coverage if document else None,
    }
    return PageAnswer(
        "trace-compare.html",
        "Compare two windows",
        values,
        status=400 if problem else 200,
    )


_COMPARED = (*HOPS, "action", "resource", "outcome", "source", "day")


def _change_url(query: SearchQuery, item: Mapping[str, object]) -> str:
    """Return the link to the events of a changed value in the later window."""
    if not query.get_field_value("since"):
        query = query.with_field("since", _LATER)
    if "field" in item:
        return _events_url(query.with_field(str(item["field"]), str(item["value"])))
    for name in _COMPARED:
        value = item.get(name)
        if name in item and name != "day":
            query = _select_field_value(
                query, name, None if value is None else str(value)
            )
    return _events_url(query)


ROUTES: tuple[WebRoute, ...] = (
    WebRoute("/trace/chains", show_chains, ACTIVITY_PERMISSIONS, ("q", "own", "sort")),
    WebRoute(
        "/trace/compare",
        show_comparison,
        frozenset({WebPermission.INVESTIGATE}),
        ("q", "view", "by", "earlier"),
    ),
)
