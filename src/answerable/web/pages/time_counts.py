"""Event counts over time as a document, and redirects to a time span."""

from answerable.lineage.search_query import parse_query
from answerable.model.documents.core import Document
from answerable.model.errors import UsageError
from answerable.presentation.inventory_lists import build_coverage, format_time
from answerable.services.lineage import row_search as flow
from answerable.usecases.lineage import search
from answerable.web.activity_scope import ACTIVITY_PERMISSIONS, build_scope
from answerable.web.routing import (
    DocumentAnswer,
    Redirect,
    RouteAnswer,
    RouteRequest,
    WebRoute,
)
from answerable.web.store_cache import StoreCache
from answerable.web.svg.timeline import OUTCOMES
from answerable.web.template_filters import build_url
from answerable.web.visitor import Visitor

_SECOND = 1_000_000_000
_MOST_DIGITS = 11


def count_events(desk: StoreCache, visit: Visitor, asked: RouteRequest) -> RouteAnswer:
    """Count the events of a query per span, empty spans included."""
    around = build_scope(desk, visit)
    wanted = flow.build_event_filter(
        around, parse_query(asked.query.get("q", "")), now=desk.now
    )
    with desk.open_store() as store:
        found = search.count_over_time(store, wanted)
    counts = {bar.at: bar.events for bar in found.bars}
    told = [name for name in OUTCOMES if any(name in each for each in counts.values())]
    items = [
        {
            "at": at // _SECOND,
            **{name: counts.get(at, {}).get(name, 0) for name in told},
        }
        for at in range(found.since, found.until, found.width)
    ]
    rests_on = build_coverage(around.inventory, desk.now)
    return DocumentAnswer(Document("times", items if counts else [], rests_on))


def redirect_to_span(
    desk: StoreCache, visit: Visitor, asked: RouteRequest
) -> RouteAnswer:
    """Redirect to the same query within a span, given in UTC seconds."""
    query = parse_query(asked.query.get("q", ""))
    for field in ("since", "until"):
        said = asked.query.get(field, "")
        if not (said.isascii() and said.isdigit() and len(said) <= _MOST_DIGITS):
            raise UsageError(f"no time (got {said[:20]!r}, expected seconds)")
        query = query.with_field(field, format_time(int(said) * _SECOND))
    return Redirect(build_url("/trace", q=query.to_text))


ROUTES: tuple[WebRoute, ...] = (
    WebRoute("/trace/times", count_events, ACTIVITY_PERMISSIONS, ("q",)),
    WebRoute(
        "/trace/span", redirect_to_span, ACTIVITY_PERMISSIONS, ("q", "since", "until")
    ),
)
