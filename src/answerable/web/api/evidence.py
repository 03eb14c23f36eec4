"""REST operations on evidence: checkpoint, proof, bundle, verification, SQL."""

from answerable.model.documents.evidence import (
    CheckItem,
    CheckpointItem,
    EvidenceBundleItem,
    InclusionProofItem,
)
from answerable.model.documents.shared_shapes import Document
from answerable.model.documents.web import ActionResultItem, VerificationCheckItem
from answerable.presentation.answer_coverage import build_empty_coverage, format_time
from answerable.services.lineage.resource_filter import parse_event_id
from answerable.store import investigation_queries
from answerable.store.query_engine import QueryLimits
from answerable.store.store import EvidenceStore
from answerable.usecases.evidence import verify_and_prove
from answerable.usecases.lineage import run_sql
from answerable.usecases.lineage import show_event as events
from answerable.web.activity_scope import build_search_scope
from answerable.web.api.operations import (
    ACTIVITY,
    ApiOperation,
    ApiParameter,
    OperationParams,
)
from answerable.web.http.request_parsing import MAX_FORM
from answerable.web.pages.evidence import get_log_verifier
from answerable.web.routing import Forbidden
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import Visitor, WebPermission

_CHECKS = frozenset({WebPermission.INVESTIGATE, WebPermission.ADMINISTER})
_ID = ApiParameter("id", "Event id: 32 hex digits, as shown by `trace`.", required=True)
_BOUNDS = QueryLimits(rows=10_000, seconds=10.0)


def _get_checkpoint(
    cache: StoreCache, _visitor: Visitor, _params: OperationParams
) -> Document:
    """Return the signed checkpoint of the transparency log."""
    with cache.open_store() as store:
        return verify_and_prove.show_checkpoint(store)


def _require_visible_id(
    cache: StoreCache, visitor: Visitor, store: EvidenceStore, id_text: str
) -> str:
    """Return the event id if the visitor may see all of its records."""
    event_id = parse_event_id(id_text)
    rows = (
        events.find_event_rows(store, build_search_scope(cache, visitor), event_id)
        if event_id
        else ()
    )
    stored = (
        investigation_queries.find_events_by_id(store, event_id)
        if rows and event_id
        else ()
    )
    if not rows or len(rows) != len(stored):
        raise Forbidden
    return rows[0].event.event_id.hex()


def _get_proof(
    cache: StoreCache, visitor: Visitor, params: OperationParams
) -> Document:
    """Return the Merkle inclusion proof of an audit record."""
    with cache.open_store() as store:
        number = _require_visible_id(cache, visitor, store, params["id"])
        return verify_and_prove.prove_record(store, number)


def _get_bundle(
    cache: StoreCache, visitor: Visitor, params: OperationParams
) -> Document:
    """Return a record with its proof and checkpoint as one file content."""
    with cache.open_store() as store:
        number = _require_visible_id(cache, visitor, store, params["id"])
        return verify_and_prove.build_bundle(store, [number])


def _get_verification(
    cache: StoreCache, _visitor: Visitor, _params: OperationParams
) -> Document:
    """Return the checks of the last full verification; none if none has run."""
    last = get_log_verifier(cache).last
    if last is None:
        return Document("verification", [], build_empty_coverage())
    items: list[VerificationCheckItem] = [
        {**check, "at": format_time(last.ended), "of": last.size}
        for check in last.checks
    ]
    return Document("verification", items, build_empty_coverage())


def _start_verification(
    cache: StoreCache, _visitor: Visitor, _params: OperationParams
) -> Document:
    """Start a verification of the whole log in the background."""
    with cache.open_store() as store:
        started = get_log_verifier(cache).start(len(store.log.entries()))
    said = (
        "every record is being checked"
        if started
        else "a verification is already running"
    )
    item: ActionResultItem = {"said": said}
    return Document("done", [item], build_empty_coverage())


def _verify_bundle(
    cache: StoreCache, _visitor: Visitor, params: OperationParams
) -> Document:
    """Verify a bundle from the request body; the server does not store it."""
    data = params["bundle"].encode()
    return verify_and_prove.verify_evidence(data, key=params["key"].strip())


def _run_sql(cache: StoreCache, visitor: Visitor, params: OperationParams) -> Document:
    """Run one SELECT; the visitor needs both INVESTIGATE and ADMINISTER."""
    if not visitor.may >= _CHECKS:
        raise Forbidden
    view = cache.current_view()
    with cache.open_store() as store:
        return run_sql.run_sql_query(
            store,
            view.inventory,
            params["query"],
            now=view.at,
            limits=_BOUNDS,
        )


OPERATIONS: tuple[ApiOperation, ...] = (
    ApiOperation(
        path="/evidence/checkpoint",
        summary="Signed checkpoint of the log; store `note` on another machine.",
        handler=_get_checkpoint,
        kind="checkpoint",
        item=CheckpointItem,
        parameters=(),
        permissions=ACTIVITY,
        command="evidence checkpoint",
    ),
    ApiOperation(
        path="/evidence/prove",
        summary="A record with the hashes from it to the signed checkpoint.",
        handler=_get_proof,
        kind="prove",
        item=InclusionProofItem,
        parameters=(_ID,),
        permissions=ACTIVITY,
        command="evidence prove ID",
    ),
    ApiOperation(
        path="/evidence/bundle",
        summary="A record with its proof and the checkpoint; `bundle` is the content of a bundle file.",
        handler=_get_bundle,
        kind="bundle",
        item=EvidenceBundleItem,
        parameters=(_ID,),
        permissions=ACTIVITY,
        command="evidence bundle ID",
    ),
    ApiOperation(
        path="/evidence/verify",
        summary="The result of the last full verification; no items if there was none.",
        handler=_get_verification,
        kind="verification",
        item=VerificationCheckItem,
        parameters=(),
        permissions=_CHECKS,
        has_etag=False,
        command="evidence verify",
    ),
    ApiOperation(
        path="/evidence/verify",
        summary="Verify every record in the background; GET returns the result.",
        handler=_start_verification,
        kind="done",
        item=ActionResultItem,
        parameters=(),
        permissions=_CHECKS,
        method="POST",
    ),
    ApiOperation(
        path="/evidence/bundle/verify",
        summary="Verify a bundle with the public key of its log; the bundle is not stored.",
        handler=_verify_bundle,
        kind="verify",
        item=CheckItem,
        parameters=(
            ApiParameter(
                "bundle", "Content of its file.", required=True, max_length=MAX_FORM
            ),
            ApiParameter("key", "Text of the public key.", required=True),
        ),
        permissions=ACTIVITY,
        method="POST",
        command="evidence verify BUNDLE --key PUB",
    ),
    ApiOperation(
        path="/sql",
        summary=f"One SELECT over the documented views: at most {_BOUNDS.rows:,} rows, "
        f"{_BOUNDS.seconds:.0f} seconds. Requires permission to investigate and to administer.",
        handler=_run_sql,
        kind="sql",
        item=None,
        parameters=(ApiParameter("query", "The SELECT.", required=True),),
        permissions=frozenset({WebPermission.ADMINISTER}),
        has_etag=False,  # the query may use the current time
        command="sql QUERY",
    ),
)
