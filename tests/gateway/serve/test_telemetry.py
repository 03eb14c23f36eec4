import json
from pathlib import Path

import pytest

from answerable.gateway.recording.trace_context import parse_traceparent
from tests.gateway.serve.otlp_collector import Collector
from tests.gateway.serve.running_gateway import Backend, Serving, configuration, serving

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def told(served: Serving, collector: Collector) -> list[dict[str, object]]:
    assert served.end() == 0
    return collector.spans()


def test_each_call_is_a_span_and_a_duration(
    tmp_path: Path, server: Backend, collector: Collector
) -> None:
    otlp = f"http://127.0.0.1:{collector.server_port}"
    settings = configuration(server.server_port, telemetry={"otlp": otlp})
    with serving(tmp_path, settings) as served:
        assert "result" in served.call("read", meta={"traceparent": TRACE})
        assert "error" in served.call("write")
        allowed, refused = told(served, collector)
    assert allowed["name"] == "tools/call read"
    assert allowed["mcp.method.name"] == "tools/call"
    assert allowed["gen_ai.tool.name"] == "read"
    assert allowed["answerable.agent"] == "agent:declared/ana"
    assert "error.type" not in allowed
    # What the caller says of its trace is linked; nothing of ours hangs on it.
    assert (allowed["links"], allowed["parent"]) == ([TRACE[3:35]], "")
    assert (refused["error.type"], refused["links"]) == ("no-rule", [])
    assert "mcp.server.operation.duration" in collector.metrics()


def test_a_collector_that_is_not_there_stops_no_call(
    tmp_path: Path, server: Backend, collector: Collector
) -> None:
    settings = configuration(
        server.server_port, telemetry={"otlp": "http://127.0.0.1:9"}
    )
    with serving(tmp_path, settings) as served:
        assert "result" in served.call("read")


@pytest.mark.parametrize(
    ("message", "trace"),
    [
        ({"params": {"_meta": {"traceparent": TRACE}}}, TRACE),
        ({"params": {"_meta": {"traceparent": 7}}}, ""),
        ({"params": {"arguments": {"traceparent": TRACE}}}, ""),
        ({"params": {}}, ""),
        ({"traceparent": TRACE}, ""),
    ],
)
def test_a_trace_is_found_where_it_belongs_and_nowhere_else(
    message: dict[str, object], trace: str
) -> None:
    assert parse_traceparent(json.dumps(message).encode()) == trace
