"""Telemetry that agents write themselves: self-reported, without content, bounded."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from answerable.connectors.registry import load_event_connector
from answerable.model.connector import EventBatch, EventContext
from answerable.model.event import AuditEvent, EventOutcome
from answerable.model.provenance import WrittenBy
from answerable.store.store import EvidenceStore
from answerable.usecases.evidence.ingest_logs import ingest_logs
from tests.connectors.logs.agent_samples import CANARY, LOGS

NAMES = list(LOGS)
NOW = 1_794_000_000_000_000_000


def read(name: str, place: Path) -> list[EventBatch]:
    return list(load_event_connector(name).read(str(place), EventContext()))


def events(batches: list[EventBatch]) -> list[AuditEvent]:
    return [event for batch in batches for event in batch.events]


def reasons(batches: list[EventBatch]) -> list[str]:
    return [each.why for batch in batches for each in batch.quarantined]


def write(folder: Path, *records: Any) -> Path:
    place = folder / "log.jsonl"
    place.write_text("".join(json.dumps(each) + "\n" for each in records))
    return place


def read_records(name: str, folder: Path, *records: Any) -> list[AuditEvent]:
    return events(read(name, write(folder, *records)))


@pytest.mark.parametrize("name", NAMES)
def test_calls_give_action_outcome_and_ids_and_nothing_else(
    tmp_path: Path, name: str
) -> None:
    found = read_records(name, tmp_path, *LOGS[name].records)
    assert [(e.action, e.outcome.value) for e in found] == LOGS[name].calls
    for event in found:
        assert (event.source, event.written_by) == (name, WrittenBy.SELF_REPORTED)
        assert all(key.startswith("self:") for key, _ in event.facts)
        assert event.facts == tuple(sorted(event.facts))
        hops = (event.person, event.agent, event.tool, event.identity, event.run)
        hops += (event.credential, event.session, event.issued, event.resource)
        assert not any(hops)
    assert dict(found[0].facts) == LOGS[name].facts


@pytest.mark.parametrize("name", NAMES)
def test_any_form_order_and_split_gives_the_same_events(
    tmp_path: Path, name: str
) -> None:
    records = LOGS[name].records
    expected = set(read_records(name, tmp_path, *records))
    assert set(read_records(name, tmp_path, *reversed(records))) == expected
    assert set(read_records(name, tmp_path, *records, *records)) == expected
    apart = [read_records(name, tmp_path, each) for each in records]
    assert {event for each in apart for event in each} == expected
    place = tmp_path / "log.jsonl"
    place.write_text("\n".join(json.dumps(each, indent=1) for each in records))
    assert set(events(read(name, place))) == expected
    place.write_bytes(gzip.compress(place.read_bytes()))
    assert set(events(read(name, place))) == expected


@pytest.mark.parametrize("name", NAMES)
def test_content_is_found_nowhere_in_the_store(tmp_path: Path, name: str) -> None:
    records, logs = LOGS[name].records, tmp_path / "logs"
    assert CANARY in json.dumps(records)
    logs.mkdir()
    write(logs, *records)
    cut = [json.dumps(each)[:-3] for each in records]
    (logs / "cut.jsonl").write_text("\n".join(cut))
    (logs / "other.jsonl").write_text(json.dumps({"prompt": CANARY}))
    with EvidenceStore.open(tmp_path / "store", now=NOW) as store:
        (first,) = ingest_logs(store, [f"{name}:{logs}"], now=NOW).items
        (again,) = ingest_logs(store, [f"{name}:{logs}"], now=NOW).items
    assert first["stored"] == len(LOGS[name].calls)
    assert first["quarantined"] > 1
    assert again["stored"] == 0
    batches = read(name, logs)
    kept = [each.raw for batch in batches for each in batch.quarantined]
    assert len(set(kept)) == len(kept)
    assert CANARY not in repr((kept, [batch.problems for batch in batches]))
    assert CANARY not in repr(events(batches))
    for path in (tmp_path / "store").rglob("*"):
        assert path.is_dir() or CANARY.encode() not in path.read_bytes()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "damage",
    [b"\x00\xff garbage", b"[" * 1000, b'{"a": ', b"null", b"[1, 2]", b'{"type": 1}'],
)
def test_damage_is_quarantined_or_a_problem(
    tmp_path: Path, name: str, damage: bytes
) -> None:
    place = tmp_path / "log.jsonl"
    place.write_bytes(damage)
    batches = read(name, place)
    assert events(batches) == []
    assert reasons(batches) or any(batch.problems for batch in batches)


@pytest.mark.parametrize("name", NAMES)
def test_a_cut_file_keeps_the_records_before_the_cut(tmp_path: Path, name: str) -> None:
    record = LOGS[name].records[0]
    place = write(tmp_path, record)
    expected = events(read(name, place))
    place.write_text(json.dumps(record) + "\n" + json.dumps(record)[:-9])
    batches = read(name, place)
    assert (events(batches), len(reasons(batches))) == (expected, 1)


def call(**members: Any) -> dict[str, Any]:
    line: dict[str, Any] = json.loads(json.dumps(LOGS["claude-code"].records[0]))
    line.update(members)
    return line


@pytest.mark.parametrize(
    "members",
    [
        {"timestamp": None},
        {"timestamp": "yesterday"},
        {
            "message": {
                "content": [{"type": "tool_use", "id": "t", "name": f"a {CANARY}"}]
            }
        },
        {"message": {"content": [{"type": "tool_use", "name": "Bash"}]}},
        {"message": {"content": [{"type": "tool_use", "id": "t", "name": "B"}] * 1025}},
        {"sessionId": None},
        {"message": 7},
    ],
)
def test_a_line_with_an_invalid_call_is_quarantined(
    tmp_path: Path, members: dict[str, Any]
) -> None:
    batches = read("claude-code", write(tmp_path, call(**members)))
    assert events(batches) == []
    assert len(reasons(batches)) == 1
    assert CANARY not in reasons(batches)[0]


def test_other_lines_of_a_session_are_no_events_and_no_problems(tmp_path: Path) -> None:
    said = call(type="user", message={"role": "user", "content": "hello"})
    summary = {"type": "summary", "summary": "text", "leafUuid": "u"}
    batches = read("claude-code", write(tmp_path, said, summary, call(type="system")))
    assert events(batches) == reasons(batches) == []
    assert not any(batch.problems or batch.skipped for batch in batches)


def test_a_failed_tool_call_is_an_error(tmp_path: Path) -> None:
    block = {"type": "tool_result", "tool_use_id": "toolu_1", "is_error": True}
    line = call(type="user", message={"content": [block]})
    (event,) = read_records("claude-code", tmp_path, line)
    assert event.outcome is EventOutcome.ERROR
