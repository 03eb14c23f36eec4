"""Event page and decision page."""

from collections.abc import Mapping, Sequence
from typing import cast

from answerable.lineage.search_query import SearchQuery
from answerable.model.documents.decisions import DecisionItem
from answerable.model.documents.evidence import InclusionProofItem
from answerable.model.errors import AnswerableError, UsageError
from answerable.model.event import AuditEvent
from answerable.model.lineage import ChainRow
from answerable.presentation.chain_groups import group_by_chain
from answerable.presentation.decision_reasons import REASONS
from answerable.presentation.inventory_lists import build_owner_item
from answerable.services.authorization import decision_records
from answerable.services.lineage.resource_filter import parse_event_id
from answerable.services.lineage.row_search import SearchScope, is_visible, join_chains
from answerable.services.lineage.trace_rows import (
    build_trace_coverage,
    build_trace_item,
)
from answerable.store.store import EvidenceStore
from answerable.usecases.authorization import explain_decision
from answerable.usecases.evidence import prove
from answerable.usecases.lineage import show_event as flow
from answerable.web.activity_scope import ACTIVITY_PERMISSIONS, build_scope
from answerable.web.break_glass import BREAK_GLASS_SPANS
from answerable.web.pages.revocations import revocation_control
from answerable.web.routing import (
    Forbidden,
    PageAnswer,
    RouteAnswer,
    RouteRequest,
    WebRoute,
)
from answerable.web.store_cache import StoreCache
from answerable.web.svg.chain_diagram import draw_chains
from answerable.web.svg.chain_layout import ChainLinks
from answerable.web.template_filters import entity_page
from answerable.web.visitor import Visitor

_SELF_REPORTED_PREFIX = "self:"


def show_event(desk: StoreCache, visit: Visitor, asked: RouteRequest) -> RouteAnswer:
    """Show an event."""
    around = build_scope(desk, visit)
    number = parse_event_id(asked.query.get("id", ""))
    with desk.open_store() as store:
        rows = flow.find_event_rows(store, around, number) if number else []
        if not rows:
            raise Forbidden
        row = rows[0]
        values = {
            **_chain_values(row, around),
            "records": [record_values(each.event) for each in rows],
            "beside": flow.find_related_events(store, around, row.event),
            "proven": _find_proof(store, row.event.event_id.hex()),
            "coverage": build_trace_coverage(around.inventory, around.chains, desk.now),
        }
    return PageAnswer("event.html", f"Event {row.event.event_id.hex()[:12]}", values)


def _chain_values(row: ChainRow, around: SearchScope) -> Mapping[str, object]:
    """Return the chain of an event and the owners of its agents."""
    item = build_trace_item(row)
    made = draw_chains(
        group_by_chain([item]),
        ChainLinks(SearchQuery(), entity_page),
        [item["event_time"]],
    )
    agents = list(reversed(item["agent_path"]))
    acted = item["hops"]["identity"]["value"]
    return {
        "item": item,
        "picture": made,
        "owners": [
            (each, build_owner_item(around.inventory, each))
            for each in [*agents, *([acted] if acted else [])]
        ],
    }


def record_values(event: AuditEvent) -> Mapping[str, object]:
    """Return the logged fields of an event in reading order."""
    known = [(k, v) for k, v in event.facts if not k.startswith(_SELF_REPORTED_PREFIX)]
    return {
        "event": event,
        "digest": event.raw_sha256.hex(),
        "facts": [(name, value) for name, value in known if name != "behaviour"],
        "said": [
            (k.removeprefix(_SELF_REPORTED_PREFIX), v)
            for k, v in event.facts
            if k[:5] == _SELF_REPORTED_PREFIX
        ],
    }


def _find_proof(store: EvidenceStore, event_id: str) -> InclusionProofItem | str:
    """Return the proof of an event, or the reason why there is none yet."""
    try:
        document = prove.prove_record(store, event_id, now=0)
    except UsageError:
        return "stored and not sealed yet: it is durable, and its proof comes with the next segment"
    except AnswerableError as error:
        return error.message
    return cast("InclusionProofItem", document.items[0])


def show_decision(desk: StoreCache, visit: Visitor, asked: RouteRequest) -> RouteAnswer:
    """Show a decision with its reason and owner."""
    around = build_scope(desk, visit)
    text = asked.query.get("id", "")
    if around.only is not None and parse_event_id(text) is None:
        raise Forbidden  # prefixes could be enumerated
    waiting = decision_records.read_spool(
        desk.spools
    )  # before the store, so that none is missed
    with desk.open_store() as store:
        try:
            document = explain_decision.show_decision(
                store, waiting, text, now=desk.now
            )
            event = decision_records.find_decision(store, waiting, text)[0].event
        except UsageError:
            if around.only is not None:
                raise Forbidden from None
            raise
        row = next(join_chains([event], around))
        if not is_visible(row.chain, around.only):
            raise Forbidden
        item = cast("Sequence[DecisionItem]", document.items)[0]
        values = {
            **_chain_values(row, around),
            "decision": item,
            "others": len(document.items) - 1,
            "why": REASONS.get(item["reason"], ""),
            "breaking": tuple(BREAK_GLASS_SPANS),
            "slot": revocation_control(desk, visit, item["agent"])
            if item["agent"]
            else None,
            "beside": flow.find_related_events(store, around, event),
            "not_read": document.coverage["not_collected"],
            "coverage": build_trace_coverage(around.inventory, around.chains, desk.now),
        }
    return PageAnswer("decision.html", f"Decision {item['id'][:12]}", values)


ROUTES: tuple[WebRoute, ...] = (
    WebRoute("/event", show_event, ACTIVITY_PERMISSIONS, ("id",)),
    WebRoute("/decision", show_decision, ACTIVITY_PERMISSIONS, ("id",)),
)
