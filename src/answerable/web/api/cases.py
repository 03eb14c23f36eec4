"""REST operations on investigation cases and on saved queries."""

from answerable.model.documents.cases import CaseBundleItem, CaseItem, CaseRecordItem
from answerable.model.documents.shared_shapes import Document
from answerable.model.documents.web import ActionResultItem
from answerable.usecases.lineage import export_case, manage_cases
from answerable.web.activity_scope import build_search_scope
from answerable.web.api.operations import (
    ALL_ACTIVITY,
    ApiOperation,
    ApiParameter,
    OperationHandler,
    OperationParams,
)
from answerable.web.api.signing_operations import adapt_page_handler
from answerable.web.pages import cases, saved_queries
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import Visitor

_CASE = ApiParameter("case", "Id of an open case.", required=True)
_ID = ApiParameter("id", "Id of a case.", required=True)
_IDS = f"Ids of events, decisions or findings, at most {cases.MAX_IDS}, with spaces."
_NAME = ApiParameter("name", "Name of the query.", required=True, max_length=64)


def _list_cases(
    cache: StoreCache, _visitor: Visitor, _params: OperationParams
) -> Document:
    """Return the cases of the store, newest first."""
    with cache.open_store() as store:
        return manage_cases.list_stored_cases(store)


def _show_case(
    cache: StoreCache, visitor: Visitor, params: OperationParams
) -> Document:
    """Return the records of a case, its events with their chains."""
    scope, now = build_search_scope(cache, visitor), cache.current_view().at
    with cache.open_store() as store:
        return manage_cases.show_case(store, params["id"], now=now, loaded=scope)


def _bundle_case(
    cache: StoreCache, visitor: Visitor, params: OperationParams
) -> Document:
    """Return the file of a case that verifies offline."""
    scope, now = build_search_scope(cache, visitor), cache.current_view().at
    with cache.open_store() as store:
        return export_case.build_case_bundle(store, params["id"], now=now, loaded=scope)


def _build_form_operation(
    path: str, summary: str, handler: OperationHandler, *parameters: ApiParameter
) -> ApiOperation:
    """Build the operation of a form."""
    return ApiOperation(
        path=path,
        summary=summary,
        handler=handler,
        kind="done",
        item=ActionResultItem,
        parameters=parameters,
        permissions=ALL_ACTIVITY,
        method="POST",
    )


OPERATIONS: tuple[ApiOperation, ...] = (
    ApiOperation(
        path="/cases",
        summary="Investigation cases, newest first.",
        handler=_list_cases,
        kind="cases",
        item=CaseItem,
        permissions=ALL_ACTIVITY,
        command="case list",
    ),
    ApiOperation(
        path="/case",
        summary="Records of a case, its events with their chains.",
        handler=_show_case,
        kind="case",
        item=CaseRecordItem,
        parameters=(_ID,),
        permissions=ALL_ACTIVITY,
        command="case show CASE",
    ),
    ApiOperation(
        path="/case/bundle",
        summary="One file of a case that verifies offline.",
        handler=_bundle_case,
        kind="case-bundle",
        item=CaseBundleItem,
        parameters=(_ID,),
        permissions=ALL_ACTIVITY,
        command="case bundle CASE",
    ),
    _build_form_operation(
        "/cases",
        "Open a case.",
        adapt_page_handler(cases.open_case),
        ApiParameter("title", "Title of the case.", required=True),
        ApiParameter("ids", _IDS, max_length=16_000),
    ),
    _build_form_operation(
        "/case/add",
        "Add items to a case.",
        adapt_page_handler(cases.add_items),
        _CASE,
        ApiParameter("ids", _IDS, required=True, max_length=16_000),
    ),
    _build_form_operation(
        "/case/note",
        "Add a note to a case.",
        adapt_page_handler(cases.add_note),
        _CASE,
        ApiParameter("text", "Note, without secrets.", required=True),
    ),
    _build_form_operation(
        "/case/assign",
        "Assign a case to a person.",
        adapt_page_handler(cases.assign),
        _CASE,
        ApiParameter("person", "Id of a person.", required=True),
    ),
    _build_form_operation(
        "/case/close",
        "Close a case; its records stay.",
        adapt_page_handler(cases.close),
        _CASE,
        ApiParameter("reason", "Reason, kept in the record.", required=True),
    ),
    _build_form_operation(
        "/trace/saved",
        "Save a query for all users of the store.",
        adapt_page_handler(saved_queries.save),
        _NAME,
        ApiParameter("q", "Query in the search language."),
    ),
    _build_form_operation(
        "/trace/saved/delete",
        "Delete a saved query.",
        adapt_page_handler(saved_queries.delete),
        _NAME,
    ),
)
