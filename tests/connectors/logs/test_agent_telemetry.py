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


def export(**members: Any) -> dict[str, Any]:
    """Export of one span of MCP, with some of its members replaced."""
    found: dict[str, Any] = json.loads(json.dumps(LOGS["otel"].records[0]))
    spans = found["resourceSpans"][0]["scopeSpans"][0]["spans"]
    spans[:] = [{**spans[0], **members}]
    return found


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"startTimeUnixNano": "yesterday"}, "its time is not a time"),
        ({"startTimeUnixNano": "5"}, "its time is not a time"),
        ({"startTimeUnixNano": "9" * 40}, "its time is not a time"),
        ({"startTimeUnixNano": "0"}, "it has no time"),
        ({"attributes": 7}, "not OTLP JSON"),
        ({"traceId": 7}, "not OTLP JSON"),
    ],
)
def test_an_invalid_span_is_quarantined(
    tmp_path: Path, members: dict[str, Any], reason: str
) -> None:
    batches = read("otel", write(tmp_path, export(**members)))
    (why,) = reasons(batches)
    assert reason in why
    assert events(batches) == []


@pytest.mark.parametrize(
    ("code", "outcome"),
    [(0, "unknown"), (1, "success"), (2, "error"), ("STATUS_CODE_ERROR", "error")],
)
def test_the_status_of_a_span_is_its_outcome(
    tmp_path: Path, code: object, outcome: str
) -> None:
    (event,) = read_records("otel", tmp_path, export(status={"code": code}))
    assert event.outcome.value == outcome


def test_ids_that_are_not_hex_and_long_values_are_left_out(tmp_path: Path) -> None:
    long = [{"key": "session.id", "value": {"stringValue": "x" * 129}}]
    method = [{"key": "mcp.method.name", "value": {"stringValue": "ping"}}]
    record = export(
        traceId=CANARY, spanId="", parentSpanId="", attributes=method + long
    )
    (event,) = read_records("otel", tmp_path, record)
    assert event.facts == (("self:mcp.method.name", "ping"),)
    assert event.native_id == ""


def test_metrics_are_skipped_and_counted(tmp_path: Path) -> None:
    batches = read("otel", write(tmp_path, {"resourceMetrics": []}))
    assert [s for b in batches for s in b.skipped] == [
        "metrics, which contain no events"
    ]
    assert reasons(batches) == events(batches) == []


@pytest.mark.parametrize("name", ["codex.tool_decision", "gemini_cli.tool_call"])
def test_events_of_other_clients_are_read_by_their_name(
    tmp_path: Path, name: str
) -> None:
    record = json.loads(json.dumps(LOGS["otel"].records[1]))
    logs = record["resourceLogs"][0]["scopeLogs"][0]
    values = [{"key": "event.name", "value": {"stringValue": name}}]
    logs["scope"] = {"name": "client"}
    logs["logRecords"] = [{**logs["logRecords"][0], "attributes": values}]
    logs["logRecords"][0]["body"] = None
    (event,) = read_records("otel", tmp_path, record)
    assert event.action == f"otel:{name}"


def test_an_empty_export_is_no_problem(tmp_path: Path) -> None:
    batches = read("otel", write(tmp_path, {"resourceSpans": []}, {"resourceLogs": []}))
    assert not any(b.events or b.quarantined or b.problems for b in batches)


def test_every_span_of_a_file_is_in_one_counter(tmp_path: Path) -> None:
    record = export()
    spans = record["resourceSpans"][0]["scopeSpans"][0]["spans"]
    valid = spans[0]
    names = ["s3:DeleteObject", "x y", ""]
    spans += [
        {
            **valid,
            "spanId": f"{n:016x}",
            "attributes": [{"key": "mcp.method.name", "value": {"stringValue": name}}],
        }
        for n, name in enumerate(names, 1)
    ]
    times = ["0", "-5", "9" * 20, "abc"]
    spans += [{**valid, "startTimeUnixNano": time} for time in times]
    spans += [{**valid, "name": "GET /", "attributes": []}] * 5
    place = write(tmp_path, record)
    with EvidenceStore.open(tmp_path / "store", now=NOW) as store:
        document = ingest_logs(store, [f"otel:{place}"], now=NOW)
    (item,) = document.items
    counted = [item[name] for name in ("read", "stored", "quarantined", "skipped")]
    assert counted == [8, 1, 7, 5]
    (problem,) = (p.what for batch in read("otel", place) for p in batch.problems)
    assert "7 of 8 records could not be read: the operation" in problem
