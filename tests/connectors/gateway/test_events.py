"""What an event says that a decision and its end become."""

import pytest

from answerable.connectors.gateway.parse.call_events import (
    RawRecord,
    build_call_event,
    build_refusals_event,
)
from answerable.evidence.spool_format import encode_record
from answerable.model.decision import TargetKind
from answerable.model.event import AuditEvent, EventOutcome
from answerable.model.provenance import WrittenBy
from answerable.model.spool_record import CallOutcome, CallSummary
from tests.connectors.gateway.spool_files import (
    ALLOW,
    DENY,
    ERROR,
    NAME,
    SHADOWED,
    decided,
    ended,
    refused,
)


def event(record, end=None) -> AuditEvent:
    raw = encode_record(end) if end is not None else b""
    return build_call_event(NAME, RawRecord(record, encode_record(record)), end, raw)


def test_a_call_tells_the_whole_chain_that_the_gateway_saw() -> None:
    found = event(decided(2), ended(3, 2))
    assert (found.source, found.written_by) == ("gateway", WrittenBy.MEDIATOR)
    assert (found.recorder, found.scope, found.sequence) == (NAME, NAME, 2)
    assert found.person == "person:ana@corp.example"
    assert found.agent == "agent:declared/invoices"
    assert found.tool == "tool:mcp/files/read_file"
    assert found.credential == "cred:token/" + "07" * 32
    assert (found.action, found.outcome) == ("mcp:tools/call", EventOutcome.SUCCESS)
    assert (found.run, found.decision_id) == ("run-1", found.event_id.hex())


@pytest.mark.parametrize(
    ("decision", "ending", "outcome"),
    [
        (ALLOW, CallOutcome.COMPLETED, EventOutcome.SUCCESS),
        (ALLOW, CallOutcome.FAILED, EventOutcome.ERROR),
        (ALLOW, CallOutcome.CANCELLED, EventOutcome.ERROR),
        (ALLOW, CallOutcome.UNKNOWN, EventOutcome.UNKNOWN),
        (ALLOW, CallOutcome.UPSTREAM_ERROR, EventOutcome.UNKNOWN),
        (ALLOW, CallOutcome.WITHHELD, EventOutcome.DENIED),
        (ALLOW, None, EventOutcome.UNKNOWN),
        (SHADOWED, CallOutcome.COMPLETED, EventOutcome.SUCCESS),
        (DENY, None, EventOutcome.DENIED),
        (ERROR, None, EventOutcome.ERROR),
    ],
)
def test_the_outcome_is_what_is_known(decision, ending, outcome) -> None:
    end = ended(3, 2, ending) if ending is not None else None
    assert event(decided(2, decision), end).outcome is outcome


def test_what_would_have_been_denied_says_so_beside_what_happened() -> None:
    facts = dict(event(decided(2, SHADOWED), ended(3, 2)).facts)
    assert (facts["mode"], facts["effect"], facts["reason"]) == (
        "shadow",
        "deny",
        "no-rule",
    )
    assert facts["ended"] == "completed"


@pytest.mark.parametrize(
    ("target", "name", "resource", "tool"),
    [
        (TargetKind.TOOL, "add", "tool:mcp/files/add", "tool:mcp/files/add"),
        (TargetKind.RESOURCE, "file:///srv/a", "file:///srv/a", "tool:mcp/files/*"),
        (TargetKind.PROMPT, "sum", "prompt:mcp/files/sum", "tool:mcp/files/*"),
        (TargetKind.TASK, "t-1", "task:mcp/files/t-1", "tool:mcp/files/*"),
        (TargetKind.LIST, "", "server:mcp/files", "tool:mcp/files/*"),
        (TargetKind.PERSON, "", "server:mcp/files", "tool:mcp/files/*"),
    ],
)
def test_what_is_acted_on_is_named(target, name, resource, tool) -> None:
    found = event(decided(2, act=CallSummary("2026-07-28", "x", "files", target, name)))
    assert (found.resource, found.tool) == (resource, tool)


def test_what_a_stream_watches_are_resources_too() -> None:
    act = CallSummary(
        "2026-07-28",
        "subscriptions/listen",
        "files",
        TargetKind.STREAM,
        watched=("resource:file:///srv/a", "task:t-1"),
    )
    found = event(decided(2, act=act))
    assert found.resources == ("file:///srv/a", "task:mcp/files/t-1")


def test_counted_refusals_are_one_denied_event_with_their_number() -> None:
    record = refused(4, "not-json", 812)
    found = build_refusals_event(NAME, record, encode_record(record))
    assert (found.action, found.outcome) == ("mcp:request", EventOutcome.DENIED)
    assert dict(found.facts) == {"count": "812", "refused": "not-json"}
    assert (found.agent, found.tool, found.decision_id) == ("", "", "")
