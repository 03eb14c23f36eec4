"""Event page and decision page."""

from collections.abc import Mapping, Sequence
from typing import cast

from answerable.lineage.search_query import Query
from answerable.model.documents.decisions import DecisionItem
from answerable.model.documents.evidence import ProveItem
from answerable.model.errors import AnswerableError, UsageError
from answerable.model.event import AuditEvent
from answerable.model.lineage import LineageRow
from answerable.presentation.chain_groups import grouped
from answerable.presentation.decision_reasons import REASONS
from answerable.presentation.inventory_lists import owner
from answerable.services.authorization import decision_items, decision_records
from answerable.services.lineage.resource_filter import number_of
from answerable.services.lineage.row_search import Scene, may_tell, rows_of
from answerable.services.lineage.trace_rows import coverage_of, item_of
from answerable.store.store import Store
from answerable.usecases.evidence import prove
from answerable.usecases.lineage import show_event as flow
from answerable.web.activity_scope import DEEDS, scene
from answerable.web.break_glass import SPANS
from answerable.web.pages.revocations import slot
from answerable.web.routing import Answer, Asked, Forbidden, Page, Route
from answerable.web.store_cache import Desk
from answerable.web.svg.chain_diagram import picture
from answerable.web.svg.chain_layout import Ways
from answerable.web.template_filters import page_of
from answerable.web.visitor import Visit

_SELF = "self:"


def event(desk: Desk, visit: Visit, asked: Asked) -> Answer:
    """Show an event."""
    around = scene(desk, visit)
    number = number_of(asked.query.get("id", ""))
    with desk.store() as store:
        rows = flow.found(store, around, number) if number else []
        if not rows:
            raise Forbidden
        row = rows[0]
        values = {
            **_told(row, around),
            "records": [record(each.event) for each in rows],
            "beside": flow.beside(store, around, row.event),
            "proven": _proven(store, row.event.event_id.hex()),
            "coverage": coverage_of(around.inventory, around.chains, desk.now),
        }
    return Page("event.html", f"Event {row.event.event_id.hex()[:12]}", values)


def _told(row: LineageRow, around: Scene) -> Mapping[str, object]:
    """Return the chain of an event and the owners of its agents."""
    item = item_of(row)
    made = picture(grouped([item]), Ways(Query(), page_of), [item["event_time"]])
    agents = list(reversed(item["agent_path"]))
    acted = item["hops"]["identity"]["value"]
    return {
        "item": item,
        "picture": made,
        "owners": [
            (each, owner(around.inventory, each))
            for each in [*agents, *([acted] if acted else [])]
        ],
    }


def record(event: AuditEvent) -> Mapping[str, object]:
    """Return the logged fields of an event in reading order."""
    known = [(k, v) for k, v in event.facts if not k.startswith(_SELF)]
    return {
        "event": event,
        "digest": event.raw_sha256.hex(),
        "facts": [(name, value) for name, value in known if name != "behaviour"],
        "said": [(k.removeprefix(_SELF), v) for k, v in event.facts if k[:5] == _SELF],
    }


def _proven(store: Store, event_id: str) -> ProveItem | str:
    """Return the proof of an event, or the reason why there is none yet."""
    try:
        document = prove.prove(store, event_id, now=0)
    except UsageError:
        return "stored and not sealed yet: it is durable, and its proof comes with the next segment"
    except AnswerableError as error:
        return error.message
    return cast("ProveItem", document.items[0])


def one_decision(desk: Desk, visit: Visit, asked: Asked) -> Answer:
    """Show a decision with its reason and owner."""
    around = scene(desk, visit)
    text = asked.query.get("id", "")
    if around.only is not None and number_of(text) is None:
        raise Forbidden  # prefixes could be enumerated
    waiting = decision_records.spooled(
        desk.spools
    )  # before the store, so that none is missed
    with desk.store() as store:
        try:
            document = decision_items.decision(store, waiting, text, now=desk.now)
            event = decision_records.find(store, waiting, text)[0].event
        except UsageError:
            if around.only is not None:
                raise Forbidden from None
            raise
        row = next(rows_of([event], around))
        if not may_tell(row.chain, around.only):
            raise Forbidden
        item = cast("Sequence[DecisionItem]", document.items)[0]
        values = {
            **_told(row, around),
            "decision": item,
            "others": len(document.items) - 1,
            "why": REASONS.get(item["reason"], ""),
            "breaking": tuple(SPANS),
            "slot": slot(desk, visit, item["agent"]) if item["agent"] else None,
            "beside": flow.beside(store, around, event),
            "not_read": document.coverage["not_collected"],
            "coverage": coverage_of(around.inventory, around.chains, desk.now),
        }
    return Page("decision.html", f"Decision {item['id'][:12]}", values)


ROUTES: tuple[Route, ...] = (
    Route("/event", event, DEEDS, ("id",)),
    Route("/decision", one_decision, DEEDS, ("id",)),
)
