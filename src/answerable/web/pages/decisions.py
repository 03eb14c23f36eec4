"""`/decisions`: list decisions, newest first, with filters."""

from collections.abc import Mapping

from answerable.model.decision import DecisionEffect, DecisionReason
from answerable.store.decision_queries import DecisionFilter as Wanted
from answerable.usecases.authorization.list_decisions import (
    list_decisions,
    parse_position,
)
from answerable.web.paged_list import require_declared_value
from answerable.web.routing import PageAnswer, RouteAnswer, RouteRequest, WebRoute
from answerable.web.store_cache import StoreCache
from answerable.web.template_filters import build_url
from answerable.web.visitor import Visitor, WebPermission

PAGE_SIZE = 50
DECISION_FILTERS = ("agent", "effect", "reason")
EFFECTS = tuple(each.value for each in DecisionEffect)
REASONS = tuple(each.value for each in DecisionReason)


def show_decisions(
    cache: StoreCache, visitor: Visitor, request: RouteRequest
) -> RouteAnswer:
    """List the newest decisions that the visitor may see."""
    query = request.query
    wanted = build_filter(visitor, query, parse_position(query.get("before", "")))
    with cache.open_store() as store:
        document, after = list_decisions(
            store, cache.spools, wanted, limit=PAGE_SIZE, now=cache.now
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
        "watched": cache.spools != (),
    }
    return PageAnswer("decisions.html", "Decisions", values)


def build_filter(
    visitor: Visitor, query: Mapping[str, str], before: tuple[int, bytes] = (0, b"")
) -> Wanted:
    """Build the decision filter of the query, limited to what the visitor may see.

    Raises:
        UsageError: The effect or reason is unknown.
    """
    require_declared_value("effect", query.get("effect", ""), EFFECTS)
    require_declared_value("reason", query.get("reason", ""), REASONS)
    return Wanted(
        identities=None if WebPermission.INVESTIGATE in visitor.may else visitor.owns,
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
