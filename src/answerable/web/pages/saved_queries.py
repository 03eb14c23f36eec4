"""`/trace/saved`: queries that the users of a store have saved for each other."""

from answerable.lineage.search_query import parse_search_query
from answerable.services.lineage.saved_queries import (
    QueryDraft,
    delete_saved_query,
    save_query,
)
from answerable.usecases.lineage.list_saved_queries import show_saved_queries
from answerable.web.pages.cases import get_author
from answerable.web.routing import (
    PageAnswer,
    Redirect,
    RouteAnswer,
    RouteRequest,
    WebRoute,
)
from answerable.web.store_cache import StoreCache
from answerable.web.template_filters import build_url
from answerable.web.visitor import Visitor, WebPermission

_PERMISSIONS = frozenset({WebPermission.INVESTIGATE})


def list_saved(
    cache: StoreCache, _visitor: Visitor, request: RouteRequest
) -> RouteAnswer:
    """List the saved queries, each with its views, and a form that saves one."""
    with cache.open_store() as store:
        document = show_saved_queries(store)
    values = {"items": document.items, "text": request.query.get("q", "")}
    return PageAnswer("trace-saved.html", "Saved queries", values)


def save(cache: StoreCache, visitor: Visitor, request: RouteRequest) -> RouteAnswer:
    """Save a query under a name for all users of the store."""
    draft = QueryDraft(
        request.form.get("name", ""), parse_search_query(request.form.get("q", "")), ""
    )
    with cache.open_store() as store:
        saved = save_query(store, draft, get_author(visitor), cache.now)
    return Redirect(build_url("/trace/saved"), f"{saved.name} is saved for all users.")


def delete(cache: StoreCache, visitor: Visitor, request: RouteRequest) -> RouteAnswer:
    """Delete a saved query; its history stays in the log."""
    name = request.form.get("name", "")
    with cache.open_store() as store:
        delete_saved_query(store, name, get_author(visitor), cache.now)
    return Redirect(build_url("/trace/saved"), f"{name} is deleted.")


ROUTES: tuple[WebRoute, ...] = (
    WebRoute("/trace/saved", list_saved, _PERMISSIONS, ("q",)),
    WebRoute(
        "/trace/saved",
        save,
        _PERMISSIONS,
        ("name", "q"),
        "POST",
        labels={"q": "query", "name": "name"},
    ),
    WebRoute("/trace/saved/delete", delete, _PERMISSIONS, ("name",), "POST"),
)
