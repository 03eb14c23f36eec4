"""REST operation of the overview: counts of the six questions of an estate."""

from answerable.model.documents.shared_shapes import Document
from answerable.model.documents.web import OverviewItem
from answerable.web.api.operations import ApiOperation, OperationParams
from answerable.web.pages.inventory_list_definitions import build_coverage_document
from answerable.web.pages.overview import build_overview
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import Visitor


def _show_overview(
    cache: StoreCache, visitor: Visitor, _params: OperationParams
) -> Document:
    """Return the counts of the overview that the visitor may see."""
    items = build_overview(cache, visitor).items
    return Document("overview", items, build_coverage_document(cache).coverage)


OPERATIONS: tuple[ApiOperation, ...] = (
    ApiOperation(
        path="/overview",
        summary="Counts of the six questions, with their lists; null where not known.",
        handler=_show_overview,
        kind="overview",
        item=OverviewItem,
        has_etag=False,
    ),
)
