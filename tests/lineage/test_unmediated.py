"""`trace --unmediated`: a key in an agent's hand, used beside the gateway."""

from pathlib import Path

import pytest

from answerable.lineage.gateway_mediation import CLOCK_SKEW, MAX_UNENDED
from answerable.model.documents.shared_shapes import Document
from answerable.model.event import AuditEvent, EventOutcome
from answerable.model.ids import build_event_id
from answerable.model.inventory import SightedFacts
from answerable.model.provenance import WrittenBy
from answerable.model.sighting import Sync
from answerable.services.lineage.trace_rows import TraceQuery
from answerable.store.store import EvidenceStore
from answerable.usecases.evidence.ingest_logs import ingest_logs
from answerable.usecases.lineage.find_gateway_bypasses import find_bypassing_events
from tests.connectors.gateway import spool_files
from tests.inventory.fact_builders import agent, arn, credential, link, tool
from tests.inventory.stored_scans import save
from tests.lineage.conftest import NOW, keep, made

AGENT = "agent:declared/reports"
KEY = "cred:aws/AKIAIOSFODNN7EXAMPLE"
USER = arn("user/report-bot")
CLOCK, BOUND = (
    CLOCK_SKEW // 10**9,
    MAX_UNENDED // 10**9,
)  # an event's number is its second


def scanned(
    store: EvidenceStore, *servers: str, name: str = "declared/reports"
) -> None:
    """The agent's key lies in its configuration: in these servers', or in none."""
    facts = SightedFacts(
        agents=(agent(name, scope="home:/home/ana"),),
        tools=tuple(tool(name, server, KEY) for server in servers),  # type: ignore[arg-type]  # an id
        credentials=(credential(KEY),),
        links=(link(KEY, USER),),
    )
    save(store, [Sync("home:a", "home", 1, facts)], 1)


def cloud(second: int, **fields: object) -> AuditEvent:
    return made(second, **({"identity": USER, "credential": KEY} | fields))


def call(
    second: int,
    number: int,
    *,
    seconds: int = 10,
    recorder: str = "r1",
    ended: str = "completed",
    end: int = 0,
    **fields: object,
) -> AuditEvent:
    """A call; its end has the next number unless said."""
    told = {"ended": ended, "milliseconds": str(seconds * 1000)}
    told["ended_sequence"] = str(end or number + 1)
    if ended in ("", "never recorded"):
        told = {"ended": ended} if ended else {}
    base = made(second)
    usual: dict[str, object] = {
        "event_id": build_event_id(
            base.event_time, "gateway", recorder, str(number).encode()
        ),
        "source": "gateway",
        "scope": recorder,
        "written_by": WrittenBy.MEDIATOR,
        "action": "mcp:tools/call",
        "agent": AGENT,
        "tool": "tool:mcp/db/query",
        "recorder": recorder,
        "sequence": number,
        "facts": tuple(sorted(told.items())),
    }
    return made(second, **(usual | fields))


# A recorder of one day: calls at its first and last hour, numbers without a gap.
FRAME = (call(0, 2), call(80_000, 4))


def asked(store: EvidenceStore, **question: object) -> Document:
    return find_bypassing_events(store, TraceQuery(**question), now=NOW)  # type: ignore[arg-type]  # words


def found(store: EvidenceStore, **question: object) -> tuple[list[str], dict[str, int]]:
    """Why each row is there, and what could not be told of the rest."""
    document = asked(store, **question)
    untold = document.coverage["mediation"]["untold"]
    counted = {k: n for k, n in untold.items() if n}
    return [str(item["why"]) for item in document.items], counted  # type: ignore[return-value]  # counts


def test_a_key_used_beside_the_gateway_is_unmediated_use(store: EvidenceStore) -> None:
    scanned(store, "db")
    keep(store, [*FRAME, cloud(4), cloud(10 + CLOCK), cloud(1_000)])
    document = asked(store)
    (item,) = document.items
    assert item["event_id"] == cloud(1_000).event_id.hex()
    assert item["why"] == "no-call"
    assert item["hops"]["agent"]["value"] == AGENT  # type: ignore[index]  # a row
    told = document.coverage["mediation"]
    assert (told["events"], told["mediated"], told["unmediated"]) == (3, 2, 1)
    assert told["agents"] == [AGENT]
    assert (told["clocks_s"], told["unended_s"]) == (CLOCK, BOUND)


def test_a_call_through_another_tool_does_not_hide_it(store: EvidenceStore) -> None:
    scanned(store, "vault")
    keep(store, [*FRAME, cloud(5)])
    assert found(store) == (["other-tool"], {})


def test_two_tools_that_carry_the_key_are_told_apart_by_no_one(
    store: EvidenceStore,
) -> None:
    scanned(store, "vault", "db")
    keep(store, [*FRAME, cloud(5)])
    assert found(store) == ([], {})


def test_a_refused_call_opens_nothing(store: EvidenceStore) -> None:
    scanned(store, "db")
    refused = call(500, 3, ended="", outcome=EventOutcome.DENIED)
    held_back = call(600, 4, end=5, ended="withheld", outcome=EventOutcome.DENIED)
    keep(store, [call(0, 2, end=6), refused, held_back, call(80_000, 7)])
    keep(store, [cloud(501), cloud(601)])
    assert found(store) == (["no-call", "no-call"], {})


def test_a_listen_stream_that_is_open_all_day_hides_nothing(
    store: EvidenceStore,
) -> None:
    scanned(store, "db")
    stream = call(1, 6, seconds=70_000, action="mcp:subscriptions/listen")
    keep(store, [*FRAME, stream, cloud(1_000)])
    assert found(store) == (["no-call"], {})


def test_before_the_first_and_after_the_last_record_nothing_is_told(
    store: EvidenceStore,
) -> None:
    scanned(store, "db")
    keep(store, [call(500, 2), call(80_000, 4), cloud(100), cloud(90_000)])
    assert found(store) == ([], {"no-gateway-records": 2})


def test_without_any_gateway_nothing_is_told_and_that_is_said(
    store: EvidenceStore,
) -> None:
    scanned(store, "db")
    keep(store, [cloud(1)])
    document = asked(store)
    assert document.items == []
    assert document.coverage["mediation"]["untold"]["no-gateway-records"] == 1
    assert "gateway" in document.coverage["not_collected"]


def test_a_number_that_is_missing_leaves_its_time_untold(store: EvidenceStore) -> None:
    scanned(store, "db")
    later = call(2_000, 6)  # 4 and 5 are not here
    keep(store, [call(0, 2), later, call(80_000, 8)])
    keep(store, [cloud(1_000), cloud(2_000 + BOUND), cloud(2_100 + BOUND)])
    assert found(store) == (["no-call"], {"records-missing": 2})
    # What was missing arrives, and the answer is whole.
    keep(store, [call(900, 4, seconds=200)])
    assert found(store) == (["no-call", "no-call"], {})


@pytest.mark.parametrize("lost", [None, 1, 2, 3, 4, 5])
def test_numbers_as_a_recorder_writes_them_show_what_is_lost(
    store: EvidenceStore, tmp_path: Path, lost: int | None
) -> None:
    """Starts, ends, refusals and kills have numbers; not each of them is an event."""
    records = [spool_files.opened(), spool_files.decided(2), spool_files.decided(3)]
    records += [
        spool_files.ended(4, 3),
        spool_files.ended(5, 2),
        spool_files.refused(6),
    ]
    records += [spool_files.decided(7), spool_files.ended(8, 7), spool_files.closed(9)]
    lines = spool_files.spelled(records).splitlines(keepends=True)
    spool_files.write(tmp_path / "spool", b"".join(_without(lines, lost)))
    ingest_logs(store, [f"gateway:{tmp_path / 'spool'}"], now=NOW)
    assert bool(asked(store).coverage["mediation"]["gaps"]) is (lost is not None)


def _without(lines: list[bytes], lost: int | None) -> list[bytes]:
    return [line for n, line in enumerate(lines) if n != lost]


def test_a_call_that_still_runs_leaves_its_time_untold(store: EvidenceStore) -> None:
    """It is stored once it has ended, and until then its one number is missing."""
    scanned(store, "db")
    keep(store, [call(0, 2), call(2_000, 5), call(80_000, 7), cloud(1_000)])
    assert found(store) == ([], {"records-missing": 1})


def test_records_missing_at_the_beginning_may_be_of_any_time_before(
    store: EvidenceStore,
) -> None:
    scanned(store, "db")
    keep(store, [*FRAME, call(40_000, 9, recorder="r2"), cloud(20_000)])
    assert found(store) == ([], {"records-missing": 1})


def test_a_call_whose_end_nobody_knows_is_open_to_the_bound(
    store: EvidenceStore,
) -> None:
    scanned(store, "db")
    crashed = call(500, 6, ended="never recorded", outcome=EventOutcome.UNKNOWN)
    keep(store, [*FRAME, crashed, cloud(501), cloud(1_000), cloud(506 + BOUND)])
    assert found(store) == (["no-call"], {"end-unknown": 1})


def test_an_agent_that_no_gateway_knows_is_not_judged(store: EvidenceStore) -> None:
    scanned(store, "db", name="claude-code/ana")
    keep(store, [*FRAME, cloud(1_000)])
    assert found(store) == ([], {"agent-not-covered": 1})


def test_a_declared_agent_without_a_call_of_its_own_is_judged(
    store: EvidenceStore,
) -> None:
    scanned(store, "db")
    others = {"agent": "agent:declared/other"}
    keep(store, [call(0, 2, **others), call(80_000, 4, **others), cloud(5)])
    assert found(store) == (["no-call"], {})


def test_an_event_whose_agent_is_missing_is_counted_and_not_judged(
    store: EvidenceStore,
) -> None:
    scanned(store, "db")
    keep(store, [*FRAME, cloud(1_000, identity=arn("role/x"), credential="")])
    assert found(store) == ([], {"agent-missing": 1})


def test_what_a_source_says_of_itself_is_neither_event_nor_record(
    store: EvidenceStore,
) -> None:
    scanned(store, "db")
    own = WrittenBy.SELF_REPORTED
    hidden = call(900, 6, seconds=200, written_by=own)
    keep(store, [*FRAME, hidden, cloud(1_000), cloud(1_001, written_by=own)])
    assert found(store) == (["no-call"], {})


def test_a_session_of_the_agents_key_is_its_use_too(store: EvidenceStore) -> None:
    scanned(store, "db")
    session = "cred:aws/ASIAIOSFODNN7EXAMPLE"
    role = arn("role/export")
    assumed = {"action": "sts:AssumeRole", "issued": session, "issued_to": role}
    keep(store, [*FRAME, cloud(5, **assumed)])
    keep(store, [cloud(3_000, identity=role, credential=session)])
    assert found(store) == (["no-call"], {})


def test_questions_narrow_the_rows_and_what_is_counted(store: EvidenceStore) -> None:
    scanned(store, "db")
    keep(store, [*FRAME, *(cloud(1_000 + n) for n in range(4))])
    keep(store, [cloud(2_000, action="iam:CreateUser", outcome=EventOutcome.DENIED)])
    assert len(asked(store, action="iam:*").items) == 1
    assert len(asked(store, agent=AGENT).items) == 5
    newest = asked(store, limit=2)
    assert [item["outcome"] for item in newest.items] == ["success", "denied"]
    assert newest.next == "answerable trace --unmediated --limit 20"
    assert newest.coverage["mediation"]["unmediated"] == 5
    since = made(2_000).event_time
    assert len(asked(store, since=since).items) == 1
    assert len(asked(store, until=since).items) == 4


def test_calls_without_an_event_are_counted_and_not_judged(
    store: EvidenceStore,
) -> None:
    scanned(store, "db")
    web = {"tool": "tool:mcp/web/fetch"}
    keep(store, [*FRAME, call(500, 6), call(700, 8, **web), cloud(501)])
    told = asked(store).coverage["mediation"]
    assert (told["calls"], told["calls_with_identity"]) == (4, 3)
    assert told["calls_without_event"] == 2
    narrowed = asked(store, action="iam:*").coverage["mediation"]
    assert narrowed["calls_without_event"] is None


def test_a_time_without_events_is_not_a_store_without_events(
    store: EvidenceStore,
) -> None:
    keep(store, [cloud(1)])
    document = find_bypassing_events(store, TraceQuery(since=NOW), now=NOW)
    assert document.searched == "no event of a platform log matches the query"
