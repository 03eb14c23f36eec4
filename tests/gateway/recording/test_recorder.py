"""What is decided and how it ended: numbered, chained, and on disk when it says so."""

import asyncio
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from answerable.gateway.recording.recorder import GatewayRecorder
from answerable.model.errors import EnvironmentFailure
from answerable.model.ids import AgentId, build_event_id
from answerable.model.spool_record import (
    CallEndRecord,
    CallOutcome,
    DecisionRecord,
    RecorderClosed,
    RecorderOpened,
    RefusalCountRecord,
)
from answerable.model.worker_limits import WorkerLimits
from answerable.server.recording.record_ticket import NotRecorded
from answerable.server.recording.refusal_counts import MAX_KEYS, MAX_KEYS_PER_AGENT
from tests.gateway.recording.recorder_fixture import (
    BODY,
    BUFFERED,
    CALL,
    CALLER,
    COMPLETED,
    DENIED,
    DURABLE,
    OTHER,
    SECRET,
    TOKEN,
    is_recorded,
    lines,
    recording,
    records,
    until,
)


def test_a_call_leaves_its_decision_and_its_end_between_start_and_close(
    tmp_path: Path,
) -> None:
    async def story(recorder: GatewayRecorder) -> None:
        ticket = recorder.record_decision(CALLER, CALL, BUFFERED, BODY)
        assert ticket.durable is None
        recorder.record_end(ticket, COMPLETED)

    name = recording(tmp_path, story)
    opened, decided, ended, closed = records(tmp_path)
    assert isinstance(opened, RecorderOpened)
    assert (opened.recorder, opened.worker, opened.previous) == (name, 0, "")
    assert isinstance(decided, DecisionRecord)
    assert (decided.caller, decided.decision) == (CALLER, BUFFERED)
    assert (decided.act.server, decided.act.name) == ("files", "read_file")
    assert decided.act.size == len(BODY)
    assert isinstance(ended, CallEndRecord)
    assert (ended.decided, ended.end) == (decided.sequence, COMPLETED)
    assert isinstance(closed, RecorderClosed)


def test_records_are_numbered_without_a_gap_across_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "answerable.server.recording.spool_segments.SEGMENT_BYTES", 4000
    )

    async def story(recorder: GatewayRecorder) -> None:
        for _ in range(20):
            for _ in range(3):
                recorder.record_decision(CALLER, CALL, DENIED, BODY)
            waits = recorder.record_decision(CALLER, CALL, DURABLE, BODY)
            assert waits.durable is not None
            await waits.durable

    recording(tmp_path, story)
    assert len(list(tmp_path.glob("*/*.jsonl"))) > 5
    numbers = [record.sequence for record in records(tmp_path)]
    assert numbers == list(range(1, 83))


def test_a_durable_decision_is_on_disk_when_its_future_is_done(tmp_path: Path) -> None:
    async def story(recorder: GatewayRecorder) -> None:
        for _ in range(10):
            ticket = recorder.record_decision(CALLER, CALL, DURABLE, BODY)
            assert ticket.durable is not None
            await ticket.durable
            assert ticket.id.encode() in lines(tmp_path)[-1]

    recording(tmp_path, story)


def test_durable_decisions_that_wait_together_share_a_sync(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    syncs: list[int] = []
    monkeypatch.setattr("os.fdatasync", syncs.append)

    async def story(recorder: GatewayRecorder) -> None:
        tickets = [
            recorder.record_decision(CALLER, CALL, DURABLE, BODY) for _ in range(200)
        ]
        await asyncio.gather(*(t.durable for t in tickets if t.durable is not None))

    recording(tmp_path, story)
    assert len(syncs) < 20


def test_a_buffered_decision_reaches_the_disk_without_being_asked(
    tmp_path: Path,
) -> None:
    async def story(recorder: GatewayRecorder) -> None:
        ticket = recorder.record_decision(CALLER, CALL, BUFFERED, BODY)
        await until(lambda: ticket.id.encode() in b"".join(lines(tmp_path)))

    recording(tmp_path, story)


def test_neither_arguments_nor_token_are_kept(tmp_path: Path) -> None:
    async def story(recorder: GatewayRecorder) -> None:
        recorder.record_decision(CALLER, CALL, BUFFERED, BODY)

    recording(tmp_path, story)
    (decided,) = (r for r in records(tmp_path) if isinstance(r, DecisionRecord))
    assert len(decided.act.arguments) == 64
    assert decided.caller.token_sha256 == TOKEN
    assert SECRET.encode() not in b"".join(lines(tmp_path))


def test_what_has_no_arguments_has_no_digest_of_them(tmp_path: Path) -> None:
    async def story(recorder: GatewayRecorder) -> None:
        bare = msgspec.structs.replace(CALL, arguments=memoryview(b""))
        recorder.record_decision(CALLER, bare, BUFFERED, BODY)

    recording(tmp_path, story)
    (decided,) = (r for r in records(tmp_path) if isinstance(r, DecisionRecord))
    assert decided.act.arguments == ""


def test_a_decision_id_is_the_id_of_the_event_it_becomes(tmp_path: Path) -> None:
    async def story(recorder: GatewayRecorder) -> None:
        ticket = recorder.record_decision(CALLER, CALL, DENIED, BODY)
        await until(lambda: len(lines(tmp_path)) > 1)
        decided = records(tmp_path)[1]
        native = str(decided.sequence).encode()
        key = build_event_id(decided.at, "gateway", recorder.name, native)
        assert ticket.id == key.hex()

    recording(tmp_path, story)


def test_what_cannot_be_written_takes_no_number(tmp_path: Path) -> None:
    async def story(recorder: GatewayRecorder) -> None:
        unspelled = replace(CALLER, run="\ud800")
        for later in (False, True):
            with pytest.raises(UnicodeEncodeError):
                recorder.record_decision(
                    unspelled, CALL, BUFFERED, BODY, None, None, later
                )
        recorder.record_decision(CALLER, CALL, DENIED, BODY)

    recording(tmp_path, story)
    assert [record.sequence for record in records(tmp_path)] == [1, 2, 3]


def test_an_end_is_recorded_once_and_only_for_a_call_that_went_on(
    tmp_path: Path,
) -> None:
    async def story(recorder: GatewayRecorder) -> None:
        passed = recorder.record_decision(CALLER, CALL, BUFFERED, BODY)
        recorder.record_end(passed, COMPLETED)
        recorder.record_end(passed, COMPLETED)
        recorder.record_end(
            recorder.record_decision(CALLER, CALL, DENIED, BODY), COMPLETED
        )

    recording(tmp_path, story)
    assert sum(isinstance(record, CallEndRecord) for record in records(tmp_path)) == 1


def test_a_new_recorder_names_the_one_before_it_of_its_worker(tmp_path: Path) -> None:
    async def story(recorder: GatewayRecorder) -> None:
        recorder.record_decision(CALLER, CALL, DENIED, BODY)

    first = recording(tmp_path / "a", story)
    (tmp_path / "b").mkdir()
    for path in (tmp_path / "a").iterdir():
        path.rename(tmp_path / "b" / path.name)
    second = recording(tmp_path / "b", story)
    opened = [
        line for line in lines(tmp_path / "b") if line.startswith(b'{"kind":"opened"')
    ]
    (found,) = (line for line in opened if second.encode() in line[:90])
    assert f'"previous":"{first}","recorded":3'.encode() in found


def test_refusals_are_counted_by_reason_and_say_nothing_of_the_unknown(
    tmp_path: Path,
) -> None:
    async def story(recorder: GatewayRecorder) -> None:
        for number in range(1000):
            recorder.count_refused("not-json", None, f"made-up-{number}", "x" * number)
        recorder.count_refused("unknown-method", CALLER, "files", "tools/steal")
        await until(lambda: b'"refused"' in b"".join(lines(tmp_path)))

    recording(tmp_path, story)
    refused = [r for r in records(tmp_path) if isinstance(r, RefusalCountRecord)]
    assert [(r.why, r.count, r.agent, r.server, r.method) for r in refused] == [
        ("not-json", 1000, "", "", ""),
        ("unknown-method", 1, CALLER.agent, "files", "tools/steal"),
    ]


def test_one_caller_cannot_make_ever_more_records_of_refusals(tmp_path: Path) -> None:
    async def story(recorder: GatewayRecorder) -> None:
        for number in range(5000):
            recorder.count_refused(
                "unknown-method", CALLER, "files", f"m{number}" * 100
            )

    recording(tmp_path, story)
    refused = [r for r in records(tmp_path) if isinstance(r, RefusalCountRecord)]
    assert len(refused) == MAX_KEYS_PER_AGENT + 1
    assert sum(r.count for r in refused) == 5000
    assert max(len(r.method) for r in refused) == 256
    assert {r.agent for r in refused} == {CALLER.agent}


def test_no_caller_makes_what_another_asked_for_be_left_out(tmp_path: Path) -> None:
    async def story(recorder: GatewayRecorder) -> None:
        for number in range(500):
            recorder.count_refused("unknown-method", CALLER, "files", f"m{number}")
        recorder.count_refused("unknown-method", OTHER, "files", "tools/steal")

    recording(tmp_path, story)
    refused = [r for r in records(tmp_path) if isinstance(r, RefusalCountRecord)]
    (other,) = (r for r in refused if r.agent == OTHER.agent)
    assert (other.server, other.method, other.count) == ("files", "tools/steal", 1)


def test_refusals_of_very_many_callers_are_few_records(tmp_path: Path) -> None:
    async def story(recorder: GatewayRecorder) -> None:
        for number in range(5000):
            agent = AgentId(f"agent:caller/corp/{number}")
            recorder.count_refused(
                "not-json", replace(CALLER, agent=agent), "files", ""
            )

    recording(tmp_path, story)
    refused = [r for r in records(tmp_path) if isinstance(r, RefusalCountRecord)]
    assert len(refused) == MAX_KEYS + 1
    assert sum(r.count for r in refused) == 5000


def test_refusals_are_of_their_agents_quota(tmp_path: Path) -> None:
    def turn_away(recorder: GatewayRecorder) -> None:
        for number in range(30):
            recorder.count_refused("unknown-method", CALLER, "files", f"m{number}" * 80)

    async def story(recorder: GatewayRecorder) -> None:
        turn_away(recorder)
        await until(lambda: len(lines(tmp_path)) > 1)
        with pytest.raises(NotRecorded, match="agent-quota"):
            recorder.record_decision(CALLER, CALL, BUFFERED, BODY)
        turn_away(recorder)
        recorder.record_decision(OTHER, CALL, BUFFERED, BODY)

    recording(tmp_path, story, WorkerLimits(spool_per_agent=4_000))
    refused = [r for r in records(tmp_path) if isinstance(r, RefusalCountRecord)]
    spelled = [r for r in refused if r.method]
    (folded,) = (r for r in refused if r.why == "unknown-method" and not r.method)
    assert (len(spelled), folded.agent, folded.count) == (30, CALLER.agent, 30)


def test_what_is_closed_records_nothing_more(tmp_path: Path) -> None:
    async def story(recorder: GatewayRecorder) -> None:
        waits = recorder.record_decision(CALLER, CALL, DURABLE, BODY)
        recorder.close()
        assert waits.durable is not None
        await waits.durable  # told only now that it is on disk
        for decision in (BUFFERED, DURABLE, DENIED):
            with pytest.raises(NotRecorded):
                recorder.record_decision(CALLER, CALL, decision, BODY)

    async def run() -> None:
        await story(
            GatewayRecorder(tmp_path, 0, asyncio.get_running_loop(), WorkerLimits())
        )

    asyncio.run(run())
    assert isinstance(records(tmp_path)[-1], RecorderClosed)


def test_refusals_are_recorded_at_the_end_however_full_the_spool_is(
    tmp_path: Path,
) -> None:
    async def story(recorder: GatewayRecorder) -> None:
        recorder.record_decision(CALLER, CALL, BUFFERED, BODY)
        await until(lambda: recorder.journal.unshipped_bytes >= 500)
        with pytest.raises(NotRecorded, match="spool-full"):
            recorder.record_decision(CALLER, CALL, BUFFERED, BODY)

    recording(tmp_path, story, WorkerLimits(spool=500))
    (refused,) = (r for r in records(tmp_path) if isinstance(r, RefusalCountRecord))
    assert (refused.why, refused.agent) == ("unrecorded-spool-full", CALLER.agent)


def test_a_recorder_that_does_not_come_up_leaves_the_one_before_it_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(recorder: GatewayRecorder) -> None:
        recorder.record_decision(CALLER, CALL, DENIED, BODY)

    def fail(*_: object) -> None:
        raise EnvironmentFailure("the disk is full")

    first = recording(tmp_path, story)
    with monkeypatch.context() as patched:
        patched.setattr("answerable.server.recording.journal.SegmentWriter", fail)
        with pytest.raises(EnvironmentFailure):
            recording(tmp_path, story)
    assert (tmp_path / "worker-0").read_text() == f"{first}\n"


def spend(recorder: GatewayRecorder) -> None:
    """Record more than a small quota holds."""
    for _ in range(100):
        recorder.record_decision(CALLER, CALL, BUFFERED, BODY)


def remove_files(spool: Path) -> None:
    """Do what shipping does in the end."""
    for path in spool.glob("*/*.jsonl"):
        path.unlink()


def test_an_agent_over_its_quota_is_refused_while_others_go_on(tmp_path: Path) -> None:
    async def story(recorder: GatewayRecorder) -> None:
        with pytest.raises(NotRecorded, match="agent-quota"):
            spend(recorder)
        recorder.record_decision(OTHER, CALL, BUFFERED, BODY)

    recording(tmp_path, story, WorkerLimits(spool_per_agent=10_000))
    found = [r for r in records(tmp_path) if isinstance(r, RefusalCountRecord)]
    assert [(r.why, r.agent) for r in found] == [
        ("unrecorded-agent-quota", CALLER.agent)
    ]


def test_a_quota_is_given_back_once_its_records_are_shipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("answerable.server.recording.spool_segments.SEGMENT_BYTES", 1)
    monkeypatch.setattr(
        "answerable.server.recording.record_group_commit.MEASURE_SECONDS", 0.01
    )

    async def story(recorder: GatewayRecorder) -> None:
        with pytest.raises(NotRecorded):
            spend(recorder)
        await until(lambda: len(lines(tmp_path)) > 10)
        remove_files(tmp_path)
        await until(lambda: is_recorded(recorder))

    recording(tmp_path, story, WorkerLimits(spool_per_agent=10_000))


def test_a_full_spool_refuses_decisions_and_takes_the_ends_of_what_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "answerable.server.recording.record_group_commit.MEASURE_SECONDS", 0.01
    )

    async def story(recorder: GatewayRecorder) -> None:
        running = recorder.record_decision(CALLER, CALL, BUFFERED, BODY)
        while recorder.journal.unshipped_bytes < 5_000:
            recorder.record_decision(CALLER, CALL, DENIED, BODY)
            await asyncio.sleep(0.005)
        for decision in (BUFFERED, DURABLE, DENIED):
            with pytest.raises(NotRecorded, match="spool-full"):
                recorder.record_decision(CALLER, CALL, decision, BODY)
        assert recorder.unrecorded == 3
        recorder.record_end(running, COMPLETED)

    recording(tmp_path, story, WorkerLimits(spool=5_000))
    (ended,) = (r for r in records(tmp_path) if isinstance(r, CallEndRecord))
    assert ended.end.outcome is CallOutcome.COMPLETED


def test_files_and_folders_are_the_owners_alone(tmp_path: Path) -> None:
    async def story(recorder: GatewayRecorder) -> None:
        recorder.record_decision(CALLER, CALL, BUFFERED, BODY)

    recording(tmp_path / "spool", story)
    for path in (tmp_path / "spool").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0
