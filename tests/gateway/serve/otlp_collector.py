"""A collector of spans and metrics that keeps what it is sent."""

import gzip
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
)


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
