"""Operations on evidence: checkpoint, proofs, verification, SQL."""

from answerable.model.documents.core import Document
from answerable.model.documents.evidence import (
    BundleItem,
    CheckItem,
    CheckpointItem,
    ProveItem,
)
from answerable.model.documents.web import DoneItem, VerificationItem
from answerable.presentation.inventory_lists import no_coverage, spelled_time
from answerable.services.lineage.resource_filter import number_of
from answerable.store import investigation_queries
from answerable.store.query_engine import Bounds
from answerable.store.store import Store
from answerable.usecases.evidence import prove
from answerable.usecases.lineage import run_sql
from answerable.usecases.lineage import show_event as events
from answerable.web.activity_scope import scene
from answerable.web.api.operations import (
    DEEDS,
    Operation,
    Parameter,
    Params,
    minute_of,
)
from answerable.web.http.request_parsing import LARGEST_FORM
from answerable.web.pages.evidence import verifying
from answerable.web.routing import Forbidden
from answerable.web.store_cache import Desk
from answerable.web.visitor import May, Visit

_CHECKS = frozenset({May.INVESTIGATE, May.ADMINISTER})
_ID = Parameter("id", "32 hex digits, as `trace` gives them.", required=True)
_BOUNDS = Bounds(rows=10_000, seconds=10.0)


def _checkpoint(desk: Desk, visit: Visit, params: Params) -> Document:
    del visit, params
    with desk.store() as store:
        return prove.checkpoint(store, now=minute_of(desk))


def _told(desk: Desk, visit: Visit, store: Store, text: str) -> str:
    """Return the id if the visitor may see all of its records, which the proof covers."""
    number = number_of(text)
    rows = events.found(store, scene(desk, visit), number) if number else ()
    every = investigation_queries.by_id(store, number) if rows and number else ()
    if not rows or len(rows) != len(every):
        raise Forbidden
    return rows[0].event.event_id.hex()


def _prove(desk: Desk, visit: Visit, params: Params) -> Document:
    with desk.store() as store:
        number = _told(desk, visit, store, params["id"])
        return prove.prove(store, number, now=minute_of(desk))


def _bundle(desk: Desk, visit: Visit, params: Params) -> Document:
    with desk.store() as store:
        number = _told(desk, visit, store, params["id"])
        return prove.bundle(store, [number], now=minute_of(desk))


def _verified(desk: Desk, visit: Visit, params: Params) -> Document:
    del visit, params
    last = verifying(desk).last
    if last is None:
        return Document("verification", [], no_coverage())
    items: list[VerificationItem] = [
        {**check, "at": spelled_time(last.ended), "of": last.size}
        for check in last.checks
    ]
    return Document("verification", items, no_coverage())


def _verify(desk: Desk, visit: Visit, params: Params) -> Document:
    del visit, params
    with desk.store() as store:
        started = verifying(desk).start(len(store.log.entries()))
    said = "every record is being checked" if started else "a check runs already"
    item: DoneItem = {"said": said}
    return Document("done", [item], no_coverage())


def _bundle_checked(desk: Desk, visit: Visit, params: Params) -> Document:
    """Verify a sent bundle; nothing of it is stored."""
    del visit
    data = params["bundle"].encode()
    return prove.verify(data, key=params["key"].strip(), now=desk.now)


def _sql(desk: Desk, visit: Visit, params: Params) -> Document:
    if not visit.may >= _CHECKS:
        raise Forbidden
    standing = desk.standing()
    with desk.store() as store:
        return run_sql.sql(
            store,
            standing.inventory,
            params["query"],
            now=standing.at,
            bounds=_BOUNDS,
            chains=standing.chains,
        )


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "/evidence/checkpoint",
        "The signed head of the log; `note` is what to keep elsewhere.",
        _checkpoint,
        "checkpoint",
        CheckpointItem,
        (),
        DEEDS,
        command="evidence checkpoint",
    ),
    Operation(
        "/evidence/prove",
        "A record with the hashes that lead from it to the signed head.",
        _prove,
        "prove",
        ProveItem,
        (_ID,),
        DEEDS,
        command="evidence prove ID",
    ),
    Operation(
        "/evidence/bundle",
        "A record with its proof and the checkpoint; `bundle` is a file's content.",
        _bundle,
        "bundle",
        BundleItem,
        (_ID,),
        DEEDS,
        command="evidence bundle ID",
    ),
    Operation(
        "/evidence/verify",
        "The result of the last full verification; no items if there was none.",
        _verified,
        "verification",
        VerificationItem,
        (),
        _CHECKS,
        held=False,
        command="evidence verify",
    ),
    Operation(
        "/evidence/verify",
        "Verify every record in the background; GET returns the result.",
        _verify,
        "done",
        DoneItem,
        (),
        _CHECKS,
        method="POST",
    ),
    Operation(
        "/evidence/bundle/verify",
        "Check a bundle with the public key of its log; nothing of it is kept.",
        _bundle_checked,
        "verify",
        CheckItem,
        (
            Parameter(
                "bundle", "Content of its file.", required=True, longest=LARGEST_FORM
            ),
            Parameter("key", "Text of the public key.", required=True),
        ),
        DEEDS,
        method="POST",
        command="evidence verify BUNDLE --key PUB",
    ),
    Operation(
        "/sql",
        f"One SELECT over the documented views: at most {_BOUNDS.rows:,} rows, "
        f"{_BOUNDS.seconds:.0f} seconds. For who investigates and administers.",
        _sql,
        "sql",
        None,
        (Parameter("query", "The SELECT.", required=True),),
        frozenset({May.ADMINISTER}),
        held=False,  # it may ask for the time
        command="sql QUERY",
    ),
)
