"""Records that senders deliver over HTTP are stored exactly once."""

import gzip
import hashlib
import http.client
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from answerable.connectors import registry
from answerable.presentation.answer_coverage import build_coverage
from answerable.services.inventory.snapshots import load_inventory
from answerable.store.store import EvidenceStore
from answerable.usecases.evidence.receive_records import (
    parse_received_records,
    store_received_records,
)
from answerable.usecases.operations.doctor import check_installation
from tests.collector.running_collector import RunningCollector, collecting, wait_until

NOW = 1_796_000_000 * 10**9
TOKEN, CLUSTER_TOKEN = "telemetry-token", "cluster-token"
SETTINGS = {
    "collector": {
        "listen": [{"address": "127.0.0.1:0"}],
        "receive": [{"address": "127.0.0.1:0"}],
        "senders": {
            "build-farm": {
                "source": "otel",
                "token_sha256": [hashlib.sha256(TOKEN.encode()).hexdigest()],
                "agents": ["triage-bot"],
            },
            "prod": {
                "source": "k8s-audit",
                "cluster": "prod",
                "token_sha256": [hashlib.sha256(CLUSTER_TOKEN.encode()).hexdigest()],
            },
        },
    }
}


def make_span(number: int, agent: str = "triage-bot") -> dict[str, Any]:
    return {
        "traceId": f"{number + 1:032x}",
        "spanId": f"{number + 1:016x}",
        "name": "execute_tool search",
        "startTimeUnixNano": str(1796000000000000000 + number),
        "attributes": [
            {"key": "gen_ai.operation.name", "value": {"stringValue": "execute_tool"}},
            {"key": "gen_ai.agent.name", "value": {"stringValue": agent}},
        ],
    }


def make_traces(*spans: dict[str, Any]) -> bytes:
    scope = {"scope": {"name": "test"}, "spans": spans}
    return json.dumps({"resourceSpans": [{"scopeSpans": [scope]}]}).encode()


def make_audit_event(number: int, **more: object) -> dict[str, object]:
    """Make an item as the API server sends it: only its list has a kind."""
    return {
        "level": "Metadata",
        "auditID": f"00000000-0000-4000-8000-{number:012d}",
        "stage": "ResponseComplete",
        "requestURI": "/api/v1/namespaces/ci/secrets/key",
        "verb": "get",
        "user": {"username": "system:serviceaccount:ci:bot"},
        "objectRef": {"resource": "secrets", "namespace": "ci", "name": "key"},
        "responseStatus": {"code": 200},
        "requestReceivedTimestamp": "2026-11-28T10:00:00.000000Z",
        **more,
    }


def post(
    address: str, path: str, body: bytes, token: str = TOKEN, **fields: str
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(address, timeout=60)
    given = {name.replace("_", "-"): value for name, value in fields.items()}
    headers = {"content-type": "application/json"} | given
    if token:
        headers["authorization"] = f"Bearer {token}"
    try:
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        named = {name.lower(): value for name, value in answer.getheaders()}
        return answer.status, named, answer.read()
    finally:
        connection.close()


def query(folder: Path, text: str) -> list[tuple[object, ...]]:
    with EvidenceStore.open(folder / "store", now=1) as store:
        return store.run_query(text)


def count_events(folder: Path) -> int:
    ((count,),) = query(folder, "SELECT count(*) FROM events")
    assert isinstance(count, int)
    return count


@pytest.fixture(scope="module")
def collector(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[RunningCollector]:
    with collecting(tmp_path_factory.mktemp("collector"), SETTINGS) as running:
        yield running


def test_spans_are_stored_once_and_self_reported(collector: RunningCollector) -> None:
    before = count_events(collector.folder)
    body = make_traces(make_span(1), make_span(2))
    for data, fields in (
        (body, {}),
        (gzip.compress(body), {"content_encoding": "gzip"}),
    ):
        status, _, answer = post(collector.receiver, "/v1/traces", data, **fields)
        assert (status, answer) == (200, b"{}")
    assert count_events(collector.folder) == before + 2  # a repeated delivery is one
    rows = query(
        collector.folder,
        "SELECT DISTINCT written_by, agent FROM events WHERE source='otel'",
    )
    assert rows == [("self-reported", "")]
    facts = query(
        collector.folder, "SELECT facts FROM events WHERE source='otel' LIMIT 1"
    )
    assert ["sender", "build-farm"] in [list(each) for each in facts[0][0]]  # type: ignore[attr-defined]


def test_a_span_of_a_foreign_agent_is_quarantined_and_counted(
    collector: RunningCollector,
) -> None:
    before = count_events(collector.folder)
    body = make_traces(make_span(11), make_span(12, "root"), make_span(13, "admin"))
    status, _, answer = post(collector.receiver, "/v1/traces", body)
    partial = json.loads(answer)["partialSuccess"]
    assert (status, partial["rejectedSpans"]) == (200, "2")
    assert "not in `agents` of its sender" in partial["errorMessage"]
    assert count_events(collector.folder) == before + 1
    assert collector.metric("received_rejected_total", "otel") >= 2


def test_spans_of_an_invalid_operation_are_rejected_and_other_spans_dropped(
    collector: RunningCollector,
) -> None:
    spans = [make_span(n) for n in (14, 15, 16, 17)]
    for span, name in zip(spans, ("s3:DeleteObject", "x y", ""), strict=False):
        value = {"stringValue": name}
        span["attributes"] = [{"key": "mcp.method.name", "value": value}]
    spans[3].update(name="GET /", attributes=[])
    status, _, answer = post(collector.receiver, "/v1/traces", make_traces(*spans))
    partial = json.loads(answer)["partialSuccess"]
    assert (status, partial["rejectedSpans"]) == (200, "3")
    assert "operation" in partial["errorMessage"]


def test_metrics_are_accepted_and_dropped(collector: RunningCollector) -> None:
    before = count_events(collector.folder)
    assert post(collector.receiver, "/v1/metrics", b"{}")[0] == 200
    assert count_events(collector.folder) == before


def test_the_events_of_a_cluster_are_stored_once(collector: RunningCollector) -> None:
    before = count_events(collector.folder)
    items = [make_audit_event(n) for n in range(400)] + [{"kind": "Event", "verb": 5}]
    body = json.dumps({"kind": "EventList", "items": items}).encode()
    for _ in range(2):
        assert post(collector.receiver, "/k8s-audit", body, CLUSTER_TOKEN)[0] == 200
    assert count_events(collector.folder) == before + 400
    rows = query(
        collector.folder,
        "SELECT DISTINCT written_by, identity FROM events WHERE source = 'k8s-audit'",
    )
    assert rows == [("platform", "k8s:prod/ci/serviceaccount/bot")]
    with EvidenceStore.open(collector.folder / "store", now=1) as store:
        assert store.list_objects("quarantine")


def test_answers_stay_partial_after_a_record_that_a_sender_does_not_repeat(
    tmp_path: Path,
) -> None:
    """Also after a restart, until a person has removed what is recorded of it."""
    with EvidenceStore.open(tmp_path / "store", now=NOW) as store:
        log = registry.load_log_format("k8s-audit")
        for _ in range(2):  # the second is a repeated delivery
            delivery = parse_received_records(
                log, [b'{"verb":5}'], {"cluster": "prod"}, "k8s-audit:sender/prod"
            )
            store_received_records(store, [delivery], NOW)
    with EvidenceStore.open(tmp_path / "store", now=NOW) as store:
        coverage = build_coverage(load_inventory(store, now=NOW), NOW)
        assert coverage["partial"]
        (source,) = coverage["sources"]
        assert source["source"] == "k8s-audit:sender/prod"
        assert source["problems"] == ["unreadable: 1 record was quarantined"]
        (check,) = [
            each
            for each in check_installation(tmp_path / "store", now=NOW).items
            if each["check"] == "ingest k8s-audit:sender/prod"
        ]
        assert not check["ok"]
        Path(check["hint"].rpartition(" ")[2]).unlink()
        assert not build_coverage(load_inventory(store, now=NOW), NOW)["partial"]


@pytest.mark.parametrize(
    ("path", "body", "token", "fields", "status"),
    [
        ("/v1/traces", b"{}", "", {}, 401),
        ("/v1/traces", b"{}", "wrong", {}, 401),
        ("/v1/traces", b"{}", CLUSTER_TOKEN, {}, 403),
        ("/k8s-audit", b"{}", TOKEN, {}, 403),
        ("/k8s-audit", b"{}", CLUSTER_TOKEN, {}, 400),
        ("/v1/traces", b"{", TOKEN, {}, 400),
        ("/v1/traces", b"[]", TOKEN, {}, 400),
        ("/v1/logs", b"\xff", TOKEN, {"content_type": "application/x-protobuf"}, 400),
        ("/v1/logs", b"{}", TOKEN, {"content_type": "text/plain"}, 415),
        ("/v1/logs", b"{}", TOKEN, {"content_encoding": "br"}, 415),
        ("/v1/logs", b"{}", TOKEN, {"content_encoding": "gzip"}, 400),
        ("/v1/logs", b" " * (17 << 20), TOKEN, {}, 413),
        (
            "/v1/logs",
            gzip.compress(b" " * (40 << 20), 1),
            TOKEN,
            {"content_encoding": "gzip"},
            413,
        ),
        ("/v1/logs", b"{}", TOKEN, {"host": "evil.example"}, 421),
        ("/v1/logs", b"{}", TOKEN, {"origin": "https://evil.example"}, 403),
        ("/v2/logs", b"{}", TOKEN, {}, 404),
    ],
)
def test_other_requests_are_refused(
    collector: RunningCollector,
    path: str,
    body: bytes,
    token: str,
    fields: dict[str, str],
    status: int,
) -> None:
    before = count_events(collector.folder)
    try:
        answered = post(collector.receiver, path, body, token, **fields)[0]
    except (BrokenPipeError, ConnectionResetError):
        answered = 413  # closed while the rest of a large body is sent
    assert answered == status
    assert count_events(collector.folder) == before


def test_deliveries_survive_kill_9_and_are_stored_exactly_once(tmp_path: Path) -> None:
    waiting, acknowledged = list(range(120)), set[int]()

    def send(address: str) -> None:
        while waiting:
            number = waiting[0]
            try:
                status = post(address, "/v1/traces", make_traces(make_span(number)))[0]
            except (OSError, http.client.HTTPException):  # killed in its answer
                return
            if status == 200:
                acknowledged.add(number)
                waiting.pop(0)

    for is_killed in (True, False):
        with collecting(tmp_path, SETTINGS) as running:
            sender = threading.Thread(target=send, args=(running.receiver,))
            sender.start()
            if is_killed:
                wait_until(lambda: len(acknowledged) > 20)
                running.process.kill()
            sender.join()
            assert acknowledged
            assert count_events(tmp_path) >= len(acknowledged)
    assert len(acknowledged) == count_events(tmp_path) == 120


def test_a_silent_sender_is_late(tmp_path: Path) -> None:
    settings = json.loads(json.dumps(SETTINGS))
    settings["collector"]["senders"]["prod"]["silent_after"] = 1
    with collecting(tmp_path, settings) as running:
        wait_until(lambda: running.get("/readyz")[0] == 503)
        reasons = json.loads(running.get("/readyz")[1])["reasons"]
        assert reasons == ["k8s-audit:sender/prod is silent for more than 1 s"]
