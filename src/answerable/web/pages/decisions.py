"""`/decisions`: decisions, newest first, with a live stream."""

from collections.abc import Mapping

from answerable.model.decision import Effect, Reason
from answerable.store.decision_queries import Asked as Wanted
from answerable.usecases.authorization.list_decisions import decisions, read_place
from answerable.web.routing import Answer, Asked, Page, Route
from answerable.web.store_cache import Desk
from answerable.web.template_filters import url
from answerable.web.visitor import May, Visit

ROWS = 50
FILTERS = ("agent", "effect", "reason")
EFFECTS = tuple(each.value for each in Effect)
REASONS = tuple(each.value for each in Reason)


def page(desk: Desk, visit: Visit, asked: Asked) -> Answer:
    """List the newest decisions that the visitor may see."""
    query = asked.query
    wanted = wanted_of(visit, query, read_place(query.get("before", "")))
    with desk.store() as store:
        document, after = decisions(
            store, desk.spools, wanted, limit=ROWS, now=desk.now
        )
    kept = {name: query[name] for name in FILTERS if name in query}
    values = {
        "items": document.items,
        "total": document.total if document.total >= 0 else len(document.items),
        "unread": document.coverage["not_collected"],
        "query": {name: query.get(name, "") for name in FILTERS},
        "effects": EFFECTS,
        "reasons": REASONS,
        "older": url("/decisions", before=after, **kept) if after else "",
        "newest": url("/decisions", **kept),
        "live": "" if "before" in query else url("/live", **kept),
        "watched": desk.spools != (),
    }
    return Page("decisions.html", "Decisions", values)


def wanted_of(
    visit: Visit, query: Mapping[str, str], before: tuple[int, bytes] = (0, b"")
) -> Wanted:
    """Build the filter of decisions from the query and the visitor's scope."""
    return Wanted(
        of=None if May.INVESTIGATE in visit.may else visit.owns,
        agent=query.get("agent", ""),
        effect=query.get("effect", ""),
        reason=query.get("reason", ""),
        before=before,
    )


ROUTES: tuple[Route, ...] = (
    Route(
        "/decisions",
        page,
        frozenset({May.INVESTIGATE, May.OWN}),
        (*FILTERS, "before"),
    ),
)
