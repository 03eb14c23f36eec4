"""REST operations that attest several entities at once, or ask persons to attest them."""

from answerable.evidence import signed_statements
from answerable.model.documents.shared_shapes import Document
from answerable.model.documents.web import (
    BulkResultItem,
    OwnerRequestItem,
    OwnershipDraftItem,
)
from answerable.presentation.answer_coverage import build_empty_coverage
from answerable.web.api.operations import (
    ApiOperation,
    ApiParameter,
    OperationParams,
)
from answerable.web.http.request_parsing import MAX_FORM, MAX_TARGET
from answerable.web.pages import inventory_list_definitions
from answerable.web.pages.bulk_ownership import (
    MAX_SELECTED,
    REQUEST_PERMISSIONS,
    ask_person,
    build_attestation,
    list_visible_requests,
    read_selected,
    sign_attestations,
)
from answerable.web.pages.signing import build_drafts
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import Visitor, WebPermission

_OWN = frozenset({WebPermission.OWN})
_IDS = ApiParameter(
    "ids",
    f"Ids of agents or identities, one per line; at most {MAX_SELECTED}.",
    required=True,
    max_length=MAX_TARGET,
)


def _list_drafts(
    cache: StoreCache, visitor: Visitor, params: OperationParams
) -> Document:
    """Return the unsigned attestation of each entity, for each key of the caller."""
    items: list[OwnershipDraftItem] = []
    for subject in dict.fromkeys(read_selected(params)):
        action = build_attestation(cache, visitor, subject)
        items += [
            {
                "id": subject,
                "key": draft.key,
                "type": signed_statements.PAYLOAD_TYPE,
                "payload": draft.payload,
            }
            for draft in build_drafts(cache, visitor, action)
        ]
    return Document("owner-drafts", items, build_empty_coverage())


def _sign_attestations(
    cache: StoreCache, visitor: Visitor, params: OperationParams
) -> Document:
    """Record the attestations that the caller signed, each singly."""
    ids, envelopes = read_selected(params), params["envelopes"].splitlines()
    return _build_document(sign_attestations(cache, visitor, ids, envelopes))


def _ask_person(
    cache: StoreCache, visitor: Visitor, params: OperationParams
) -> Document:
    """Ask a person to attest entities; each request is recorded singly."""
    return _build_document(ask_person(cache, visitor, read_selected(params), params))


def _list_requests(
    cache: StoreCache, visitor: Visitor, _params: OperationParams
) -> Document:
    """List the newest request of each entity and person that the caller may see."""
    items: list[OwnerRequestItem] = [*list_visible_requests(cache, visitor)]
    coverage = inventory_list_definitions.build_coverage_document(cache).coverage
    return Document("owner-requests", items, coverage)


def _build_document(results: list[BulkResultItem]) -> Document:
    """Build the result of each entity."""
    return Document("bulk-results", results, build_empty_coverage())


OPERATIONS: tuple[ApiOperation, ...] = (
    ApiOperation(
        path="/owners/sign",
        summary="Bytes to sign for the attestation of several entities by the caller.",
        handler=_list_drafts,
        kind="owner-drafts",
        item=OwnershipDraftItem,
        parameters=(_IDS,),
        permissions=_OWN,
        varies_with_time=True,
        has_etag=False,
    ),
    ApiOperation(
        path="/owners/sign",
        summary="Record signed attestations, each singly; the result names each that "
        "was not recorded.",
        handler=_sign_attestations,
        kind="bulk-results",
        item=BulkResultItem,
        parameters=(
            _IDS,
            ApiParameter(
                "envelopes",
                "DSSE envelopes, one JSON object per line, in the order of `ids`.",
                required=True,
                max_length=MAX_FORM,
            ),
        ),
        permissions=_OWN,
        method="POST",
    ),
    ApiOperation(
        path="/owners/ask",
        summary="Ask a person to attest entities, each singly; a request gives no "
        "permissions.",
        handler=_ask_person,
        kind="bulk-results",
        item=BulkResultItem,
        parameters=(
            _IDS,
            ApiParameter(
                "person", "Person who is asked.", required=True, max_length=200
            ),
            ApiParameter("note", "Note to the person.", max_length=500),
        ),
        permissions=REQUEST_PERMISSIONS,
        method="POST",
    ),
    ApiOperation(
        path="/owners/requests",
        summary="Owner requests, newest first: an owner sees those by or to them.",
        handler=_list_requests,
        kind="owner-requests",
        item=OwnerRequestItem,
        parameters=(),
        permissions=REQUEST_PERMISSIONS,
        has_etag=False,
    ),
)
