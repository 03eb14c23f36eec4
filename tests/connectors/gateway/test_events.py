"""What an event says that a decision and its end become."""

import pytest

from answerable.connectors.gateway.parse.call_events import Told, event_of, refusals_of
from answerable.evidence.spool_format import encode
from answerable.model.decision import Target
from answerable.model.event import AuditEvent, Outcome
from answerable.model.provenance import WrittenBy
from answerable.model.spool_record import Act, Ending
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
    raw = encode(end) if end is not None else b""
    return event_of(NAME, Told(record, encode(record)), end, raw)


def test_a_call_tells_the_whole_chain_that_the_gateway_saw() -> None:
    found = event(decided(2), ended(3, 2))
    assert (found.source, found.written_by) == ("gateway", WrittenBy.MEDIATOR)
    assert (found.recorder, found.scope, found.sequence) == (NAME, NAME, 2)
    assert found.person == "person:ana@corp.example"
    assert found.agent == "agent:declared/invoices"
    assert found.tool == "tool:mcp/files/read_file"
    assert found.credential == "cred:token/" + "07" * 32
    assert (found.action, found.outcome) == ("mcp:tools/call", Outcome.SUCCESS)
    assert (found.run, found.decision_id) == ("run-1", found.event_id.hex())


@pytest.mark.parametrize(
    ("decision", "ending", "outcome"),
    [
        (ALLOW, Ending.COMPLETED, Outcome.SUCCESS),
        (ALLOW, Ending.FAILED, Outcome.ERROR),
        (ALLOW, Ending.CANCELLED, Outcome.ERROR),
        (ALLOW, Ending.UNKNOWN, Outcome.UNKNOWN),
        (ALLOW, Ending.UPSTREAM_ERROR, Outcome.UNKNOWN),
        (ALLOW, Ending.WITHHELD, Outcome.DENIED),
        (ALLOW, None, Outcome.UNKNOWN),
        (SHADOWED, Ending.COMPLETED, Outcome.SUCCESS),
        (DENY, None, Outcome.DENIED),
        (ERROR, None, Outcome.ERROR),
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
        (Target.TOOL, "add", "tool:mcp/files/add", "tool:mcp/files/add"),
        (Target.RESOURCE, "file:///srv/a", "file:///srv/a", "tool:mcp/files/*"),
        (Target.PROMPT, "sum", "prompt:mcp/files/sum", "tool:mcp/files/*"),
        (Target.TASK, "t-1", "task:mcp/files/t-1", "tool:mcp/files/*"),
        (Target.LIST, "", "server:mcp/files", "tool:mcp/files/*"),
        (Target.PERSON, "", "server:mcp/files", "tool:mcp/files/*"),
    ],
)
def test_what_is_acted_on_is_named(target, name, resource, tool) -> None:
    found = event(decided(2, act=Act("2026-07-28", "x", "files", target, name)))
    assert (found.resource, found.tool) == (resource, tool)


def test_what_a_stream_watches_are_resources_too() -> None:
    act = Act(
        "2026-07-28",
        "subscriptions/listen",
        "files",
        Target.STREAM,
        watched=("resource:file:///srv/a", "task:t-1"),
    )
    found = event(decided(2, act=act))
    assert found.resources == ("file:///srv/a", "task:mcp/files/t-1")


def test_counted_refusals_are_one_denied_event_with_their_number() -> None:
    record = refused(4, "not-json", 812)
    found = refusals_of(NAME, record, encode(record))
    assert (found.action, found.outcome) == ("mcp:request", Outcome.DENIED)
    assert dict(found.facts) == {"count": "812", "refused": "not-json"}
    assert (found.agent, found.tool, found.decision_id) == ("", "", "")
