"""Page `/trace/chains`: the events of a query by chain, with facets."""

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from itertools import accumulate
from typing import NamedTuple

from answerable.lineage.search_query import HOPS, SearchQuery, parse_search_query
from answerable.model.documents.web import ChainSummaryItem, EventFacetItem
from answerable.model.errors import UsageError
from answerable.presentation.answer_coverage import format_time
from answerable.services.lineage import lineage_search
from answerable.services.lineage.lineage_search import SearchScope
from answerable.services.lineage.trace_rows import build_trace_coverage
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
from answerable.web.visitor import Visitor

_MAX_CHAINS = 50
_MAX_ACTIONS = 12  # actions of a chain that its row unfolds
_MAX_ACTIONS_ALONE = 100  # actions of the only chain
_SHOWN_VALUES = 6  # values of a facet that are shown unfolded
# A page has at most 200 KiB: what the facets leave, chains and then actions may take.
_PAGE_BYTES, _FACET_BYTES = 180_000, 6_000  # the second of each facet
_CHAIN_BYTES, _ACTION_BYTES, _VALUE_BYTES = 2_900, 620, 160
SHOW_OWN = "shown"
ORDERS = ("events", "denied", "last", "first")


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
    """A chain with links to its events, and to those of each action.

    Attributes:
        query: The query of its events.
        more_link: The chain alone, with more of its actions.
    """

    item: ChainSummaryItem
    query: SearchQuery
    link: str
    actions: Sequence[tuple[Mapping[str, object], str]]
    more_actions: int
    more_link: str


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


def summarize_once(
    cache: StoreCache, visitor: Visitor, query: SearchQuery, *, with_own: bool
) -> EventSummary:
    """Summarize the events of a query, once for each version of a large store."""
    if query.get_field_value("since") or query.get_field_value("until"):
        return summarize(cache, visitor, query, with_own=with_own)
    scope = build_search_scope(cache, visitor)
    return cache.background_answers.get_or_compute(
        cache,
        _get_question(query, with_own, scope),
        count_scope_events(cache, scope, query),
        lambda cache: summarize(cache, visitor, query, with_own=with_own),
    )


def _get_question(query: SearchQuery, with_own: bool, scope: SearchScope) -> Hashable:
    """Return the key of the summary of a query in a scope."""
    return ("chains", query.format_as_text, with_own, scope.visible_agents)


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
            _get_question(query, with_own, scope),
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
    facets = _build_facets(query, found, own)
    space = _PAGE_BYTES - sum(map(_estimate_facet, facets))
    values = {
        "text": text,
        "query": query,
        "found": found,
        "rows": _build_rows(query, ordered, own, space),
        "facets": facets,
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


def _build_rows(
    query: SearchQuery, chains: Sequence[ChainSummaryItem], own: str, space: int
) -> list[ChainSummaryRow]:
    """Build rows of the first chains, as many as fit; then add their actions.

    Args:
        space: Bytes that the rows may take.
    """
    rows: list[ChainSummaryRow] = []
    by_values: dict[tuple[str, ...], list[ChainSummaryItem]] = defaultdict(list)
    for item in chains:
        by_values[_list_hop_values(item)].append(item)
    for item in chains[:_MAX_CHAINS]:
        same = by_values[_list_hop_values(item)]
        row = _build_row(_narrow_to_chain(query, item, same), item, own)
        space -= _estimate_row(row)
        if rows and space < 0:
            break
        rows.append(row)
    limit = _MAX_ACTIONS if len(chains) > 1 else _MAX_ACTIONS_ALONE
    for at, row in enumerate(rows):
        narrowed = row.query
        actions = list(row.actions)
        for action in row.item["actions"][len(actions) : limit]:
            to = build_events_url(narrowed.with_field("action", action["action"]))
            space -= _estimate_action(action["resource"], to)
            if space < 0:
                return rows
            actions.append((action, to))
            more = len(row.item["actions"]) - len(actions)
            rows[at] = row._replace(actions=tuple(actions), more_actions=more)
    return rows


def _build_row(query: SearchQuery, item: ChainSummaryItem, own: str) -> ChainSummaryRow:
    """Build the row of a chain with its links, and with its first action.

    Args:
        query: The query of the events of this chain.
    """
    actions = [
        (action, build_events_url(query.with_field("action", action["action"])))
        for action in item["actions"][:1]
    ]
    return ChainSummaryRow(
        item,
        query,
        build_events_url(query),
        actions,
        len(item["actions"]) - len(actions),
        build_url("/trace/chains", q=query.format_as_text, own=own),
    )


def _list_hop_values(item: ChainSummaryItem) -> tuple[str, ...]:
    """Return the values of the hops of a chain."""
    return tuple(item[name]["value"] for name in HOPS)  # type: ignore[literal-required]


def _narrow_to_chain(
    query: SearchQuery, item: ChainSummaryItem, same: Sequence[ChainSummaryItem]
) -> SearchQuery:
    """Return the query with the hops of a chain.

    Args:
        same: Chains with these hops; they can differ by the status of one.
    """
    for name in HOPS:
        hop = item[name]  # type: ignore[literal-required]  # a hop's name
        query = select_field_value(query, name, hop["value"] or None)
        alike = [e for e in same if e[name]["status"] == hop["status"]]  # type: ignore[literal-required]
        if len(alike) < len(same) and not query.get_field_value("status"):
            query = query.with_field("status", f"{name}={hop['status']}")
    return query


def _estimate_row(row: ChainSummaryRow) -> int:
    """Estimate the bytes of a row: each value occurs in links, titles and texts."""
    hops = [row.item[name] for name in HOPS]  # type: ignore[literal-required]
    values = sum(6 * len(hop["value"]) + 2 * len(hop["source"]) for hop in hops)
    paths = [*row.item["agent_path"], *row.item["identity_path"]]
    links = len(row.link) + len(row.more_link)
    actions = sum(_estimate_action(str(a["resource"]), to) for a, to in row.actions)
    return _CHAIN_BYTES + values + 4 * sum(map(len, paths)) + links + actions


def _estimate_action(resource: str, link: str) -> int:
    """Estimate the bytes of an action."""
    return _ACTION_BYTES + 2 * len(resource) + len(link)


def _estimate_facet(facet: Facet) -> int:
    """Estimate the bytes of a facet."""
    return sum(map(_estimate_value, (*facet.shown, *facet.more)))


def _estimate_value(value: FacetValue) -> int:
    """Estimate the bytes of a value of a facet."""
    return _VALUE_BYTES + 2 * len(value.item["value"] or "") + len(value.link)


def build_events_url(query: SearchQuery) -> str:
    """Return the link to the events of a query."""
    return build_url("/trace", q=query.format_as_text)


def select_field_value(query: SearchQuery, name: str, value: str | None) -> SearchQuery:
    """Return the query with exactly one value of a field; None is a missing hop."""
    if name in HOPS:
        return query.with_field(name, f"={value or ''}")
    return query if value is None else query.with_field(name, value)


def _build_facets(query: SearchQuery, found: EventSummary, own: str) -> list[Facet]:
    """Build the facets, each value with the query that selects it."""
    facets: list[Facet] = []
    for name in FACETS:
        values: list[FacetValue] = []
        for item in found.facets:
            if item["field"] == name:
                narrowed = select_field_value(query, name, item["value"])
                link = build_url("/trace/chains", q=narrowed.format_as_text, own=own)
                is_selected = query.get_field_value(name) in (
                    item["value"],
                    f"={item['value'] or ''}",
                )
                usable = narrowed != query and not is_selected
                values.append(FacetValue(item, link if usable else "", is_selected))
        costs = accumulate(map(_estimate_value, values))
        fitting = sum(cost <= _FACET_BYTES for cost in costs)
        values = values[: max(fitting, _SHOWN_VALUES)]
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


ROUTES: tuple[WebRoute, ...] = (
    WebRoute("/trace/chains", show_chains, ACTIVITY_PERMISSIONS, ("q", "own", "sort")),
)
