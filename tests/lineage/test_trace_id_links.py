"""Telemetry is linked with the call for which the gateway recorded its trace id."""

from dataclasses import replace
from typing import Any

import pytest

from answerable.gateway.recording.trace_context import parse_trace_id
from answerable.model.event import AuditEvent
from answerable.model.ids import build_event_id
from answerable.model.provenance import WrittenBy
from answerable.services.inventory import snapshots
from answerable.services.lineage.chain_cache import load_or_compute_chains
from answerable.services.lineage.lineage_search import SearchScope
from answerable.store.store import EvidenceStore
from answerable.usecases.inventory.show import show_subject
from tests.lineage.conftest import NOW, keep
from tests.lineage.test_incident import our_records, rows

TRACE = "0af7651916cd43dd8448eb211c80319c"


def call(trace: str = TRACE) -> AuditEvent:
    """A call of the triage agent, with a trace id that it named."""
    first, _ = our_records("gateway")
    facts = sorted((*first.facts, ("self:trace_id", trace)))
    return replace(first, facts=tuple(facts))


def span(trace: str = TRACE) -> AuditEvent:
    """A span that claims another agent, person and tool."""
    usual = call(trace)
    return replace(
        usual,
        event_id=build_event_id(usual.event_time, "otel", "x", trace.encode()),
        source="otel",
        written_by=WrittenBy.SELF_REPORTED,
        action="otel:tools/call",
        credential="",
        agent="",
        tool="",
        run="",
        decision_id="",
        facts=(("self:gen_ai.agent.name", "other"), ("self:trace_id", trace)),
    )


def links(store: EvidenceStore, event: AuditEvent) -> list[Any]:
    inventory = snapshots.load_inventory(store, now=NOW)
    scope = SearchScope(inventory, load_or_compute_chains(store))
    found = show_subject(store, scope, event.event_id.hex(), now=NOW)
    return [row for row in found.items if row["relation"] == "same trace"]


def test_a_span_and_the_recorded_call_of_its_trace_are_linked_both_ways(
    store: EvidenceStore,
) -> None:
    keep(store, [call(), span(), span("f" * 32)])
    (to_call,) = links(store, span())
    assert to_call["value"] == call().event_id.hex()
    assert "agent:declared/triage" in to_call["detail"]
    assert "run d1" in to_call["detail"]
    (to_span,) = links(store, call())
    assert to_span["value"] == span().event_id.hex()
    assert {each["status"] for each in (to_call, to_span)} == {"declared"}
    assert links(store, span("f" * 32)) == []


def test_a_trace_id_changes_no_hop(store: EvidenceStore) -> None:
    first, _ = our_records("gateway")
    keep(store, [first])
    (before,) = rows(store)
    keep(store, [span()])
    after = {row["event_id"]: row["hops"] for row in rows(store)}
    assert after.pop(before["event_id"]) == before["hops"]
    (of_span,) = after.values()
    assert {hop["status"] for hop in of_span.values()} == {"missing"}


@pytest.mark.parametrize(
    ("meta", "found"),
    [
        (f'{{"traceparent":"00-{TRACE}-b7ad6b7169203331-01"}}', TRACE),
        (f'{{"traceparent":"00-{TRACE.upper()}-b7ad6b7169203331-01"}}', ""),
        (f'{{"traceparent":"00-{"0" * 32}-b7ad6b7169203331-01"}}', ""),
        ('{"traceparent":"x"}', ""),
        ('{"traceparent":5}', ""),
        ("{}", ""),
    ],
)
def test_the_trace_id_of_a_message_is_read(meta: str, found: str) -> None:
    body = f'{{"method":"tools/call","params":{{"name":"a","_meta":{meta}}}}}'
    assert parse_trace_id(body.encode()) == found
