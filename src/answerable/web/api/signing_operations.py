"""REST operations that sign statements, and revoke or revive a subject."""

from collections.abc import Callable
from typing import Any

from answerable.evidence import signed_statements
from answerable.model.baseline import BaselineStage
from answerable.model.documents.shared_shapes import Document
from answerable.model.documents.web import ActionResultItem, StatementDraftItem
from answerable.model.errors import UsageError
from answerable.presentation.answer_coverage import build_empty_coverage
from answerable.usecases.evidence import remote_signing
from answerable.web.api.operations import (
    ApiOperation,
    ApiParameter,
    OperationParams,
)
from answerable.web.break_glass import BREAK_GLASS_SPANS as BREAKING
from answerable.web.pages.revocations import revive, revoke
from answerable.web.pages.signing import build_drafts, record_signature
from answerable.web.routing import Redirect, RouteRequest
from answerable.web.signable_actions import (
    ACTION_NAMES,
    EXCEPTION_SPANS,
    build_action,
)
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import Visitor, WebPermission


def _get_drafts(
    cache: StoreCache, visitor: Visitor, params: OperationParams
) -> Document:
    """Return the unsigned statement of an action for each key of the visitor."""
    action = build_action(cache, visitor, params)
    items: list[StatementDraftItem] = [
        {
            "key": draft.key,
            "type": signed_statements.PAYLOAD_TYPE,
            "payload": draft.payload,
        }
        for draft in build_drafts(cache, visitor, action)
    ]
    return Document("drafts", items, build_empty_coverage())


def _submit_signature(
    cache: StoreCache, visitor: Visitor, params: OperationParams
) -> Document:
    """Record an action with the DSSE envelope that the visitor signed."""
    action = build_action(cache, visitor, params)
    record_signature(cache, visitor, action, params["envelope"].encode())
    return _build_confirmation_document(action.confirmation)


def _build_confirmation_document(message: str) -> Document:
    """Build the API answer that says which action was done."""
    item: ActionResultItem = {"said": message}
    return Document("done", [item], build_empty_coverage())


def adapt_page_handler(
    page_handler: Callable[[StoreCache, Visitor, RouteRequest], Any],
) -> Any:
    """Adapt the handler of a page form to an API operation."""

    def handle_action(
        cache: StoreCache, visitor: Visitor, params: OperationParams
    ) -> Document:
        answer = page_handler(cache, visitor, RouteRequest(form=params))
        if not isinstance(answer, Redirect):
            raise UsageError(
                "the request changed nothing", "read the current state, then try again"
            )
        return _build_confirmation_document(answer.confirmation)

    return handle_action


_ACT = (
    ApiParameter("act", "Kind of statement.", ACTION_NAMES, required=True),
    ApiParameter("id", "Id of its subject."),
    ApiParameter("for", "For how long.", tuple({**BREAKING, **EXCEPTION_SPANS})),
    ApiParameter(
        "arguments", "Whether the exception allows any arguments.", ("these", "any")
    ),
    ApiParameter(
        "stage", "Of a baseline.", tuple(stage.value for stage in BaselineStage)
    ),
    ApiParameter("code", "Reason of a break-glass: an incident number."),
    ApiParameter("reason", "Reason for which a finding is accepted.", max_length=500),
    ApiParameter("other", "Other id of a person.", max_length=200),
    ApiParameter("assignee", "Person to whom a finding is assigned.", max_length=200),
)
_SUBJECT = ApiParameter("subject", "Id of an agent, a person or a key.", required=True)
_REASON = ApiParameter("reason", "Reason, kept in the record.", max_length=500)
_MINUTES = remote_signing.SIGNING_WINDOW // (60 * 10**9)

OPERATIONS: tuple[ApiOperation, ...] = (
    ApiOperation(
        path="/sign",
        summary="Bytes to sign for a statement, one draft per key of the caller.",
        handler=_get_drafts,
        kind="drafts",
        item=StatementDraftItem,
        parameters=_ACT,
        permissions=frozenset({WebPermission.OWN}),
        varies_with_time=True,
        has_etag=False,
    ),
    ApiOperation(
        path="/sign",
        summary=f"Record a statement that was signed within {_MINUTES} minutes after it was drafted.",
        handler=_submit_signature,
        kind="done",
        item=ActionResultItem,
        parameters=(
            *_ACT,
            ApiParameter(
                "envelope", "DSSE envelope, JSON.", required=True, max_length=65_536
            ),
        ),
        permissions=frozenset({WebPermission.OWN}),
        method="POST",
    ),
    ApiOperation(
        path="/kill",
        summary="Kill a subject: an owner's own agent or, for administrators, any "
        "subject.",
        handler=adapt_page_handler(revoke),
        kind="done",
        item=ActionResultItem,
        parameters=(_SUBJECT, _REASON),
        permissions=frozenset({WebPermission.ADMINISTER, WebPermission.OWN}),
        method="POST",
    ),
    ApiOperation(
        path="/revive",
        summary="Revoke a kill.",
        handler=adapt_page_handler(revive),
        kind="done",
        item=ActionResultItem,
        parameters=(_SUBJECT,),
        permissions=frozenset({WebPermission.ADMINISTER}),
        method="POST",
    ),
)
