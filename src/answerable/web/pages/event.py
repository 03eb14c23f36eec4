"""Event page and decision page."""

from collections.abc import Mapping, Sequence
from typing import cast

from answerable.flows import decided, decision, prove
from answerable.flows import event as flow
from answerable.flows.investigate import Scene, may_tell, rows_of
from answerable.flows.lists import owner
from answerable.flows.query import Query
from answerable.flows.touched import number_of
from answerable.flows.trace import coverage_of, item_of
from answerable.flows.words.chains import grouped
from answerable.flows.words.decisions import REASONS
from answerable.model.document_decisions import DecisionItem
from answerable.model.document_evidence import ProveItem
from answerable.model.errors import AnswerableError, UsageError
from answerable.model.event import AuditEvent
from answerable.model.lineage import LineageRow
from answerable.store.store import Store
from answerable.web.breaking import SPANS
from answerable.web.deeds import DEEDS, scene
from answerable.web.desk import Desk
from answerable.web.draw.chains import picture
from answerable.web.draw.places import Ways
from answerable.web.filters import page_of
from answerable.web.pages.kills import slot
from answerable.web.routes import Answer, Asked, Forbidden, Page, Route
from answerable.web.visit import Visit

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
    waiting = decided.spooled(desk.spools)  # before the store, so that none is missed
    with desk.store() as store:
        try:
            document = decision.decision(store, waiting, text, now=desk.now)
            event = decided.find(store, waiting, text)[0].event
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
