"""`/show`: one entity of any kind, with all its relations."""

from answerable.model.errors import UsageError
from answerable.usecases.inventory.show import show_subject
from answerable.web.activity_scope import build_search_scope
from answerable.web.paged_list import parse_offset
from answerable.web.routing import PageAnswer, RouteAnswer, RouteRequest, WebRoute
from answerable.web.store_cache import StoreCache
from answerable.web.template_filters import build_url
from answerable.web.visitor import Visitor

_MAX_ROWS = 200  # a row has up to 700 bytes


def show_entity(
    cache: StoreCache, visitor: Visitor, request: RouteRequest
) -> RouteAnswer:
    """Show the facts and links of one thing; a 404 page with the nearest name."""
    key, scope = request.query.get("id", ""), build_search_scope(cache, visitor)
    try:
        start = parse_offset(request.query.get("from", ""))
        with cache.open_store() as store:
            document = show_subject(store, scope, key, cache.spools, now=cache.now)
    except UsageError as error:
        values: dict[str, object] = {"problem": error, "rows": ()}
        return PageAnswer("show.html", "Not found", values, status=404)
    rows = document.items
    subject, end = str(rows[0]["subject"]), start + _MAX_ROWS
    values = {
        "problem": None,
        "subject": subject,
        "rows": rows[start:end],
        "total": len(rows),
        "older": _link_to_rows(subject, end) if end < len(rows) else "",
        "newer": _link_to_rows(subject, max(0, start - _MAX_ROWS)) if start else "",
        "coverage": document.coverage,
    }
    return PageAnswer("show.html", subject, values)


def _link_to_rows(subject: str, start: int) -> str:
    """Link to the rows of an entity after so many."""
    return build_url("/show", id=subject, **({"from": str(start)} if start else {}))


ROUTES: tuple[WebRoute, ...] = (
    WebRoute("/show", show_entity, parameters=("id", "from")),
)
