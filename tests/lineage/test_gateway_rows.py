"""Rows of a gateway: agent and tool are observed, and an agent's owner answers."""

from answerable.model.event import EventOutcome
from answerable.model.ids import build_event_id
from answerable.model.inventory import SightedFacts
from answerable.model.person import OwnerEvidenceKind
from answerable.model.provenance import WrittenBy
from answerable.model.sighting import Sync
from answerable.services.inventory import snapshots
from answerable.services.lineage.recorded_calls import count_recorded_calls
from answerable.services.lineage.trace_rows import TraceQuery
from answerable.store.store import EvidenceStore
from answerable.usecases.lineage.run_sql import run_sql_query
from answerable.usecases.lineage.score_sources import count_hop_coverage
from answerable.usecases.lineage.trace import trace_events
from tests.inventory.fact_builders import NOW as SEEN
from tests.inventory.fact_builders import agent, evidence
from tests.inventory.stored_scans import save
from tests.lineage.conftest import NOW, keep, made

AGENT = "agent:declared/invoices"


def call(number: int, **fields: object):
    at = NOW - 10**12 + number * 10**9
    key = build_event_id(at, "gateway", "recorder", str(number).encode())
    usual = {
        "event_id": key,
        "source": "gateway",
        "scope": "recorder",
        "written_by": WrittenBy.MEDIATOR,
        "action": "mcp:tools/call",
        "resource": "tool:mcp/files/read_file",
        "agent": AGENT,
        "tool": "tool:mcp/files/read_file",
        "run": "run-1",
        "decision_id": key.hex(),
        "facts": (("effect", "allow"), ("ended", "completed"), ("mode", "enforce")),
    }
    return made(number, **(usual | fields))


def hops(store: EvidenceStore, **asked: str) -> dict[str, tuple[str, str]]:
    (item,) = trace_events(store, TraceQuery(**asked), now=NOW).items
    return {k: (hop["value"], hop["status"]) for k, hop in item["hops"].items()}


def test_who_owns_the_agent_answers_where_no_person_was_named(
    store: EvidenceStore,
) -> None:
    declared = agent("declared/invoices", scope="")
    owner = evidence(declared.id, "ana@corp.example", OwnerEvidenceKind.OWNER_TAG)
    facts = SightedFacts(agents=(declared,), evidence=(owner,))
    save(store, [Sync("config:a", "config", SEEN, facts)], SEEN)
    keep(store, [call(1)])
    found = hops(store, agent=AGENT)
    assert found["person"] == ("person:ana@corp.example", "declared")
    assert found["agent"] == (AGENT, "observed")
    assert found["tool"] == ("tool:mcp/files/read_file", "observed")


def test_without_a_person_or_an_owner_the_gap_says_what_would_tell(
    store: EvidenceStore,
) -> None:
    keep(store, [call(1)])
    (item,) = trace_events(store, TraceQuery(tool="read_file"), now=NOW).items
    person, identity = item["hops"]["person"], item["hops"]["identity"]
    assert (person["status"], person["source"]) == ("missing", f"an owner of {AGENT}")
    assert identity["status"] == "missing"
    assert "platform of tool:mcp/files/read_file" in identity["source"]


def test_a_self_reported_agent_or_tool_is_not_observed(store: EvidenceStore) -> None:
    keep(store, [call(1, source="otel", written_by=WrittenBy.SELF_REPORTED)])
    found = hops(store)
    assert {found[hop] for hop in ("person", "agent", "tool", "identity")} == {
        ("", "missing")
    }


def test_a_gateways_calls_are_no_calls_of_a_platform(store: EvidenceStore) -> None:
    keep(store, [call(1), made(2)])
    declared = agent("declared/invoices", scope="")
    facts = SightedFacts(agents=(declared,))
    save(store, [Sync("config:a", "config", NOW, facts)], NOW)
    assert count_recorded_calls(store, snapshots.load_inventory(store), AGENT) == []


def test_the_score_counts_what_a_gateway_can_tell(store: EvidenceStore) -> None:
    keep(store, [call(n) for n in range(3)])
    found = {item["hop"]: item for item in count_hop_coverage(store, now=NOW).items}
    assert found["agent"]["observed"] == found["tool"]["observed"] == 3
    assert found["agent"]["can"] == "for every caller that it verified"
    assert found["identity"]["can"] == "no"


def test_the_view_of_decisions_has_a_row_per_decision(store: EvidenceStore) -> None:
    denied = {"outcome": EventOutcome.DENIED, "facts": (("effect", "deny"),)}
    keep(store, [call(1), call(2, **denied), made(3)])
    query = (
        "SELECT agent, tool, outcome, effect, mode FROM decisions ORDER BY event_time"
    )
    rows = run_sql_query(store, snapshots.load_inventory(store), query, now=NOW).items
    tool = "tool:mcp/files/read_file"
    assert [tuple(row.values()) for row in rows] == [
        (AGENT, tool, "success", "allow", "enforce"),
        (AGENT, tool, "denied", "deny", None),
    ]


def test_who_came_to_the_page_is_a_person_and_no_agent_is_looked_for(
    store: EvidenceStore,
) -> None:
    usual = {"source": "web", "agent": "", "tool": "", "decision_id": "", "facts": ()}
    fields = {**usual, "action": "web:sign-in", "resource": "", "run": ""}
    keep(store, [call(1, **fields, person="person:ana@corp.example")])
    (item,) = trace_events(store, TraceQuery(action="web:*"), now=NOW).items
    told = {k: (hop["value"], hop["source"]) for k, hop in item["hops"].items()}
    assert told["person"][0] == "person:ana@corp.example"
    assert told["agent"] == (
        "",
        "a person used the web page without an agent",
    )
    assert told["identity"] == ("", "a person signed in to the web page")
    assert "configuration" not in str(item["hops"])
