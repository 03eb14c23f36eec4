"""Evidence pages: show and download checkpoint, proofs and bundles; verify the log."""

from collections.abc import Sequence
from typing import cast
from weakref import WeakKeyDictionary

from answerable.model.documents.evidence import CheckpointItem, EvidenceBundleItem
from answerable.model.errors import UsageError
from answerable.model.lineage import ChainRow
from answerable.services.lineage.resource_filter import parse_event_id
from answerable.store import investigation_queries
from answerable.store.store import EvidenceStore
from answerable.usecases.evidence import verify_and_prove as flow
from answerable.usecases.evidence.show_log import summarize_log
from answerable.usecases.lineage import show_event as events
from answerable.web.activity_scope import ACTIVITY_PERMISSIONS, build_search_scope
from answerable.web.log_verification import LogVerifier
from answerable.web.pages.event_and_decision import split_logged_fields
from answerable.web.routing import (
    FileDownload,
    Forbidden,
    PageAnswer,
    Redirect,
    RouteAnswer,
    RouteRequest,
    WebRoute,
)
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import Visitor, WebPermission

_MAX_SEGMENTS = 50
_CHECKS = frozenset({WebPermission.INVESTIGATE, WebPermission.ADMINISTER})
_TEXT = "text/plain; charset=utf-8"
_verifications: WeakKeyDictionary[StoreCache, LogVerifier] = WeakKeyDictionary()


def get_log_verifier(cache: StoreCache) -> LogVerifier:
    """Return the background log verifier of a store."""
    return _verifications.setdefault(cache, LogVerifier(cache.root))


def show_evidence(
    cache: StoreCache, visitor: Visitor, _request: RouteRequest
) -> RouteAnswer:
    """Show the signed checkpoint and the last verification."""
    sees = not _CHECKS.isdisjoint(visitor.may)
    with cache.open_store() as store:
        head = _find_checkpoint(store, cache.now)
        holds = summarize_log(store, _MAX_SEGMENTS) if sees else None
    checks = get_log_verifier(cache) if sees else None
    values = {
        "head": head,
        "holds": holds,
        "running": checks.running if checks else None,
        "last": checks.last if checks else None,
        "now": cache.now,
        "coverage": None,
    }
    return PageAnswer("evidence.html", "Evidence", values)


def _find_checkpoint(store: EvidenceStore, now: int) -> CheckpointItem | None:
    """Return the checkpoint, None for an empty log."""
    try:
        document = flow.show_checkpoint(store)
    except UsageError:
        return None
    return cast("CheckpointItem", document.items[0])


def start_verification(
    cache: StoreCache, _visitor: Visitor, _request: RouteRequest
) -> RouteAnswer:
    """Start a verification of the whole log."""
    with cache.open_store() as store:
        head = _find_checkpoint(store, cache.now)
    started = get_log_verifier(cache).start(head["size"] if head else 0)
    running = "A check is already running."
    said = "Every record is being checked." if started else running
    return Redirect("/evidence", said)


def download_checkpoint(
    cache: StoreCache, _visitor: Visitor, _request: RouteRequest
) -> RouteAnswer:
    """Return the log's signed checkpoint as a file, byte for byte."""
    with cache.open_store() as store:
        head = _find_checkpoint(store, cache.now)
    if head is None:
        raise Forbidden
    return FileDownload(f"checkpoint-{head['size']}.txt", _TEXT, head["note"].encode())


def verify_bundle(
    cache: StoreCache, _visitor: Visitor, request: RouteRequest
) -> RouteAnswer:
    """Verify an uploaded bundle; the server does not store it."""
    key, wrong = request.form.get("key", "").strip(), ""
    partial = False
    try:
        data = request.form.get("bundle", "").encode()
        document = flow.verify_evidence(data, key=key)
        checks, holds = document.items, not document.failed
        partial = document.is_partial
    except UsageError as error:
        checks, holds, wrong = (), False, error.message
    values = {
        "checks": checks,
        "holds": holds,
        "partial": partial,
        "wrong": wrong,
        "key": key,
        "coverage": None,
    }
    return PageAnswer("bundle.html", "Check of a bundle", values)


def download_key(
    cache: StoreCache, _visitor: Visitor, _request: RouteRequest
) -> RouteAnswer:
    """Return the public key that verifies the log, as a file."""
    with cache.open_store() as store:
        head = _find_checkpoint(store, cache.now)
    if head is None:
        raise Forbidden
    return FileDownload("log.pub", _TEXT, f"{head['key']}\n".encode())


def show_proof(
    cache: StoreCache, visitor: Visitor, request: RouteRequest
) -> RouteAnswer:
    """Show an audit record with its Merkle inclusion proof."""
    with cache.open_store() as store:
        rows = _visible_records(cache, visitor, store, request)
        number = rows[0].event.event_id.hex()
        try:
            document = flow.prove_record(store, number)
            items, waits = document.items, ""
        except UsageError as error:
            items, waits = (), error.message
    values = {
        "id": number,
        "items": items,
        "records": [split_logged_fields(row.event) for row in rows],
        "waits": waits,
        "bundle": _bundle_file_name(number),
        "coverage": None,
    }
    return PageAnswer("proof.html", f"Proof of {number[:12]}", values)


def download_bundle(
    cache: StoreCache, visitor: Visitor, request: RouteRequest
) -> RouteAnswer:
    """Return the proof bundle of a record as a file."""
    with cache.open_store() as store:
        number = _visible_records(cache, visitor, store, request)[
            0
        ].event.event_id.hex()
        document = flow.build_bundle(store, [number])
    item = cast("EvidenceBundleItem", document.items[0])
    return FileDownload(
        _bundle_file_name(number), "application/json", item["bundle"].encode()
    )


def _bundle_file_name(event_id: str) -> str:
    """Return the suggested file name of a bundle."""
    return f"bundle-{event_id[:12]}.json"


def _visible_records(
    cache: StoreCache, visitor: Visitor, store: EvidenceStore, request: RouteRequest
) -> Sequence[ChainRow]:
    """Return the records of an event id if the visitor may see all of them."""
    event_id = parse_event_id(request.query.get("id", ""))
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
    return rows


ROUTES: tuple[WebRoute, ...] = (
    WebRoute("/evidence", show_evidence, ACTIVITY_PERMISSIONS),
    WebRoute("/evidence/verify", start_verification, _CHECKS, (), "POST"),
    WebRoute(
        "/evidence/bundle",
        verify_bundle,
        ACTIVITY_PERMISSIONS,
        ("bundle", "key"),
        "POST",
        labels={"bundle": "bundle", "key": "public key of its log"},
    ),
    WebRoute("/evidence/checkpoint", download_checkpoint, ACTIVITY_PERMISSIONS),
    WebRoute("/evidence/key", download_key, ACTIVITY_PERMISSIONS),
    WebRoute("/proof", show_proof, ACTIVITY_PERMISSIONS, ("id",)),
    WebRoute("/proof/bundle", download_bundle, ACTIVITY_PERMISSIONS, ("id",)),
)
