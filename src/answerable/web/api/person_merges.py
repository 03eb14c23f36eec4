"""REST operations on person merges: two ids that someone states belong to one person."""

from answerable.model.documents.person_merges import PersonMergeItem
from answerable.model.documents.shared_shapes import Document
from answerable.model.documents.web import ActionResultItem
from answerable.usecases.inventory.merge_persons import list_merges
from answerable.web.api.operations import (
    LOOK,
    ApiOperation,
    ApiParameter,
    OperationParams,
)
from answerable.web.api.signing_operations import adapt_page_handler
from answerable.web.pages.bulk_ownership import REQUEST_PERMISSIONS
from answerable.web.pages.person_merges import merge_persons, split_persons
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import Visitor

_PAIR = (
    ApiParameter("person", "The one id.", required=True, max_length=200),
    ApiParameter("other", "The other id.", required=True, max_length=200),
)


def _list_merges(
    cache: StoreCache, _visitor: Visitor, _params: OperationParams
) -> Document:
    """List the merges in force."""
    return list_merges(cache.current_view().inventory)


OPERATIONS: tuple[ApiOperation, ...] = (
    ApiOperation(
        path="/people/merges",
        summary="Statements in force that two ids are one person, each with its author.",
        handler=_list_merges,
        kind="person-merges",
        item=PersonMergeItem,
        parameters=(),
        permissions=LOOK,
        has_etag=False,
    ),
    ApiOperation(
        path="/people/merge",
        summary="Record without a signature that two ids are one person; lists only.",
        handler=adapt_page_handler(merge_persons),
        kind="done",
        item=ActionResultItem,
        parameters=_PAIR,
        permissions=REQUEST_PERMISSIONS,
        method="POST",
    ),
    ApiOperation(
        path="/people/split",
        summary="End a statement without a signature that two ids are one person.",
        handler=adapt_page_handler(split_persons),
        kind="done",
        item=ActionResultItem,
        parameters=_PAIR,
        permissions=REQUEST_PERMISSIONS,
        method="POST",
    ),
)
