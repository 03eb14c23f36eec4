"""Page `/trace/compare`: values and counts of a time window that an earlier one lacks."""

from collections.abc import Mapping

from answerable.lineage.search_query import HOPS, SearchQuery, parse_search_query
from answerable.model.documents.shared_shapes import Document
from answerable.model.errors import UsageError
from answerable.presentation.answer_coverage import format_time
from answerable.presentation.time_input import parse_window
from answerable.services.lineage.trace_query import build_trace_query
from answerable.usecases.lineage import compare_windows
from answerable.web.activity_scope import (
    build_counting_page,
    build_search_scope,
    count_scope_events,
)
from answerable.web.pages.trace_summary import build_events_url, select_field_value
from answerable.web.routing import PageAnswer, RouteAnswer, RouteRequest, WebRoute
from answerable.web.store_cache import StoreCache
from answerable.web.template_filters import build_url
from answerable.web.visitor import Visitor, WebPermission

_MAX_CHANGES = 200
_LATER, _EARLIER = "7d", "14d..7d"
FIRST_SEEN, COMPARE = "first-seen", "compare"


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
    problem: UsageError | None = None
    query = SearchQuery()
    try:
        query = parse_search_query(text)
        if view not in (FIRST_SEEN, COMPARE):
            raise UsageError(f"unknown view (got {view[:40]!r}, expected {COMPARE})")
        scope = build_search_scope(cache, visitor)
        # An earlier window begins before that of the query.
        whole = query.with_field("since", "").with_field("until", "")
        total = count_scope_events(cache, scope, whole)
        answer = cache.background_answers.get_or_start(
            cache,
            ("compare", query.format_as_text, view, by, earlier, scope.visible_agents),
            total,
            lambda cache: compare(cache, visitor, query, view, by, earlier),
        )
        if answer is None:
            return build_counting_page(query, total, "Compare")
    except UsageError as error:
        problem, answer = error, None
    document = answer.value if answer else None
    values = {
        "text": text,
        "view": view,
        "by": by,
        "earlier": earlier,
        "later": query.get_field_value("since") or _LATER,
        "until": query.get_field_value("until"),
        "problem": problem,
        "document": document,
        "counted_at": format_time(answer.at) if answer else "",
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
        return build_events_url(
            select_field_value(query, str(item["field"]), str(item["value"]))
        )
    for name in _COMPARED:
        value = item.get(name)
        if name in item and name != "day":
            query = select_field_value(
                query, name, None if value is None else str(value)
            )
    return build_events_url(query)


ROUTES: tuple[WebRoute, ...] = (
    WebRoute(
        "/trace/compare",
        show_comparison,
        frozenset({WebPermission.INVESTIGATE}),
        ("q", "view", "by", "earlier"),
    ),
)
