"""`/decisions`: decisions, newest first, with a live stream."""

from collections.abc import Mapping

from answerable.model.decision import DecisionEffect, DecisionReason
from answerable.store.decision_queries import DecisionFilter as Wanted
from answerable.usecases.authorization.list_decisions import (
    list_decisions,
    parse_position,
)
from answerable.web.routing import PageAnswer, RouteAnswer, RouteRequest, WebRoute
from answerable.web.store_cache import StoreCache
from answerable.web.template_filters import build_url
from answerable.web.visitor import Visitor, WebPermission

PAGE_SIZE = 50
DECISION_FILTERS = ("agent", "effect", "reason")
EFFECTS = tuple(each.value for each in DecisionEffect)
REASONS = tuple(each.value for each in DecisionReason)


def show_decisions(
    desk: StoreCache, visit: Visitor, asked: RouteRequest
) -> RouteAnswer:
    """List the newest decisions that the visitor may see."""
    query = asked.query
    wanted = build_filter(visit, query, parse_position(query.get("before", "")))
    with desk.open_store() as store:
        document, after = list_decisions(
            store, desk.spools, wanted, limit=PAGE_SIZE, now=desk.now
        )
    kept = {name: query[name] for name in DECISION_FILTERS if name in query}
    values = {
        "items": document.items,
        "total": document.total if document.total >= 0 else len(document.items),
        "unread": document.coverage["not_collected"],
        "query": {name: query.get(name, "") for name in DECISION_FILTERS},
        "effects": EFFECTS,
        "reasons": REASONS,
        "older": build_url("/decisions", before=after, **kept) if after else "",
        "newest": build_url("/decisions", **kept),
        "live": "" if "before" in query else build_url("/live", **kept),
        "watched": desk.spools != (),
    }
    return PageAnswer("decisions.html", "Decisions", values)


def build_filter(
    visit: Visitor, query: Mapping[str, str], before: tuple[int, bytes] = (0, b"")
) -> Wanted:
    """Build the filter of decisions from the query and the visitor's scope."""
    return Wanted(
        of=None if WebPermission.INVESTIGATE in visit.may else visit.owns,
        agent=query.get("agent", ""),
        effect=query.get("effect", ""),
        reason=query.get("reason", ""),
        before=before,
    )


ROUTES: tuple[WebRoute, ...] = (
    WebRoute(
        "/decisions",
        show_decisions,
        frozenset({WebPermission.INVESTIGATE, WebPermission.OWN}),
        (*DECISION_FILTERS, "before"),
    ),
)
