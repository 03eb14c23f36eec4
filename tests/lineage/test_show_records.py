"""`show` of a decision, and of things that only a gateway's records name."""

from dataclasses import replace
from pathlib import Path

import pytest

from answerable.model.documents.shared_shapes import Document
from answerable.model.errors import UsageError
from answerable.model.event import AuditEvent
from answerable.model.provenance import WrittenBy
from answerable.services.inventory import snapshots
from answerable.services.lineage.chain_cache import load_or_compute_chains
from answerable.services.lineage.lineage_search import SearchScope
from answerable.store.store import EvidenceStore
from answerable.usecases.inventory.show import show_subject
from tests.lineage.conftest import NOW, ask, keep, made
from tests.lineage.test_gateway_rows import AGENT, call

TOOL = "tool:mcp/files/read_file"
DECISION = "d" * 32


def shown(
    store: EvidenceStore, text: str, visible: frozenset[str] | None = None
) -> Document:
    inventory = snapshots.load_inventory(store)
    scope = SearchScope(inventory, load_or_compute_chains(store), visible)
    return show_subject(store, scope, text, now=NOW)


def links(document: Document) -> set[tuple[object, object, object]]:
    return {(row["kind"], row["relation"], row["value"]) for row in document.items}


@pytest.fixture
def recorded(store: EvidenceStore) -> AuditEvent:
    """A call of an agent, which a decision of another id allowed."""
    event: AuditEvent = call(1, decision_id=DECISION)
    keep(store, [event])
    return event


@pytest.mark.parametrize("text", [DECISION, DECISION[:8]])
def test_a_decision_leads_to_its_event_agent_and_tool(
    store: EvidenceStore, recorded: AuditEvent, text: str
) -> None:
    document = shown(store, text)
    assert {row["subject"] for row in document.items} == {DECISION}
    assert {
        ("decision", "is", DECISION),
        ("fact", "effect", "allow"),
        ("event", "recorded as", recorded.event_id.hex()),
        ("agent", "by", AGENT),
        ("tool", "by", TOOL),
    } <= links(document)
    assert document.next == f"answerable decision {DECISION}"


def test_an_event_leads_to_its_decision(
    store: EvidenceStore, recorded: AuditEvent
) -> None:
    document = shown(store, recorded.event_id.hex())
    assert ("decision", "decided by", DECISION) in links(document)


def test_an_agent_that_no_scan_found_has_its_activity(
    store: EvidenceStore, recorded: AuditEvent
) -> None:
    document = shown(store, AGENT)
    assert ("decision", "decided by", DECISION) in links(document)
    assert ("tool", "seen with", TOOL) in links(document)
    (tools,) = [row for row in document.items if row["relation"] == "has"]
    assert (tools["value"], tools["status"]) == (None, "missing")


def test_the_activity_of_others_is_hidden(
    store: EvidenceStore, recorded: AuditEvent
) -> None:
    for text in (DECISION, DECISION[:8], recorded.event_id.hex(), AGENT):
        with pytest.raises(UsageError, match="unknown id or name"):
            shown(store, text, frozenset({"agent:declared/other"}))
    own = shown(store, AGENT, frozenset({AGENT}))
    assert ("decision", "decided by", DECISION) in links(own)


def test_a_record_that_an_agent_wrote_is_marked(
    store: EvidenceStore, recorded: AuditEvent, tmp_path: Path
) -> None:
    said = replace(call(2, decision_id=""), written_by=WrittenBy.SELF_REPORTED)
    keep(store, [said])
    rows = shown(store, said.event_id.hex()).items
    facts = [row for row in rows if row["relation"] in ("is", "action", "effect")]
    assert {row["written_by"] for row in facts} == {"self-reported"}
    assert {row["status"] for row in facts} == {"declared"}


def test_a_credential_and_its_events_show_its_lifetime(day: EvidenceStore) -> None:
    (item, *_) = [row for row in ask(day) if row["credential_to"]]
    span = f"valid {item['credential_from']} to {item['credential_to']}"
    acting = item["credential_path"][-1]
    facts = {r["relation"]: r["value"] for r in shown(day, acting).items}
    assert facts["lifetime"] == span
    told = {r["value"]: r["detail"] for r in shown(day, item["event_id"]).items}
    assert told[acting] == span


def test_an_event_with_different_records_shows_the_facts_of_both(
    store: EvidenceStore,
) -> None:
    records = [
        made(1, source_ip=f"192.0.2.{n}", raw_sha256=bytes([n]) * 32, action=action)
        for n, action in ((1, "s3:GetObject"), (2, "s3:PutObject"))
    ]
    keep(store, records)
    rows = [
        (row["relation"], row["value"], row["detail"])
        for row in shown(store, records[0].event_id.hex()).items
    ]
    assert ("records", "2", "with different bytes") in rows
    assert ("from address", "192.0.2.1", "") in rows
    assert ("from address", "192.0.2.2", "record 2") in rows
    assert ("action", "s3:PutObject", "record 2") in rows
