"""REST operations of the overview and of the search over all names and ids."""

from answerable.model.documents.shared_shapes import Document
from answerable.model.documents.web import OverviewItem, SearchItem
from answerable.web.api.operations import (
    ApiOperation,
    ApiParameter,
    OperationParams,
)
from answerable.web.pages.inventory_list_definitions import build_coverage_document
from answerable.web.pages.overview import build_overview
from answerable.web.pages.search import search_names
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import Visitor


def _show_overview(
    cache: StoreCache, visitor: Visitor, _params: OperationParams
) -> Document:
    """Return the counts of the overview that the visitor may see."""
    items = build_overview(cache, visitor).items
    return Document("overview", items, build_coverage_document(cache).coverage)


def _search(cache: StoreCache, visitor: Visitor, params: OperationParams) -> Document:
    """Return the names and ids that contain a text, or similar ones."""
    items = search_names(cache, visitor, params["q"]).items
    return Document("search", items, build_coverage_document(cache).coverage)


OPERATIONS: tuple[ApiOperation, ...] = (
    ApiOperation(
        path="/overview",
        summary="Counts of the six questions, with their lists; null where not known.",
        handler=_show_overview,
        kind="overview",
        item=OverviewItem,
        has_etag=False,
    ),
    ApiOperation(
        path="/search",
        summary="Names and ids that contain a text, a few of each kind; else similar ones.",
        handler=_search,
        kind="search",
        item=SearchItem,
        parameters=(ApiParameter("q", "Text of a name or id.", required=True),),
        has_etag=False,
    ),
)
