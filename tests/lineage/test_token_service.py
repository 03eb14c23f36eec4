"""Chains of tokens that our own service gave, over its records as it writes them."""

import hashlib
from dataclasses import replace

import pytest

from answerable.connectors.gateway.parse.exchange_events import build_exchange_event
from answerable.evidence.spool_format import encode_record
from answerable.model.event import AuditEvent
from answerable.model.ids import build_event_id
from answerable.model.inventory import SightedFacts
from answerable.model.person import OwnerEvidenceKind
from answerable.model.provenance import WrittenBy
from answerable.model.sighting import Sync
from answerable.model.spool_record import ExchangeRecord
from answerable.services.lineage.trace_rows import TraceQuery
from answerable.store.store import EvidenceStore
from answerable.usecases.lineage.trace import trace_events
from tests.inventory.fact_builders import agent, evidence
from tests.inventory.stored_scans import save
from tests.lineage.conftest import NOW, keep, made

ROOT, SUB, LEAF = "agent:declared/root", "agent:declared/sub", "agent:declared/leaf"
ANA, BEN = "person:ana@corp.example", "person:ben@corp.example"
RECORDER = "sts-r1"
TOOL = "tool:mcp/files/read_file"


def digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def token(name: str) -> str:
    return f"cred:token/{digest(name)}"


def record(number: int, what: str = "exchange", **fields: object) -> AuditEvent:
    """The event of a record of the token service; tokens are named by words."""
    for name in ("subject", "issued"):
        if name in fields:
            fields[name] = digest(str(fields[name]))
    at = made(number).event_time
    usual = {"id": "00" * 16, "what": what, "expires": 2 * 10**9}
    found = ExchangeRecord(number, at, **(usual | fields))  # type: ignore[arg-type]  # fields of a record
    return build_exchange_event(RECORDER, found, encode_record(found))


def given(*, person: str = "", owner: str = BEN) -> list[AuditEvent]:
    """Root, sub and leaf: a token each, and the tickets from one to the next."""
    root, sub, leaf = (ROOT,), (ROOT, SUB), (ROOT, SUB, LEAF)
    all_of: dict[str, object] = {"person": person, "owner": owner}
    handed: dict[str, object] = {"person": person}  # a ticket names no owner
    first = {"agent": ROOT, "chain": root, "delegation": "d1"}
    second = {"agent": SUB, "chain": sub}
    third = {"agent": LEAF, "chain": leaf}
    return [
        record(1, subject="first", issued="T1", **first, **all_of),
        record(2, "ticket", subject="T1", issued="K1", **second, **handed),
        record(3, subject="K1", issued="T2", delegation="d2", **second, **all_of),
        record(4, "ticket", subject="T2", issued="K2", **third, **handed),
        record(5, subject="K2", issued="T3", delegation="d3", **third, **all_of),
    ]


def call(
    number: int = 50,
    shown: str = "T3",
    who: str = LEAF,
    run: str = "d3",
    **more: object,
) -> AuditEvent:
    usual: dict[str, object] = {
        "event_id": build_event_id(
            made(number).event_time, "gateway", "r", b"%d" % number
        ),
        "source": "gateway",
        "scope": "r",
        "written_by": WrittenBy.MEDIATOR,
        "action": "mcp:tools/call",
        "credential": token(shown),
        "agent": who,
        "tool": TOOL,
        "run": run,
        "decision_id": "01",
    }
    return made(number, **(usual | more))


def row(store: EvidenceStore, **asked: object) -> dict[str, object]:
    """The row of the one call."""
    (item,) = trace_events(
        store, TraceQuery(**(asked or {"tool": TOOL})), now=NOW
    ).items  # type: ignore[arg-type]  # words
    return dict(item)


def hop(item: dict[str, object], name: str) -> tuple[str, str]:
    found = item["hops"][name]  # type: ignore[index]  # a row
    return found["value"], found["status"]


def source(item: dict[str, object], name: str) -> str:
    return str(item["hops"][name]["source"])  # type: ignore[index]  # a row


PATH = [token(each) for each in ("first", "T1", "K1", "T2", "K2", "T3")]


def test_a_leaf_of_depth_three_leads_to_everyone_it_acts_for(
    store: EvidenceStore,
) -> None:
    keep(store, [*given(person=ANA), call(person=ANA)])
    item = row(store)
    assert item["agent_path"] == [ROOT, SUB, LEAF]
    assert item["credential_path"] == PATH
    assert hop(item, "person") == (ANA, "observed")
    assert hop(item, "agent") == (LEAF, "observed")
    assert hop(item, "tool") == (TOOL, "observed")


def test_an_exchange_that_is_ingested_late_improves_the_row(
    store: EvidenceStore,
) -> None:
    *early, last = given()
    keep(store, [*early, call()])
    before = row(store)
    assert before["agent_path"] == [LEAF]
    assert before["credential_path"] == [token("T3")]
    keep(store, [last])
    after = row(store)
    assert after["event_id"] == before["event_id"]
    assert after["agent_path"] == [ROOT, SUB, LEAF]
    assert after["credential_path"] == PATH
    assert hop(after, "person") == (BEN, "observed")


def test_without_the_exchange_the_row_names_the_record_that_would_tell(
    store: EvidenceStore,
) -> None:
    keep(store, [*given()[:-1], call()])
    item = row(store)
    assert hop(item, "person") == ("", "missing")
    gap = f"the record that issued {token('T3')} (sts)"
    assert source(item, "person") == f"{gap}, or an owner of {LEAF}"
    assert hop(item, "agent") == (LEAF, "observed")
    assert source(item, "agent") == f"gateway; {gap} would supply the person"


def test_without_an_exchange_further_up_who_acts_for_whom_is_still_told(
    store: EvidenceStore,
) -> None:
    """Each record has the whole chain of agents; the credentials end at the gap."""
    first, ticket, _, *rest = given()
    keep(store, [first, ticket, *rest, call()])
    item = row(store)
    assert item["agent_path"] == [ROOT, SUB, LEAF]
    assert item["credential_path"] == [token(each) for each in ("T2", "K2", "T3")]
    assert hop(item, "person") == (BEN, "observed")


def test_a_refused_exchange_joins_nothing(store: EvidenceStore) -> None:
    *early, last = given()
    refused = record(
        5,
        subject="K2",
        issued="T3",
        agent=LEAF,
        chain=(ROOT, SUB, LEAF),
        delegation="d3",
        owner=BEN,
        error="invalid_grant",
        reason="no-rule",
    )
    assert refused.event_id == last.event_id
    keep(store, [*early, refused, call()])
    item = row(store)
    assert item["credential_path"] == [token("T3")]
    assert hop(item, "person") == ("", "missing")


def test_a_refused_exchange_has_a_row_of_its_own(store: EvidenceStore) -> None:
    refused = record(6, subject="T1", agent=ROOT, chain=(ROOT,), error="invalid_target")
    keep(store, [*given(), refused])
    items = trace_events(store, TraceQuery(credential=token("T1")), now=NOW).items
    (item,) = (dict(each) for each in items if each["outcome"] == "denied")
    assert item["agent_path"] == [ROOT]
    assert hop(item, "person") == (BEN, "observed")


def test_a_token_whose_digest_begins_alike_is_another_token(
    store: EvidenceStore,
) -> None:
    """Of another service, or made to look alike: a digest counts whole."""
    whole = digest("T3")
    for number, other in enumerate(
        (whole[:-1] + "x", whole[:32] + "0" * 32, whole[:16])
    ):
        alike = {"credential": f"cred:token/{other}", "run": "jti-1"}
        keep(store, [call(60 + number, who="agent:caller/other/x", **alike)])
    keep(store, given(person=ANA))
    for item in trace_events(store, TraceQuery(tool=TOOL), now=NOW).items:
        found = dict(item)
        assert len(found["credential_path"]) == 1  # type: ignore[arg-type]  # a list
        assert hop(found, "person") == ("", "missing")
        assert found["agent_path"] == ["agent:caller/other/x"]


def test_a_run_that_another_issuer_chose_makes_no_one_answer_for_it(
    store: EvidenceStore,
) -> None:
    """A foreign token's run is its `jti`, which its issuer writes."""
    other = "agent:caller/other/x"
    keep(store, [*given(), call(shown="foreign", who=other, run="d3")])
    item = row(store)
    assert item["agent_path"] == [other]
    assert hop(item, "person") == ("", "missing")


def test_a_source_that_speaks_of_itself_gives_no_token(store: EvidenceStore) -> None:
    *early, last = given()
    said = replace(last, written_by=WrittenBy.SELF_REPORTED)
    keep(store, [*early, said, call()])
    assert row(store)["credential_path"] == [token("T3")]


def test_a_person_who_signed_in_stands_before_the_owner(store: EvidenceStore) -> None:
    """The ID token named her; the agents' owner is somebody else."""
    keep(store, [*given(person=ANA, owner=BEN), call()])
    item = row(store)
    assert hop(item, "person") == (ANA, "observed")
    assert source(item, "person").startswith("sts event ")


def test_a_person_by_the_launchers_rule_is_in_the_record_of_the_exchange(
    store: EvidenceStore,
) -> None:
    """No token was shown at the start: the kernel named who started it."""
    started = record(
        1,
        issued="T1",
        agent=ROOT,
        chain=(ROOT,),
        delegation="d1",
        person=ANA,
        owner=BEN,
        attestor="launcher",
        run="start-1",
    )
    keep(store, [started, call(shown="T1", who=ROOT, run="d1")])
    item = row(store)
    assert hop(item, "person") == (ANA, "observed")
    assert item["credential_path"] == [token("T1")]


def test_an_autonomous_agents_attested_owner_answers(store: EvidenceStore) -> None:
    keep(store, [*given(owner=BEN), call()])
    item = row(store)
    assert hop(item, "person") == (BEN, "observed")
    assert source(item, "person").startswith(f"attested owner of {LEAF}: sts event ")


def test_without_an_attested_owner_a_declared_one_answers(store: EvidenceStore) -> None:
    declared = agent("declared/leaf", scope="")
    said = evidence(declared.id, "ana@corp.example", OwnerEvidenceKind.OWNER_TAG)
    facts = SightedFacts(agents=(declared,), evidence=(said,))
    save(store, [Sync("config:a", "config", 1, facts)], 1)
    keep(store, [*given(owner=""), call()])
    assert hop(row(store), "person") == (ANA, "declared")


@pytest.mark.parametrize("person", ["", ANA])
def test_each_record_of_the_service_has_the_chain_as_it_stood(
    store: EvidenceStore, person: str
) -> None:
    """A ticket's row ends in whom it was made for, an exchange's in who asked."""
    keep(store, given(person=person))
    items = trace_events(store, TraceQuery(agent=ROOT), now=NOW).items
    lines = [[ROOT], [ROOT, SUB], [ROOT, SUB], [ROOT, SUB, LEAF], [ROOT, SUB, LEAF]]
    assert [item["agent_path"] for item in items] == lines
    # A ticket names no owner: who answers for its maker does.
    who = {hop(dict(item), "person") for item in items}
    assert who == {(person or BEN, "observed")}


def test_an_exchange_within_a_run_keeps_the_chain(store: EvidenceStore) -> None:
    """A token for another server: of the same delegation, under the first."""
    narrowed = record(
        7,
        subject="T3",
        issued="T4",
        agent=LEAF,
        chain=(ROOT, SUB, LEAF),
        delegation="d3",
        owner=BEN,
    )
    keep(store, [*given(), narrowed, call(shown="T4")])
    item = row(store)
    assert item["agent_path"] == [ROOT, SUB, LEAF]
    assert item["credential_path"] == [*PATH, token("T4")]
