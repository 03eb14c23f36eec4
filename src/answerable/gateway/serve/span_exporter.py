"""Export OpenTelemetry spans and durations (OTLP over HTTP) in the background.

Names follow OpenTelemetry's semantic conventions for MCP and GenAI. A call leaves a
tuple here; a thread turns them into spans twice a second. The queue is bounded and
drops its oldest entries. A trace that the caller names becomes a link, never a parent:
it is the caller's claim.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from answerable.gateway.recording.trace_context import TRACEPARENT
from answerable.model.caller import VerifiedCaller
from answerable.model.decision import Decision, TargetKind
from answerable.model.errors import UsageError
from answerable.model.spool_record import CallOutcome, CallResult
from answerable.server.mcp.call import McpCall
from answerable.server.operator_log import OperatorLog

if TYPE_CHECKING:
    from opentelemetry.trace import Link

EXPORT_INTERVAL = 0.5  # seconds
MAX_QUEUED = 10_000
EXPORT_TIMEOUT = 2.0  # seconds for the collector to take what it is sent
LOG_INTERVAL = 60.0  # seconds between two log lines about failures
# Of `mcp.server.operation.duration`, as the conventions advise.
DURATION_BUCKETS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300)

_TARGET_ATTRIBUTES = {
    TargetKind.TOOL: "gen_ai.tool.name",
    TargetKind.PROMPT: "gen_ai.prompt.name",
    TargetKind.RESOURCE: "mcp.resource.uri",
}
_SCOPE = "answerable.gateway"


class FinishedCall(NamedTuple):
    """Finished call.

    Attributes:
        decision: The decision on it.
        decision_id: Id of its record.
        began: UTC nanoseconds.
        ended: UTC nanoseconds.
        end: Its outcome; None where it was held back.
        trace: `traceparent` as the caller sent it, empty without one.
    """

    caller: VerifiedCaller
    call: McpCall
    decision: Decision
    decision_id: str
    began: int
    ended: int
    end: CallResult | None
    trace: str

    @property
    def error(self) -> str:
        """Return the value of `error.type`; empty without an error."""
        if self.end is None:
            return self.decision.reason.value
        return (
            "" if self.end.outcome is CallOutcome.COMPLETED else self.end.outcome.value
        )


def span_attributes(finished: FinishedCall) -> Mapping[str, str | int]:
    """Return the OpenTelemetry attributes of a finished call's span."""
    call, decision = finished.call, finished.decision
    said: dict[str, str | int] = {
        "mcp.method.name": call.method,
        "mcp.protocol.version": call.era.value,
        "server.address": call.server,
        "answerable.agent": finished.caller.agent,
        "answerable.run": finished.caller.run,
        "answerable.decision.id": finished.decision_id,
        "answerable.decision.effect": decision.effect.value,
        "answerable.decision.reason": decision.reason.value,
        "answerable.mode": decision.mode.value,
    }
    if call.target in _TARGET_ATTRIBUTES:
        said[_TARGET_ATTRIBUTES[call.target]] = call.name
    if call.method == "tools/call":
        said["gen_ai.operation.name"] = "execute_tool"
    if call.session:
        said["mcp.session.id"] = call.session  # a digest of it
    if finished.error:
        said["error.type"] = finished.error
    if finished.end is not None and finished.end.code:
        said["rpc.response.status_code"] = str(finished.end.code)
    return said


class SpanExporter:
    """Exporter of spans and durations of calls.

    Args:
        otlp: URL of the collector.
        log: Log for failures of the collector.

    Raises:
        UsageError: The extra `otel` is not installed.
    """

    def __init__(self, otlp: str, log: OperatorLog) -> None:
        try:
            from opentelemetry.exporter.otlp.proto.http.metric_exporter import (
                OTLPMetricExporter,
            )
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import (
                OTLPSpanExporter,
            )
            from opentelemetry.sdk.metrics import MeterProvider
            from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
        except ImportError:
            raise UsageError(
                "telemetry.otlp requires the extra `otel`, which is not installed",
                "install answerable[otel]",
            ) from None
        base = otlp.rstrip("/")
        resource = Resource.create({"service.name": "answerable-gateway"})
        self._traces = TracerProvider(resource=resource, shutdown_on_exit=False)
        exporter = OTLPSpanExporter(f"{base}/v1/traces", timeout=EXPORT_TIMEOUT)
        self._traces.add_span_processor(BatchSpanProcessor(exporter))
        reader = PeriodicExportingMetricReader(
            OTLPMetricExporter(f"{base}/v1/metrics", timeout=EXPORT_TIMEOUT)
        )
        self._meters = MeterProvider([reader], resource, shutdown_on_exit=False)
        self._tracer = self._traces.get_tracer(_SCOPE)
        self._duration = self._meters.get_meter(_SCOPE).create_histogram(
            "mcp.server.operation.duration",
            unit="s",
            explicit_bucket_boundaries_advisory=DURATION_BUCKETS,
        )
        logging.getLogger("opentelemetry").addHandler(_ExporterLogHandler(log))
        self._waiting: deque[FinishedCall] = deque(maxlen=MAX_QUEUED)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._export_loop, daemon=True)
        self._thread.start()

    def add(self, finished: FinishedCall) -> None:
        """Queue a finished call; cheap, and never blocks."""
        self._waiting.append(finished)

    def close(self) -> None:
        """Export the rest, for a few seconds at most."""
        self._ended.set()
        self._thread.join()
        self._traces.shutdown()
        self._meters.shutdown(timeout_millis=2_000)

    def _export_loop(self) -> None:
        """Export queued calls periodically, until closed (thread)."""
        last = False
        while not last:
            last = self._ended.wait(EXPORT_INTERVAL)
            while self._waiting:
                self._emit_span(self._waiting.popleft())

    def _emit_span(self, finished: FinishedCall) -> None:
        """Emit the span and the duration of a finished call."""
        from opentelemetry.trace import SpanKind, Status, StatusCode

        said = span_attributes(finished)
        low = finished.call.target in (TargetKind.TOOL, TargetKind.PROMPT)
        name = (
            f"{finished.call.method} {finished.call.name}"
            if low
            else finished.call.method
        )
        span = self._tracer.start_span(
            name,
            kind=SpanKind.SERVER,
            attributes=said,
            links=_span_links(finished.trace),
            start_time=finished.began,
        )
        if finished.error:
            span.set_status(Status(StatusCode.ERROR))
        span.end(finished.ended)
        if finished.end is not None:
            kinds = ("mcp.method.name", "error.type")
            self._duration.record(
                (finished.ended - finished.began) / 1e9,
                {key: said[key] for key in kinds if key in said},
            )


def _span_links(traceparent: str) -> "list[Link]":
    """Return a link to the span that a `traceparent` names; none if invalid."""
    from opentelemetry.trace import Link, SpanContext, TraceFlags

    found = TRACEPARENT.fullmatch(traceparent)
    if found is None:
        return []
    context = SpanContext(
        int(found[1], 16), int(found[2], 16), True, TraceFlags(int(found[3], 16))
    )
    return [Link(context)] if context.is_valid else []


class _ExporterLogHandler(logging.Handler):
    """Log handler that reports exporter failures at most once a minute."""

    def __init__(self, log: OperatorLog) -> None:
        super().__init__(logging.WARNING)
        self._log, self._last = log, -LOG_INTERVAL

    def emit(self, record: logging.LogRecord) -> None:
        """Log the name of the logger alone; its text may hold exported data."""
        now = time.monotonic()
        if now - self._last >= LOG_INTERVAL:
            self._last = now
            self._log.warning("telemetry.failed", by=record.name)
