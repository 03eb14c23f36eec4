"""The exporters of the OpenTelemetry SDK deliver to the receiver, in protobuf."""

import logging
from pathlib import Path
from typing import Any

import pytest
from opentelemetry._logs import SeverityNumber
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from tests.collector.running_collector import collecting
from tests.collector.test_receivers import SETTINGS, TOKEN, count_events, post, query

PROTOBUF = "application/x-protobuf"


def test_spans_and_logs_of_the_sdk_are_stored(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with collecting(tmp_path, SETTINGS) as running:
        to: dict[str, Any] = {
            "headers": {"authorization": f"Bearer {TOKEN}"},
            "compression": Compression.Gzip,
        }
        url = f"http://{running.receiver}/v1"
        tracing = TracerProvider()
        spans = OTLPSpanExporter(endpoint=f"{url}/traces", **to)
        tracing.add_span_processor(SimpleSpanProcessor(spans))
        with tracing.get_tracer("mcp").start_as_current_span(
            "tools/call search"
        ) as span:
            span.set_attribute("mcp.method.name", "tools/call")
            span.set_attribute("gen_ai.tool.name", "search")
            trace = f"{span.get_span_context().trace_id:032x}"
        logging_provider = LoggerProvider()
        logs = OTLPLogExporter(endpoint=f"{url}/logs", **to)
        logging_provider.add_log_record_processor(SimpleLogRecordProcessor(logs))
        logging_provider.get_logger("com.anthropic.claude_code.events").emit(
            timestamp=1796000000000000000,
            severity_number=SeverityNumber.INFO,
            body="claude_code.tool_result",
            attributes={"event.name": "tool_result", "tool_name": "Bash"},
        )
        tracing.shutdown()
        logging_provider.shutdown()
        assert not [r for r in caplog.records if r.levelno >= logging.WARNING]
        rows = query(tmp_path, "SELECT action, facts FROM events ORDER BY action")
    assert [row[0] for row in rows] == [
        "otel:claude_code.tool_result",
        "otel:tools/call",
    ]
    facts = dict(map(tuple, rows[1][1]))  # type: ignore[call-overload]
    assert facts["self:trace_id"] == trace


def test_protobuf_is_answered_in_protobuf(tmp_path: Path) -> None:
    request = ExportTraceServiceRequest()
    span = request.resource_spans.add().scope_spans.add().spans.add()
    span.trace_id, span.span_id = bytes(15) + b"\x01", bytes(7) + b"\x01"
    span.name, span.start_time_unix_nano = "x", 1796000000000000000
    for name, value in (
        ("gen_ai.operation.name", "execute_tool"),
        ("gen_ai.agent.name", "root"),
    ):
        attribute = span.attributes.add()
        attribute.key, attribute.value.string_value = name, value
    with collecting(tmp_path, SETTINGS) as running:
        body = request.SerializeToString()
        status, fields, answer = post(
            running.receiver, "/v1/traces", body, content_type=PROTOBUF
        )
        assert (status, fields["content-type"]) == (200, PROTOBUF)
        partial = ExportTraceServiceResponse.FromString(answer).partial_success
        assert partial.rejected_spans == 1
        assert "not in `agents` of its sender" in partial.error_message
        span.attributes[1].value.string_value = "triage-bot"
        for _ in range(2):
            body = request.SerializeToString()
            post(running.receiver, "/v1/traces", body, content_type=PROTOBUF)
        assert count_events(tmp_path) == 1
        refused = post(running.receiver, "/v1/traces", b"\xff", content_type=PROTOBUF)
        assert (refused[0], refused[1]["content-type"]) == (400, PROTOBUF)
