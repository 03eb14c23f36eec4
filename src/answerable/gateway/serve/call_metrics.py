"""Metrics of one worker: decisions, outcomes, refusals, and durations of calls.

The recorder counts them, so that records and metrics agree.
"""

import asyncio
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec

from answerable.gateway.approval_requests import HeldBack
from answerable.gateway.recording.recorder import Facts, Recorder
from answerable.gateway.serve.control_channel import Series
from answerable.gateway.serve.span_exporter import BOUNDS, Over, Spans, trace_of
from answerable.model.caller import Caller
from answerable.model.decision import Decision, Effect, Mode, Reason
from answerable.model.spool_record import End, Ending
from answerable.model.worker_limits import Limits
from answerable.server.mcp.call import Call
from answerable.server.operator_log import Log
from answerable.server.recording.record_ticket import Ticket

DECISIONS = "answerable_decisions"
WOULD_DENY = "answerable_would_deny"
REFUSALS = "answerable_refusals"
LEAKS = "answerable_leaks"
DURATION = "mcp_server_operation_duration_seconds"
BUCKET, SUM = f"{DURATION}_bucket", f"{DURATION}_sum"


class _Times:
    """Duration histogram of one kind of call."""

    def __init__(self) -> None:
        self.buckets = [0] * (len(BOUNDS) + 1)
        self.total = 0.0

    def add(self, seconds: float) -> None:
        self.buckets[bisect_left(BOUNDS, seconds)] += 1
        self.total += seconds


class _Begun(msgspec.Struct, frozen=True):
    """Open call."""

    at: int  # UTC nanoseconds
    caller: Caller
    call: Call
    decision: Decision
    trace: str


class Counting(Recorder):
    """Recorder that counts its records and exports finished calls as spans.

    Args:
        spool: Folder of all recorders' folders.
        worker: Number of the worker.
        loop: Event loop of the worker.
        limits: Limits of the spool.
        spans: Exporter for finished calls; None for none.
        log: Log of the worker.

    Attributes:
        held_back: Notified of denied calls; None for no notification.
    """

    def __init__(
        self,
        spool: Path,
        worker: int,
        loop: asyncio.AbstractEventLoop,
        limits: Limits,
        spans: Spans | None,
        log: Log,
    ) -> None:
        super().__init__(spool, worker, loop, limits)
        self._spans, self._log = spans, log
        self._would_deny: Counter[tuple[str, ...]] = Counter()
        self._leaks: Counter[tuple[str, ...]] = Counter()
        self._times: dict[tuple[str, str], _Times] = {}
        self._begun: dict[int, _Begun] = {}
        self._broken = 0
        self.held_back: HeldBack | None = None

    def _put(self, facts: Facts) -> None:
        """Write the record of a decision, and count it."""
        super()._put(facts)
        ticket, call, decision = facts.ticket, facts.call, facts.decision
        # The name of an unknown server is the caller's text.
        reason, effect = decision.reason, decision.effect
        server = "" if reason is Reason.UNKNOWN_SERVER else call.server
        self.counted[server, call.method, effect] += 1
        if reason is not Reason.ALLOWED:
            self._tell(server, facts)
        trace = trace_of(facts.body) if self._spans is not None else ""
        begun = _Begun(ticket.at, facts.caller, call, decision, trace)
        if ticket.passes:
            self._begun[ticket.sequence] = begun
        else:
            self._hand_on(begun, ticket, begun.at, None)

    def _tell(self, server: str, facts: Facts) -> None:
        """Count and report a decision other than a plain allow."""
        caller, call, decision = facts.caller, facts.call, facts.decision
        lets = decision.passes and decision.effect is not Effect.ALLOW
        if lets and decision.mode is Mode.SHADOW:
            self._would_deny[server, call.method] += 1
        if self.held_back is not None and not decision.passes:
            self.held_back.tell(caller, call, decision, facts.ticket.id)
        if decision.reason is Reason.BREAK_GLASS:
            self._broken += 1
            self._tell_break_glass(facts)

    def _tell_break_glass(self, facts: Facts) -> None:
        """Log a call that passes because of a break-glass exception."""
        self._log.error(
            "break-glass.used",
            decision=facts.ticket.id,
            agent=facts.caller.agent,
            server=facts.call.server,
        )

    def ended(self, ticket: Ticket, end: End) -> None:
        """Record how a call ended."""
        super().ended(ticket, end)
        begun = self._begun.pop(ticket.sequence, None)
        if begun is not None:
            now = time.time_ns()
            error = "" if end.outcome is Ending.COMPLETED else end.outcome
            times = self._times.get((begun.call.method, error))
            if times is None:
                times = self._times[begun.call.method, error] = _Times()
            times.add((now - begun.at) / 1e9)
            if end.outcome is Ending.LEAKED:
                self._leaks[(begun.call.server,)] += 1
            self._hand_on(begun, ticket, now, end)

    def close(self) -> None:
        """Write the rest, export the last spans, and close."""
        super().close()
        if self._spans is not None:
            self._spans.close()

    def _hand_on(
        self, begun: _Begun, ticket: Ticket, now: int, end: End | None
    ) -> None:
        if self._spans is not None:
            over = Over(
                begun.caller, begun.call, begun.decision, ticket.id, begun.at, now,
                end, begun.trace,
            )  # fmt: skip
            self._spans.add(over)

    def series(self) -> Iterator[Series]:
        """Yield all metrics."""
        for name, counter in (
            (DECISIONS, self.counted),
            (LEAKS, self._leaks),
            (WOULD_DENY, self._would_deny),
        ):
            for labels, count in counter.items():
                yield Series(name, labels, count)
        for why, count in self.away.items():
            yield Series(REFUSALS, (why,), count)
        for labels, times in self._times.items():
            below = 0
            for bound, count in zip((*BOUNDS, "+Inf"), times.buckets, strict=True):
                below += count
                yield Series(BUCKET, (*labels, str(bound)), below)
            yield Series(SUM, labels, times.total)
        journal = self.journal
        for name, value in (
            ("answerable_break_glass_calls", self._broken),
            ("answerable_records", journal.recorded),
            ("answerable_record_failures", journal.failures),
            ("answerable_unrecorded", self.unrecorded),
            ("answerable_spool_bytes", journal.spooled),
        ):
            yield Series(name, (), value)
