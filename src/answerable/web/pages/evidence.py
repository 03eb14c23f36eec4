"""Evidence pages: checkpoint, verification, proof of one record."""

from collections.abc import Sequence
from typing import cast
from weakref import WeakKeyDictionary

from answerable.model.documents.evidence import BundleItem, CheckpointItem
from answerable.model.errors import UsageError
from answerable.model.lineage import LineageRow
from answerable.services.lineage.resource_filter import number_of
from answerable.store import investigation_queries
from answerable.store.store import Store
from answerable.usecases.evidence import prove as flow
from answerable.usecases.evidence.show_log import sealed
from answerable.usecases.lineage import show_event as events
from answerable.web.activity_scope import DEEDS, scene
from answerable.web.log_verification import Verifying
from answerable.web.pages.event import record
from answerable.web.routing import Answer, Asked, File, Forbidden, Moved, Page, Route
from answerable.web.store_cache import Desk
from answerable.web.visitor import May, Visit

_SEGMENTS = 50
_CHECKS = frozenset({May.INVESTIGATE, May.ADMINISTER})
_TEXT = "text/plain; charset=utf-8"
_verifying: WeakKeyDictionary[Desk, Verifying] = WeakKeyDictionary()


def verifying(desk: Desk) -> Verifying:
    """Return the log verifier of a store."""
    return _verifying.setdefault(desk, Verifying(desk.root))


def evidence(desk: Desk, visit: Visit, asked: Asked) -> Answer:
    """Show the signed checkpoint and the last verification."""
    del asked
    sees = not _CHECKS.isdisjoint(visit.may)
    with desk.store() as store:
        head = _head(store, desk.now)
        holds = sealed(store, _SEGMENTS) if sees else None
    checks = verifying(desk) if sees else None
    values = {
        "head": head,
        "holds": holds,
        "running": checks.running if checks else None,
        "last": checks.last if checks else None,
        "now": desk.now,
        "coverage": None,
    }
    return Page("evidence.html", "Evidence", values)


def _head(store: Store, now: int) -> CheckpointItem | None:
    """Return the checkpoint, None for an empty log."""
    try:
        document = flow.checkpoint(store, now=now)
    except UsageError:
        return None
    return cast("CheckpointItem", document.items[0])


def verify(desk: Desk, visit: Visit, asked: Asked) -> Answer:
    """Start a verification of the whole log."""
    del visit, asked
    with desk.store() as store:
        head = _head(store, desk.now)
    started = verifying(desk).start(head["size"] if head else 0)
    said = "Every record is being checked." if started else "A check runs already."
    return Moved("/evidence", said)


def checkpoint(desk: Desk, visit: Visit, asked: Asked) -> Answer:
    """Return the signed checkpoint, byte for byte."""
    del visit, asked
    with desk.store() as store:
        head = _head(store, desk.now)
    if head is None:
        raise Forbidden
    return File(f"checkpoint-{head['size']}.txt", _TEXT, head["note"].encode())


def check_bundle(desk: Desk, visit: Visit, asked: Asked) -> Answer:
    """Verify a sent bundle; nothing of it is stored."""
    del visit
    key, wrong = asked.form.get("key", "").strip(), ""
    try:
        data = asked.form.get("bundle", "").encode()
        document = flow.verify(data, key=key, now=desk.now)
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
    return Page("bundle.html", "Check of a bundle", values)


def key(desk: Desk, visit: Visit, asked: Asked) -> Answer:
    """Return the public key of the log."""
    del visit, asked
    with desk.store() as store:
        head = _head(store, desk.now)
    if head is None:
        raise Forbidden
    return File("log.pub", _TEXT, f"{head['key']}\n".encode())


def proof(desk: Desk, visit: Visit, asked: Asked) -> Answer:
    """Show a record with its inclusion proof."""
    with desk.store() as store:
        rows = _shown(desk, visit, store, asked)
        number = rows[0].event.event_id.hex()
        try:
            document = flow.prove(store, number, now=desk.now)
            items, waits = document.items, ""
        except UsageError as error:
            items, waits = (), error.message
    values = {
        "id": number,
        "items": items,
        "records": [record(row.event) for row in rows],
        "waits": waits,
        "bundle": _name(number),
        "coverage": None,
    }
    return Page("proof.html", f"Proof of {number[:12]}", values)


def bundle(desk: Desk, visit: Visit, asked: Asked) -> Answer:
    """Return a proof bundle of the record."""
    with desk.store() as store:
        number = _shown(desk, visit, store, asked)[0].event.event_id.hex()
        document = flow.bundle(store, [number], now=desk.now)
    item = cast("BundleItem", document.items[0])
    return File(_name(number), "application/json", item["bundle"].encode())


def _name(number: str) -> str:
    return f"bundle-{number[:12]}.json"


def _shown(
    desk: Desk, visit: Visit, store: Store, asked: Asked
) -> Sequence[LineageRow]:
    """Return the records of an id, if all of them are visible: the proof covers all."""
    number = number_of(asked.query.get("id", ""))
    rows = events.found(store, scene(desk, visit), number) if number else ()
    every = investigation_queries.by_id(store, number) if rows and number else ()
    if not rows or len(rows) != len(every):
        raise Forbidden
    return rows


ROUTES: tuple[Route, ...] = (
    Route("/evidence", evidence, DEEDS),
    Route("/evidence/verify", verify, _CHECKS, (), "POST"),
    Route("/evidence/bundle", check_bundle, DEEDS, ("bundle", "key"), "POST"),
    Route("/evidence/checkpoint", checkpoint, DEEDS),
    Route("/evidence/key", key, DEEDS),
    Route("/proof", proof, DEEDS, ("id",)),
    Route("/proof/bundle", bundle, DEEDS, ("id",)),
)
