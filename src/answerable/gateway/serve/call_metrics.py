"""Count decisions, outcomes and refusals of one worker, and measure call durations.

The recorder counts them, so that records and metrics agree.
"""

import asyncio
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec

from answerable.gateway.recording.recorder import DecisionFacts, GatewayRecorder
from answerable.gateway.recording.trace_context import parse_traceparent
from answerable.gateway.serve.control_channel import MetricSeries
from answerable.gateway.serve.span_exporter import (
    DURATION_BUCKETS,
    FinishedCall,
    SpanExporter,
)
from answerable.model.caller import VerifiedCaller
from answerable.model.decision import (
    Decision,
    DecisionEffect,
    DecisionReason,
    EnforcementMode,
)
from answerable.model.spool_record import CallOutcome, CallResult
from answerable.model.worker_limits import WorkerLimits
from answerable.server.mcp.call import McpCall
from answerable.server.operator_log import OperatorLog
from answerable.server.recording.record_ticket import RecordTicket

DECISIONS = "answerable_decisions"
WOULD_DENY = "answerable_would_deny"
REFUSALS = "answerable_refusals"
LEAKS = "answerable_leaks"
DURATION = "mcp_server_operation_duration_seconds"
BUCKET, SUM = f"{DURATION}_bucket", f"{DURATION}_sum"


class _DurationHistogram:
    """Duration histogram of one kind of call."""

    def __init__(self) -> None:
        self.buckets = [0] * (len(DURATION_BUCKETS) + 1)
        self.total = 0.0

    def observe(self, seconds: float) -> None:
        """Count one duration in its bucket."""
        self.buckets[bisect_left(DURATION_BUCKETS, seconds)] += 1
        self.total += seconds


class _OpenCall(msgspec.Struct, frozen=True):
    """Open call."""

    at: int  # UTC nanoseconds
    caller: VerifiedCaller
    call: McpCall
    decision: Decision
    trace: str


class CountingRecorder(GatewayRecorder):
    """Recorder that counts its records and exports finished calls as spans.

    Args:
        spool: Folder of all recorders' folders.
        worker: Number of the worker.
        loop: Event loop of the worker.
        limits: Limits of the spool.
        spans: Exporter for finished calls; None for none.
        log: Log of the worker.
    """

    def __init__(
        self,
        spool: Path,
        worker: int,
        loop: asyncio.AbstractEventLoop,
        limits: WorkerLimits,
        spans: SpanExporter | None,
        log: OperatorLog,
    ) -> None:
        super().__init__(spool, worker, loop, limits)
        self._spans, self._log = spans, log
        self._would_deny: Counter[tuple[str, ...]] = Counter()
        self._leaks: Counter[tuple[str, ...]] = Counter()
        self._times: dict[tuple[str, str], _DurationHistogram] = {}
        self._begun: dict[int, _OpenCall] = {}
        self._broken = 0

    def _write_decision(self, facts: DecisionFacts) -> None:
        """Write the record of a decision, and count it."""
        super()._write_decision(facts)
        ticket, call, decision = facts.ticket, facts.call, facts.decision
        # The name of an unknown server is the caller's text.
        reason, effect = decision.reason, decision.effect
        server = "" if reason is DecisionReason.UNKNOWN_SERVER else call.server
        self.counted[server, call.method, effect] += 1
        if reason is not DecisionReason.ALLOWED:
            self._count_exceptional_decision(server, facts)
        trace = parse_traceparent(facts.body) if self._spans is not None else ""
        begun = _OpenCall(ticket.at, facts.caller, call, decision, trace)
        if ticket.passes:
            self._begun[ticket.sequence] = begun
        else:
            self._export_span(begun, ticket, begun.at, None)

    def _count_exceptional_decision(self, server: str, facts: DecisionFacts) -> None:
        """Count and report a decision other than a plain allow."""
        call, decision = facts.call, facts.decision
        lets = decision.passes and decision.effect is not DecisionEffect.ALLOW
        if lets and decision.mode is EnforcementMode.SHADOW:
            self._would_deny[server, call.method] += 1
        if decision.reason is DecisionReason.BREAK_GLASS:
            self._broken += 1
            self._log_break_glass(facts)

    def _log_break_glass(self, facts: DecisionFacts) -> None:
        """Log a call that passes because of a break-glass exception."""
        self._log.error(
            "break-glass.used",
            decision=facts.ticket.id,
            agent=facts.caller.agent,
            server=facts.call.server,
        )

    def record_end(self, ticket: RecordTicket, end: CallResult) -> None:
        """Record how a call ended; count its outcome and duration."""
        super().record_end(ticket, end)
        begun = self._begun.pop(ticket.sequence, None)
        if begun is not None:
            now = time.time_ns()
            error = "" if end.outcome is CallOutcome.COMPLETED else end.outcome
            times = self._times.get((begun.call.method, error))
            if times is None:
                times = self._times[begun.call.method, error] = _DurationHistogram()
            times.observe((now - begun.at) / 1e9)
            if end.outcome is CallOutcome.LEAKED:
                self._leaks[(begun.call.server,)] += 1
            self._export_span(begun, ticket, now, end)

    def close(self) -> None:
        """Write the rest, export the last spans, and close."""
        super().close()
        if self._spans is not None:
            self._spans.close()

    def _export_span(
        self,
        open_call: _OpenCall,
        ticket: RecordTicket,
        now: int,
        end: CallResult | None,
    ) -> None:
        """Queue the OpenTelemetry span of a finished call."""
        if self._spans is not None:
            over = FinishedCall(
                open_call.caller,
                open_call.call,
                open_call.decision,
                decision_id=ticket.id,
                began=open_call.at,
                ended=now,
                end=end,
                trace=open_call.trace,
            )
            self._spans.add(over)

    def iterate_metric_series(self) -> Iterator[MetricSeries]:
        """Yield every metric of this worker as a Prometheus series."""
        for name, counter in (
            (DECISIONS, self.counted),
            (LEAKS, self._leaks),
            (WOULD_DENY, self._would_deny),
        ):
            for labels, count in counter.items():
                yield MetricSeries(name, labels, count)
        for why, count in self.away.items():
            yield MetricSeries(REFUSALS, (why,), count)
        for labels, times in self._times.items():
            below = 0
            for bound, count in zip(
                (*DURATION_BUCKETS, "+Inf"), times.buckets, strict=True
            ):
                below += count
                yield MetricSeries(BUCKET, (*labels, str(bound)), below)
            yield MetricSeries(SUM, labels, times.total)
        journal = self.journal
        for name, value in (
            ("answerable_break_glass_calls", self._broken),
            ("answerable_records", journal.recorded),
            ("answerable_record_failures", journal.failures),
            ("answerable_unrecorded", self.unrecorded),
            ("answerable_spool_bytes", journal.unshipped_bytes),
        ):
            yield MetricSeries(name, (), value)
