import gzip
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
)

from answerable.gateway.serve.spans import trace_of
from tests.gateway.serve.stage import Backend, Serving, configuration, serving

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class _Collector(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        self.server.taken.append((self.path, body))  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


class Collector(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Collector)
        self.taken: list[tuple[str, bytes]] = []

    def spans(self) -> list[dict[str, object]]:
        found = []
        for path, body in self.taken:
            if path == "/v1/traces":
                for resource in ExportTraceServiceRequest.FromString(
                    body
                ).resource_spans:
                    for scope in resource.scope_spans:
                        found += scope.spans
        return [
            {
                "name": span.name,
                "links": [link.trace_id.hex() for link in span.links],
                "parent": span.parent_span_id.hex(),
                **{each.key: each.value.string_value for each in span.attributes},
            }
            for span in found
        ]

    def metrics(self) -> set[str]:
        return {
            metric.name
            for path, body in self.taken
            if path == "/v1/metrics"
            for resource in ExportMetricsServiceRequest.FromString(
                body
            ).resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }


@pytest.fixture
def collector() -> Iterator[Collector]:
    running = Collector()
    thread = threading.Thread(target=running.serve_forever, args=(0.05,))
    thread.start()
    yield running
    running.shutdown()
    thread.join()
    running.server_close()


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
    assert trace_of(json.dumps(message).encode()) == trace
