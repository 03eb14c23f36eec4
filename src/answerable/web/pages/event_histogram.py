"""Return event counts over time as JSON; redirect a chart selection to its query."""

from answerable.lineage.search_query import parse_search_query
from answerable.model.documents.shared_shapes import Document
from answerable.model.errors import UsageError
from answerable.model.time_units import SECOND_NS
from answerable.presentation.answer_coverage import build_coverage, format_time
from answerable.web.activity_scope import (
    ACTIVITY_PERMISSIONS,
    build_search_scope,
    count_scope_over_time,
)
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

_MOST_DIGITS = 11


def count_events(
    cache: StoreCache, visitor: Visitor, request: RouteRequest
) -> RouteAnswer:
    """Count the matching events per time span, empty spans included."""
    scope = build_search_scope(cache, visitor)
    query = parse_search_query(request.query.get("q", ""))
    histogram = count_scope_over_time(cache, scope, query)
    counts = {bar.at: bar.events for bar in histogram.bars}
    outcomes = [
        name for name in OUTCOMES if any(name in each for each in counts.values())
    ]
    items = [
        {
            "at": at // SECOND_NS,
            **{name: counts.get(at, {}).get(name, 0) for name in outcomes},
        }
        for at in range(histogram.since, histogram.until, histogram.width)
    ]
    coverage = build_coverage(scope.inventory, cache.now)
    return DocumentAnswer(Document("times", items if counts else [], coverage))


def redirect_to_span(
    cache: StoreCache, visitor: Visitor, request: RouteRequest
) -> RouteAnswer:
    """Redirect to the query limited to a time span, given in UTC seconds."""
    query = parse_search_query(request.query.get("q", ""))
    for field in ("since", "until"):
        seconds = request.query.get(field, "")
        if not (
            seconds.isascii() and seconds.isdigit() and len(seconds) <= _MOST_DIGITS
        ):
            raise UsageError(f"invalid time (got {seconds[:20]!r}, expected seconds)")
        query = query.with_field(field, format_time(int(seconds) * SECOND_NS))
    return Redirect(build_url("/trace", q=query.format_as_text))


ROUTES: tuple[WebRoute, ...] = (
    WebRoute("/trace/times", count_events, ACTIVITY_PERMISSIONS, ("q",)),
    WebRoute(
        "/trace/span", redirect_to_span, ACTIVITY_PERMISSIONS, ("q", "since", "until")
    ),
)
