"""Evidence pages: checkpoint, verification, proof of one record."""

from collections.abc import Sequence
from typing import cast
from weakref import WeakKeyDictionary

from answerable.model.documents.evidence import CheckpointItem, EvidenceBundleItem
from answerable.model.errors import UsageError
from answerable.model.lineage import ChainRow
from answerable.services.lineage.resource_filter import parse_event_id
from answerable.store import investigation_queries
from answerable.store.store import EvidenceStore
from answerable.usecases.evidence import prove as flow
from answerable.usecases.evidence.show_log import summarize_log
from answerable.usecases.lineage import show_event as events
from answerable.web.activity_scope import ACTIVITY_PERMISSIONS, build_scope
from answerable.web.log_verification import LogVerifier
from answerable.web.pages.event import record_values
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


def log_verifier(desk: StoreCache) -> LogVerifier:
    """Return the log verifier of a store."""
    return _verifications.setdefault(desk, LogVerifier(desk.root))


def show_evidence(desk: StoreCache, visit: Visitor, asked: RouteRequest) -> RouteAnswer:
    """Show the signed checkpoint and the last verification."""
    del asked
    sees = not _CHECKS.isdisjoint(visit.may)
    with desk.open_store() as store:
        head = _find_checkpoint(store, desk.now)
        holds = summarize_log(store, _MAX_SEGMENTS) if sees else None
    checks = log_verifier(desk) if sees else None
    values = {
        "head": head,
        "holds": holds,
        "running": checks.running if checks else None,
        "last": checks.last if checks else None,
        "now": desk.now,
        "coverage": None,
    }
    return PageAnswer("evidence.html", "Evidence", values)


def _find_checkpoint(store: EvidenceStore, now: int) -> CheckpointItem | None:
    """Return the checkpoint, None for an empty log."""
    try:
        document = flow.show_checkpoint(store, now=now)
    except UsageError:
        return None
    return cast("CheckpointItem", document.items[0])


def start_verification(
    desk: StoreCache, visit: Visitor, asked: RouteRequest
) -> RouteAnswer:
    """Start a verification of the whole log."""
    del visit, asked
    with desk.open_store() as store:
        head = _find_checkpoint(store, desk.now)
    started = log_verifier(desk).start(head["size"] if head else 0)
    said = "Every record is being checked." if started else "A check runs already."
    return Redirect("/evidence", said)


def download_checkpoint(
    desk: StoreCache, visit: Visitor, asked: RouteRequest
) -> RouteAnswer:
    """Return the signed checkpoint, byte for byte."""
    del visit, asked
    with desk.open_store() as store:
        head = _find_checkpoint(store, desk.now)
    if head is None:
        raise Forbidden
    return FileDownload(f"checkpoint-{head['size']}.txt", _TEXT, head["note"].encode())


def verify_bundle(desk: StoreCache, visit: Visitor, asked: RouteRequest) -> RouteAnswer:
    """Verify a sent bundle; nothing of it is stored."""
    del visit
    key, wrong = asked.form.get("key", "").strip(), ""
    try:
        data = asked.form.get("bundle", "").encode()
        document = flow.verify_evidence(data, key=key, now=desk.now)
        checks, holds = document.items, not document.failed
    except UsageError as error:
        checks, holds, wrong = (), False, error.message
    values = {
        "checks": checks,
        "holds": holds,
        "wrong": wrong,
        "key": key,
        "coverage": None,
    }
    return PageAnswer("bundle.html", "Check of a bundle", values)


def download_key(desk: StoreCache, visit: Visitor, asked: RouteRequest) -> RouteAnswer:
    """Return the public key of the log."""
    del visit, asked
    with desk.open_store() as store:
        head = _find_checkpoint(store, desk.now)
    if head is None:
        raise Forbidden
    return FileDownload("log.pub", _TEXT, f"{head['key']}\n".encode())


def show_proof(desk: StoreCache, visit: Visitor, asked: RouteRequest) -> RouteAnswer:
    """Show a record with its inclusion proof."""
    with desk.open_store() as store:
        rows = _visible_records(desk, visit, store, asked)
        number = rows[0].event.event_id.hex()
        try:
            document = flow.prove_record(store, number, now=desk.now)
            items, waits = document.items, ""
        except UsageError as error:
            items, waits = (), error.message
    values = {
        "id": number,
        "items": items,
        "records": [record_values(row.event) for row in rows],
        "waits": waits,
        "bundle": _bundle_file_name(number),
        "coverage": None,
    }
    return PageAnswer("proof.html", f"Proof of {number[:12]}", values)


def download_bundle(
    desk: StoreCache, visit: Visitor, asked: RouteRequest
) -> RouteAnswer:
    """Return a proof bundle of the record."""
    with desk.open_store() as store:
        number = _visible_records(desk, visit, store, asked)[0].event.event_id.hex()
        document = flow.build_bundle(store, [number], now=desk.now)
    item = cast("EvidenceBundleItem", document.items[0])
    return FileDownload(
        _bundle_file_name(number), "application/json", item["bundle"].encode()
    )


def _bundle_file_name(number: str) -> str:
    return f"bundle-{number[:12]}.json"


def _visible_records(
    desk: StoreCache, visit: Visitor, store: EvidenceStore, asked: RouteRequest
) -> Sequence[ChainRow]:
    """Return the records of an id, if all of them are visible: the proof covers all."""
    number = parse_event_id(asked.query.get("id", ""))
    rows = (
        events.find_event_rows(store, build_scope(desk, visit), number)
        if number
        else ()
    )
    every = (
        investigation_queries.find_events_by_id(store, number)
        if rows and number
        else ()
    )
    if not rows or len(rows) != len(every):
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
    ),
    WebRoute("/evidence/checkpoint", download_checkpoint, ACTIVITY_PERMISSIONS),
    WebRoute("/evidence/key", download_key, ACTIVITY_PERMISSIONS),
    WebRoute("/proof", show_proof, ACTIVITY_PERMISSIONS, ("id",)),
    WebRoute("/proof/bundle", download_bundle, ACTIVITY_PERMISSIONS, ("id",)),
)
