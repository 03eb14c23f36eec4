"""Record the decisions and outcomes of one worker, in numbered records.

Everything here runs on the worker's event loop and touches memory only; the journal
writes to disk.
"""

import asyncio
import hashlib
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from answerable.evidence.spool_format import encode_decision, encode_record
from answerable.gateway.recording.trace_context import parse_trace_id
from answerable.gateway.upstream_credentials.credential import PresentedCredential
from answerable.model.caller import VerifiedCaller
from answerable.model.decision import Decision, RecordDurability
from answerable.model.ids import build_event_id
from answerable.model.log_sources import GATEWAY
from answerable.model.spool_record import (
    CallBehaviour,
    CallEndRecord,
    CallOutcome,
    CallResult,
    CallSummary,
)
from answerable.model.worker_limits import WorkerLimits
from answerable.server.mcp.call import McpCall, WatchedItem
from answerable.server.recording.record_ticket import NotRecorded, RecordTicket
from answerable.server.recording.server_recorder import ServerRecorder

MAX_CACHED = 1024  # cached callers and decisions
MAX_CACHED_BYTES = 512 << 10  # bytes of their encodings together


class DecisionFacts(msgspec.Struct, frozen=True, gc=False):
    """Facts for the record of a decision.

    Attributes:
        ticket: Its number and the state of its call.
        decision: The decision on it.
        shown: Credential for the server; None where it gets none.
        acted: Activity for the baseline; None where the agent is not watched.
    """

    ticket: RecordTicket
    caller: VerifiedCaller
    call: McpCall
    decision: Decision
    body: bytes
    shown: PresentedCredential | None
    acted: CallBehaviour | None


BlockedCallListener = Callable[[VerifiedCaller, McpCall, Decision, str], None]


class GatewayRecorder(ServerRecorder):
    """Recorder of the decisions of one worker.

    Args:
        spool: Folder of all recorders' folders.
        worker: Number of the worker.
        loop: Event loop of the worker.
        limits: Limits of the spool.
        clock: Returns UTC nanoseconds.

    Attributes:
        name: Random name of this start; the first record names the previous one.
        held_back: Called with each call that does not go on; None for none.

    Raises:
        EnvironmentFailure: The spool cannot be written.
    """

    def __init__(
        self,
        spool: Path,
        worker: int,
        loop: asyncio.AbstractEventLoop,
        limits: WorkerLimits,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        super().__init__(spool, loop, limits, worker=worker, clock=clock)
        self.name = self.journal.name
        self.held_back: BlockedCallListener | None = None
        self._spelled = EncodingCache()
        self._owed: DecisionFacts | None = None  # of a record that was left for later

    def record_decision(
        self,
        caller: VerifiedCaller,
        call: McpCall,
        decision: Decision,
        body: bytes,
        credential: PresentedCredential | None = None,
        behaviour: CallBehaviour | None = None,
        deferred: bool = False,
    ) -> RecordTicket:
        """Record a decision before its call is forwarded.

        Args:
            caller: The verified caller.
            call: The call.
            decision: The decision on it.
            body: The message; its digest and size are kept.
            credential: Credential for the server; None where it gets none.
            behaviour: Activity for the baseline; None where the agent is not watched.
            deferred: `write_deferred` follows as soon as the call is sent. The record of a
                call that waits for no disk is encoded then, with the number that it has by
                now; any other is recorded here.

        Returns:
            A ticket. Where its `durable` is a future, the call waits for it.

        Raises:
            NotRecorded: It cannot be kept: then the call does not happen.
        """
        if self._owed is not None:
            self.write_deferred()
        agent = caller.agent
        if why := self.journal.find_recording_obstacle(agent):
            self.unrecorded += 1
            self.count_refused(f"unrecorded-{why}", caller, call.server, call.method)
            raise NotRecorded(why)
        durable = None
        if decision.durability is RecordDurability.DURABLE:
            durable = self.journal.loop.create_future()
        sequence, at = self.journal.next_record_number()
        ticket = RecordTicket("", sequence, agent, decision.passes, durable, at)
        facts = DecisionFacts(
            ticket, caller, call, decision, body, shown=credential, acted=behaviour
        )
        if deferred and durable is None and decision.passes:
            # The rest came from UTF-8; a caller that cannot be encoded fails here.
            self._spelled(caller)
            self._owed = facts
        else:
            self._write_decision(facts)
        return ticket

    def write_deferred(self) -> None:
        """Write the deferred decision record before any other record gets a number."""
        owed = self._owed
        if owed is not None:
            self._owed = None
            self._write_decision(owed)

    def _write_decision(self, facts: DecisionFacts) -> None:
        """Write the record of a decision, with the number of its ticket."""
        ticket, spelled = facts.ticket, self._spelled
        sequence, at = ticket.sequence, ticket.at
        ticket.id = build_event_id(at, GATEWAY, self.name, b"%d" % sequence).hex()
        record = encode_decision(
            sequence,
            at,
            ticket.id,
            spelled(facts.caller),
            build_call_summary(facts.call, facts.body, facts.shown, facts.acted),
            spelled(facts.decision),
        )
        waits = ticket if ticket.durable is not None else None
        self.journal.append_encoded(record, ticket.agent, waits)
        if not facts.decision.passes and self.held_back is not None:
            self.held_back(facts.caller, facts.call, facts.decision, ticket.id)

    def record_end(self, ticket: RecordTicket, end: CallResult) -> None:
        """Record how a call ended, once."""
        if not ticket.passes:
            return
        if self._owed is not None:
            self.write_deferred()
        ticket.passes = False
        # Written even to a full spool: calls in flight are few, and did happen.
        self.journal.append(
            CallEndRecord(*self.journal.next_record_number(), ticket.sequence, end),
            ticket.agent,
        )

    def count_refused(
        self, reason: str, caller: VerifiedCaller | None, server: str, method: str
    ) -> None:
        """Count a request that was refused before a decision."""
        agent = caller.agent if caller is not None else ""
        if self.journal.is_over_quota(agent):
            server = method = ""  # then it has one count for each reason
        self.count_refused_request(reason, agent, server, method)

    def _on_call_withheld(self, ticket: RecordTicket) -> None:
        """Record that a call was withheld, since its decision was not written."""
        self.record_end(ticket, CallResult(CallOutcome.WITHHELD))


class EncodingCache:
    """Cache of encoded callers and decisions, by object identity; full, it starts over.

    They are frozen. The cache keeps each object, so that no other one can reuse its
    address.

    Args:
        most_bytes: Maximum bytes of the encodings together.
    """

    def __init__(self, most_bytes: int = MAX_CACHED_BYTES) -> None:
        self._known: dict[int, tuple[object, msgspec.Raw]] = {}
        self._bytes, self._most_bytes = 0, most_bytes

    @property
    def size(self) -> int:
        """Bytes of the cached encodings."""
        return self._bytes

    def __call__(self, what: VerifiedCaller | Decision) -> msgspec.Raw:
        """Return the encoded object."""
        found = self._known.get(id(what))
        if found is None:
            encoded = encode_record(what)
            size = len(encoded)
            if len(self._known) >= MAX_CACHED or self._bytes + size > self._most_bytes:
                self._known.clear()
                self._bytes = 0
            found = what, msgspec.Raw(encoded)
            if size <= self._most_bytes:
                self._known[id(what)] = found
                self._bytes += size
        return found[1]


def build_call_summary(
    call: McpCall,
    body: bytes,
    presented: PresentedCredential | None = None,
    behaviour: CallBehaviour | None = None,
) -> CallSummary:
    """Describe a call for its record, without its arguments."""
    arguments = ""
    if call.arguments:
        arguments = hashlib.sha256(call.arguments).hexdigest()
    identity = credential = jti = ""
    if presented is not None:
        identity, credential, jti = presented.identity, presented.digest, presented.jti
    watched = _list_watched_items(call.watched) if call.watched else ()
    return CallSummary(
        call.era,
        call.method,
        call.server,
        call.target,
        call.name,
        watched=watched,
        session=call.session,
        state=call.state,
        size=len(body),
        arguments=arguments,
        identity=identity,
        credential=credential,
        jti=jti,
        acted=behaviour,
        trace=parse_trace_id(body),
    )


def _list_watched_items(watched: tuple[WatchedItem, ...]) -> tuple[str, ...]:
    """Return the items that a call refers to, as `TARGET:NAME`."""
    return tuple(f"{each.target}:{each.name}" for each in watched)
