"""`/show`: one entity of any kind, with all its relations."""

from answerable.model.errors import UsageError
from answerable.usecases.inventory.show import show_subject
from answerable.web.activity_scope import build_search_scope
from answerable.web.routing import PageAnswer, RouteAnswer, RouteRequest, WebRoute
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import Visitor


def show_entity(
    cache: StoreCache, visitor: Visitor, request: RouteRequest
) -> RouteAnswer:
    """Show the facts and links of one thing; a 404 page with the nearest name."""
    key, scope = request.query.get("id", ""), build_search_scope(cache, visitor)
    try:
        with cache.open_store() as store:
            document = show_subject(store, scope, key, cache.spools, now=cache.now)
    except UsageError as error:
        values: dict[str, object] = {"problem": error, "rows": ()}
        return PageAnswer("show.html", "Not found", values, status=404)
    rows = document.items
    values = {"problem": None, "rows": rows, "coverage": document.coverage}
    return PageAnswer("show.html", str(rows[0]["subject"]), values)


ROUTES: tuple[WebRoute, ...] = (WebRoute("/show", show_entity, parameters=("id",)),)
