"""Warm up the caches at start, so that the first request of each page is fast.

It calls the page handlers for an internal visitor and discards the answers.
"""

import logging
from collections.abc import Iterator

from answerable.model.errors import AnswerableError
from answerable.store import investigation_queries
from answerable.store.event_queries import EventFilter
from answerable.store.investigation_queries import InvestigationFilter
from answerable.web import template_rendering
from answerable.web.http.responses import build_response
from answerable.web.pages import findings, inventory_list_definitions
from answerable.web.route_table import ROUTES
from answerable.web.routing import Forbidden, RouteRequest
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import Visitor, WebRole

_INTERNAL_VISITOR = Visitor(None, frozenset(WebRole))
_WARM_PATHS = (
    "/",
    "/agents",
    "/identities",
    "/credentials",
    "/people",
    "/tools",
    "/decisions",
    "/asks",
    "/baselines",
    "/evidence",
)
_SAMPLE_ACTION = "s3:GetObject"
_logger = logging.getLogger(__name__)


def warm_up(cache: StoreCache) -> None:
    """Build the derived data and render each kind of page once.

    Raises:
        AnswerableError: The store cannot be read.
    """
    cache.current_view()
    findings.get_findings_or_start(cache)
    template_rendering.compile_templates()
    pages = {each.path: each.handler for each in ROUTES if each.method == "GET"}
    for path, query in _list_sample_requests(cache):
        request = RouteRequest(query, url=path)
        try:
            build_response(
                pages[path](cache, _INTERNAL_VISITOR, request),
                _INTERNAL_VISITOR,
                request,
            )
        except (AnswerableError, Forbidden) as error:
            _logger.debug("%s could not be warmed up: %s", path, error)


def _list_sample_requests(cache: StoreCache) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield path and query of one sample request for each kind of page."""
    yield from ((path, {}) for path in _WARM_PATHS)
    yield from (("/trace", {"q": query}) for query in ("", "parquet"))
    yield "/search", {"q": "parquet"}
    for path, list_items in (
        ("/agent", inventory_list_definitions.agents),
        ("/identity", inventory_list_definitions.identities),
        ("/credential", inventory_list_definitions.credentials),
        ("/person", inventory_list_definitions.people),
    ):
        for key in list(list_items(cache).by_key)[:1]:
            yield path, {"id": key}
    with cache.open_store() as store:
        events = investigation_queries.find_newest_events(
            store, InvestigationFilter(EventFilter()), 1
        )
    for event in events:
        yield "/event", {"id": event.event_id.hex()}
        yield "/proof", {"id": event.event_id.hex()}
    subject = next(iter(inventory_list_definitions.agents(cache).by_key), "")
    subject = subject or next(
        iter(inventory_list_definitions.identities(cache).by_key), ""
    )
    if subject:
        call = {
            "action": _SAMPLE_ACTION,
            "resource": "arn:aws:s3:::answerable-is-asked/one",
        }
        yield "/reach", {"subject": subject}
        yield "/can", {"subject": subject, **call}
        yield "/who-can", call
