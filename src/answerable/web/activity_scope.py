"""Limit activity queries to the agents and identities that a visitor may see."""

from answerable.lineage.search_query import SearchQuery
from answerable.services.lineage.lineage_search import (
    EventHistogram,
    SearchScope,
    build_search_filter,
    parse_time_range,
)
from answerable.store.investigation_queries import count_events_matching
from answerable.usecases.lineage.search_events import count_over_time
from answerable.web.routing import PageAnswer
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import Visitor, WebPermission

_MINUTE = 60 * 10**9
ACTIVITY_PERMISSIONS = frozenset({WebPermission.INVESTIGATE, WebPermission.OWN})


def get_visible_subjects(visitor: Visitor) -> frozenset[str] | None:
    """Return the ids whose activity the visitor may see; None for every id."""
    return None if WebPermission.INVESTIGATE in visitor.may else visitor.owns


def count_scope_events(
    cache: StoreCache, scope: SearchScope, query: SearchQuery
) -> int:
    """Count the events of a query, once for each version of the store."""
    since, until = _parse_counted_range(cache, query)

    def count() -> int:
        found = build_search_filter(scope, query, since=since, until=until)
        with cache.open_store() as store:
            return count_events_matching(store, found)

    key = (cache.version(), since, until, scope.visible_agents, query.format_as_text)
    return cache.totals.get(key, count)


def count_scope_over_time(
    cache: StoreCache, scope: SearchScope, query: SearchQuery
) -> EventHistogram:
    """Count the events of a query over time, once for each version of the store."""
    since, until = _parse_counted_range(cache, query)

    def count() -> EventHistogram:
        found = build_search_filter(scope, query, since=since, until=until)
        with cache.open_store() as store:
            return count_over_time(store, found)

    key = (cache.version(), since, until, scope.visible_agents, query.format_as_text)
    return cache.histograms.get(key, count)


def _parse_counted_range(cache: StoreCache, query: SearchQuery) -> tuple[int, int]:
    """Parse the time range of a query; a relative time is that of the last minute.

    So a page reads the count of another one.
    """
    return parse_time_range(query, cache.now // _MINUTE * _MINUTE)


def build_counting_page(query: SearchQuery, total: int, view: str) -> PageAnswer:
    """Build the page of an answer over so many events that a thread computes it."""
    values = {
        "text": query.format_as_text,
        "total": total,
        "view": view,
        "permalink": "",
        "coverage": None,
    }
    return PageAnswer("trace-counting.html", "Investigation", values)


def build_search_scope(cache: StoreCache, visitor: Visitor) -> SearchScope:
    """Build the search scope of activity: inventory, chains, visible subjects."""
    view = cache.current_view()
    return SearchScope(view.inventory, view.chains, get_visible_subjects(visitor))
