"""REST operations of the overview, of changes, and of the search over all names."""

from dataclasses import replace

from answerable.model.documents.difference import DifferenceItem
from answerable.model.documents.finding_trend import FindingTrendItem
from answerable.model.documents.shared_shapes import Document
from answerable.model.documents.web import OverviewItem, SearchItem
from answerable.model.errors import UsageError
from answerable.web.api.operations import (
    LIMIT,
    ApiOperation,
    ApiParameter,
    OperationParams,
    read_page_size,
)
from answerable.web.pages.changes import compare_snapshots
from answerable.web.pages.finding_trend import get_finding_trend
from answerable.web.pages.findings import FINDING_PERMISSIONS
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


def _search_names(
    cache: StoreCache, visitor: Visitor, params: OperationParams
) -> Document:
    """Return the names and ids that contain a text, or similar ones."""
    items = search_names(cache, visitor, params["q"]).items
    return Document("search", items, build_coverage_document(cache).coverage)


def _list_trend(
    cache: StoreCache, _visitor: Visitor, _params: OperationParams
) -> Document:
    """Return the numbers of findings of the newest scans, oldest first."""
    document = get_finding_trend(cache)
    if document is None:
        raise UsageError(
            "the findings are being computed",
            "ask again in a moment: /api/v1/findings/trend",
        )
    return document


def _list_changes(
    cache: StoreCache, _visitor: Visitor, params: OperationParams
) -> Document:
    """Return the differences between two scans, gravest first."""
    document = compare_snapshots(
        cache, params.get("before", ""), params.get("after", "")
    )
    if document is None:
        raise UsageError(
            "the scans are being compared", "ask again in a moment: /api/v1/changes"
        )
    shown = document.items[: read_page_size(params)]
    more = len(document.items) > len(shown)
    return replace(document, items=shown, total=len(document.items) if more else -1)


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
        path="/changes",
        summary="Differences between two scans, by default the newest; most severe first.",
        handler=_list_changes,
        kind="diff",
        item=DifferenceItem,
        parameters=(
            ApiParameter("before", "Name of the earlier snapshot."),
            ApiParameter("after", "Name of the later snapshot."),
            LIMIT,
        ),
        has_etag=False,
        command="diff",
    ),
    ApiOperation(
        path="/findings/trend",
        summary="Numbers of findings of at most ten scans of the last 30 days, oldest first.",
        handler=_list_trend,
        kind="finding-trend",
        item=FindingTrendItem,
        permissions=FINDING_PERMISSIONS,
        has_etag=False,
    ),
    ApiOperation(
        path="/search",
        summary="Names and ids that contain a text, a few of each kind; else similar ones.",
        handler=_search_names,
        kind="search",
        item=SearchItem,
        parameters=(ApiParameter("q", "Text of a name or id.", required=True),),
        has_etag=False,
    ),
)
