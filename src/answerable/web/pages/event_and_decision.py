"""Show the page of one event, and the page of one decision."""

from collections.abc import Mapping, Sequence
from typing import cast

from answerable.model.documents.decisions import DecisionItem
from answerable.model.documents.evidence import InclusionProofItem
from answerable.model.errors import AnswerableError, UsageError
from answerable.model.event import AuditEvent
from answerable.model.lineage import ChainRow
from answerable.presentation.chain_groups import group_by_chain
from answerable.presentation.decision_reasons import REASONS
from answerable.presentation.scanned_owners import build_scanned_owner_item
from answerable.services.authorization import decision_records
from answerable.services.lineage.event_links import SELF_REPORTED_PREFIX
from answerable.services.lineage.lineage_search import (
    SearchScope,
    is_chain_visible,
    join_events_with_chains,
)
from answerable.services.lineage.resource_filter import parse_event_id
from answerable.services.lineage.trace_rows import (
    build_trace_coverage,
    build_trace_item,
)
from answerable.store.store import EvidenceStore
from answerable.usecases.authorization import explain_decision
from answerable.usecases.evidence import verify_and_prove
from answerable.usecases.lineage import show_event as flow
from answerable.web.activity_scope import ACTIVITY_PERMISSIONS, build_search_scope
from answerable.web.break_glass import BREAK_GLASS_SPANS
from answerable.web.chain_links import build_chain_links
from answerable.web.pages.cases import list_open_cases
from answerable.web.pages.revocations import build_revocation_control
from answerable.web.routing import (
    Forbidden,
    PageAnswer,
    RouteAnswer,
    RouteRequest,
    WebRoute,
)
from answerable.web.store_cache import StoreCache
from answerable.web.svg.chain_diagram import draw_chains
from answerable.web.visitor import Visitor


def show_event(
    cache: StoreCache, visitor: Visitor, request: RouteRequest
) -> RouteAnswer:
    """Show an event with its chain, records and proof."""
    scope = build_search_scope(cache, visitor)
    event_id = parse_event_id(request.query.get("id", ""))
    with cache.open_store() as store:
        rows = flow.find_event_rows(store, scope, event_id) if event_id else []
        if not rows:
            raise Forbidden
        row = rows[0]
        values = {
            **_build_chain_values(cache, row, scope),
            "records": [split_logged_fields(each.event) for each in rows],
            "cases": list_open_cases(cache, visitor),
            "related": flow.find_related_events(store, scope, row.event),
            "proven": _find_proof(store, row.event.event_id.hex()),
            "coverage": build_trace_coverage(scope.inventory, scope.chains, cache.now),
        }
    return PageAnswer("event.html", f"Event {row.event.event_id.hex()[:12]}", values)


def _build_chain_values(
    cache: StoreCache, row: ChainRow, scope: SearchScope
) -> Mapping[str, object]:
    """Return the chain diagram of an event and the owners of its subjects."""
    item = build_trace_item(row)
    diagram = draw_chains(
        group_by_chain([item]),
        build_chain_links(cache),
        [item["event_time"]],
    )
    agents = list(reversed(item["agent_path"]))
    identity = item["hops"]["identity"]["value"]
    return {
        "item": item,
        "picture": diagram,
        "owners": [
            (each, build_scanned_owner_item(scope.inventory, each))
            for each in [*agents, *([identity] if identity else [])]
        ],
    }


def split_logged_fields(event: AuditEvent) -> Mapping[str, object]:
    """Return the logged fields of an event; self-reported ones are separate."""
    known = [(k, v) for k, v in event.facts if not k.startswith(SELF_REPORTED_PREFIX)]
    return {
        "event": event,
        "digest": event.raw_sha256.hex(),
        "facts": [(name, value) for name, value in known if name != "behaviour"],
        "said": [
            (k.removeprefix(SELF_REPORTED_PREFIX), v)
            for k, v in event.facts
            if k[:5] == SELF_REPORTED_PREFIX
        ],
    }


def _find_proof(store: EvidenceStore, event_id: str) -> InclusionProofItem | str:
    """Return the inclusion proof of an event, or the reason why there is none."""
    try:
        document = verify_and_prove.prove_record(store, event_id)
    except UsageError:
        return (
            "stored but not sealed yet: the record is durable, and its proof will be "
            "available with the next segment"
        )
    except AnswerableError as error:
        return error.message
    return cast("InclusionProofItem", document.items[0])


def show_decision(
    cache: StoreCache, visitor: Visitor, request: RouteRequest
) -> RouteAnswer:
    """Show a decision with its reason, chain and possible exception."""
    scope = build_search_scope(cache, visitor)
    id_text = request.query.get("id", "")
    if scope.visible_agents is not None and parse_event_id(id_text) is None:
        raise Forbidden  # prefixes could be enumerated
    waiting = decision_records.read_spool(
        cache.spools
    )  # before the store, so that no decision is missed
    with cache.open_store() as store:
        try:
            document = explain_decision.show_decision(
                store, waiting, id_text, now=cache.now
            )
            event = decision_records.find_decision(store, waiting, id_text)[0].event
        except UsageError:
            if scope.visible_agents is not None:
                raise Forbidden from None
            raise
        row = next(join_events_with_chains([event], scope))
        if not is_chain_visible(row.chain, scope.visible_agents):
            raise Forbidden
        item = cast("Sequence[DecisionItem]", document.items)[0]
        values = {
            **_build_chain_values(cache, row, scope),
            "decision": item,
            "others": len(document.items) - 1,
            "why": REASONS.get(item["reason"], ""),
            "breaking": tuple(BREAK_GLASS_SPANS),
            "slot": build_revocation_control(cache, visitor, item["agent"])
            if item["agent"]
            else None,
            "cases": list_open_cases(cache, visitor),
            "related": flow.find_related_events(store, scope, event),
            "not_read": document.coverage["not_collected"],
            "coverage": build_trace_coverage(scope.inventory, scope.chains, cache.now),
        }
    return PageAnswer("decision.html", f"Decision {item['id'][:12]}", values)


ROUTES: tuple[WebRoute, ...] = (
    WebRoute("/event", show_event, ACTIVITY_PERMISSIONS, ("id",)),
    WebRoute("/decision", show_decision, ACTIVITY_PERMISSIONS, ("id",)),
)
