"""Pipeline of one call: decision, ownership of handles, records, and the messages back.

The transport begins a call, passes each message of the server to `hear`, and ends the
call. Everything here works in memory; nothing writes to a socket.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import msgspec

from answerable.gateway.baseline_enforcement import Behaviour
from answerable.gateway.call_outcomes import (
    after_records,
    denied_call,
    without_credential,
)
from answerable.gateway.decision_request import request_of
from answerable.gateway.definition_watcher import CHANGES, Definitions
from answerable.gateway.handle_ownership import Ownership
from answerable.gateway.in_flight_call import Denied, Heard, Passage
from answerable.gateway.recording.recorder import Recorder
from answerable.gateway.replay_buffer import Recent
from answerable.gateway.upstream import Upstream
from answerable.gateway.upstream_credentials.credential import Credential
from answerable.gateway.upstream_credentials.provider import Credentials
from answerable.gateway.wire.fast_path import plain_answer
from answerable.gateway.wire.list_filter import HELD, UNKNOWN, Listing, for_caller
from answerable.gateway.wire.server_messages import Answer, read_answer
from answerable.model.behaviour import Observation
from answerable.model.caller import Caller
from answerable.model.config import Server
from answerable.model.decision import Decision, Effect, Reason, Request, Target
from answerable.model.ids import AgentId
from answerable.model.pin import Kind as Item
from answerable.model.spool_record import Acted, End, Ending
from answerable.server.mcp.call import Call
from answerable.server.mcp.messages import Kind
from answerable.server.mcp.methods import INPUTS, Sender, method_of
from answerable.server.recording.record_ticket import NotRecorded, Ticket
from answerable.server.wire.refusals import Refused, Why
from answerable.usecases.authorization.authorize import Authority

UNANSWERED = Answer(Kind.RESPONSE, None)
NOTHING_CAME = Observation("", 0, "")


class Exchange:
    """Decides, tracks and records the calls of one worker, for every transport.

    Optional parts are None where no server needs credentials, nothing is reloaded,
    nothing is pinned, or no agent has a baseline.
    """

    def __init__(
        self,
        authority: Authority,
        recorder: Recorder,
        servers: Mapping[str, Upstream],
        credentials: Credentials | None = None,
        recent: Recent | None = None,
        definitions: Definitions | None = None,
        behaviour: Behaviour | None = None,
    ) -> None:
        self.authority = authority
        self.recorder = recorder
        self.servers = servers
        self.credentials = credentials
        self._recent = recent
        self._behaviour = behaviour
        self._ownership = Ownership()
        self.definitions = definitions or Definitions(servers)
        self._latest: Request | None = None  # for the replay buffer, once it is sent

    def begin(
        self,
        caller: Caller,
        call: Call,
        body: bytes,
        shown: Credential | None = None,
        network: str = "",
    ) -> Passage | Denied:
        """Decide on a call and record the decision; a call that goes on must be ended.

        Where `ticket.durable` is set, the transport waits for it before it sends. Work
        that no call waits for is left to `settle`, which follows at once. A server
        without a credential has `shown` None.
        """
        self._latest = request = self._request(caller, call)
        decision = self._decide(caller, call, request)
        seen = None
        if self._behaviour is not None:
            decision, seen = self._behaviour.see(
                *(caller, call, request.identity, decision, network),
                above=self._identities_above(caller, call),
            )
            if decision.reason is Reason.BEHAVIOUR:
                decision = self.authority.amended(request, decision)
        if shown is None and decision.passes and self.shows(call.server):
            decision = without_credential(decision)
        acted = None if seen is None else seen.acted
        begun = self._record(caller, call, decision, body, shown, acted, later=True)
        if isinstance(begun, Denied):
            self.settle()
            return begun
        key = self._ownership.begin(caller, call)
        return Passage(caller, call, decision, begun, key, seen)

    def settle(self) -> None:
        """Write what was deferred for a call that was sent: record, replay buffer."""
        self.recorder.settle()
        if self._recent is not None and self._latest is not None:
            self._recent.keep(self._latest)
        self._latest = None

    def shows(self, server: str) -> bool:
        """Tell whether a server gets a credential."""
        return self.credentials is not None and self.credentials.needs(server)

    def would_pass(self, caller: Caller, call: Call) -> bool:
        """Tell whether a call would go on, without recording the decision."""
        return self._decide(caller, call, self._request(caller, call)).passes

    def unrecorded(self, passage: Passage) -> Denied:
        """Deny a call whose record did not reach the disk; the recorder has its end."""
        self._close(passage)
        return Denied(Effect.ERROR.value, passage.ticket.id)

    def may_go_on(self, passage: Passage) -> bool:
        """Tell whether an open call may continue after a revocation."""
        caller, call = passage.caller, passage.call
        decision = self._decide(caller, call, self._request(caller, call))
        return decision.reason is not Reason.KILLED

    def may_be_sent(self, passage: Passage) -> bool:
        """Tell whether a call may be sent, now that its server's identity is known."""
        caller, call = passage.caller, passage.call
        decision = self._decide(caller, call, self._request(caller, call))
        held = decision.reason in (Reason.KILLED, Reason.QUARANTINED)
        return decision.passes or not held

    def hear(self, passage: Passage, data: bytes) -> Heard:
        """Process one message of a server: a JSON body, an event's data, a line.

        Raises:
            Refused: It is ambiguous or malformed, or answers another request.
        """
        answer = plain_answer(data) or read_answer(data)
        if answer.kind is Kind.REQUEST:
            return self._asked(passage, answer, data)
        if answer.kind is Kind.NOTIFICATION:
            return Heard(data, changed=CHANGES.get(answer.method))
        denied = self.answered(passage, answer)
        if denied is not None:
            return Heard(denied.body(answer.id))
        call = passage.call
        if passage.seen is not None and self._behaviour is not None:
            self._behaviour.heard(passage.seen, passage.ticket.id, data)
        if call.kind is Kind.OPEN or call.method in HELD:
            data = self._for_caller(passage, data)
        if passage.waits:
            unrecorded = Denied(Effect.ERROR.value, passage.ticket.id)
            return after_records(data, passage, Heard(unrecorded.body(answer.id)))
        return Heard(data)

    def configured(self, server: str) -> Server | None:
        """Return a server as it is configured now; None without credentials."""
        found = self.credentials
        return None if found is None else found.configured(server)

    def refused(self, passage: Passage, shown: Credential, status: int) -> None:
        """Note that a server rejected a call because of its credential."""
        if self.credentials is not None:
            self.credentials.refuse(passage.caller, passage.call.server, shown, status)

    def answered(self, passage: Passage, answer: Answer) -> Denied | None:
        """Register the handles in the parsed answer to a call; return a denied input.

        Raises:
            Refused: It answers something else.
        """
        call = passage.call
        if call.kind is Kind.REQUEST:
            if answer.kind is not Kind.RESPONSE or answer.id not in (call.id, None):
                raise Refused(Why.EVENT_TYPE)
            passage.answer = answer
        for method in answer.inputs:
            denied = self._input(passage, method)
            if denied is not None:
                return denied
        self._ownership.answered(passage.caller, call, answer)
        return None

    def end(
        self,
        passage: Passage,
        outcome: Ending,
        *,
        status: int = 0,
        size: int = 0,
        sha256: str = "",
    ) -> None:
        """Record how a call ended; only the first end counts."""
        if passage.ended:
            return
        self._close(passage)
        answer = passage.answer or UNANSWERED
        came = self._came(passage, size)
        end = End(
            outcome, status, answer.code, size, sha256,
            answer.state, answer.task, answer.inputs,
            came is not NOTHING_CAME, came.size, came.records, came.untrusted,
        )  # fmt: skip
        self.recorder.ended(passage.ticket, end)
        if outcome is Ending.LEAKED and self.credentials is not None:
            self.credentials.leaked(passage.call.server, passage.ticket.id)

    def _came(self, passage: Passage, size: int) -> Observation:
        """Return the observed result of a watched call."""
        seen = passage.seen
        if seen is None or self._behaviour is None:
            return NOTHING_CAME
        if seen.came is None and size:
            self._behaviour.unread(seen, passage.ticket.id, size)
        return seen.came or NOTHING_CAME

    def _close(self, passage: Passage) -> None:
        passage.ended = True
        self._ownership.end(passage.key)

    def _record(
        self,
        caller: Caller,
        call: Call,
        decision: Decision,
        body: bytes,
        shown: Credential | None = None,
        acted: Acted | None = None,
        *,
        later: bool = False,
    ) -> Ticket | Denied:
        try:
            ticket = self.recorder.decided(
                caller, call, decision, body, shown, acted, later
            )
        except NotRecorded:
            return Denied(Effect.ERROR.value, "")
        if decision.passes:
            return ticket
        return denied_call(call, decision, ticket.id)

    def _decide(self, caller: Caller, call: Call, request: Request) -> Decision:
        decision = self.authority.authorize(request)
        for each in call.watched:
            if not decision.passes:
                return decision
            if each.target is not Target.TASK:
                decision = self._authorize(
                    caller, call, call.method, each.target, each.name
                )
        return self._ownership.decide(caller, call, decision)

    def _request(self, caller: Caller, call: Call) -> Request:
        return request_of(
            caller, call, self._identity(caller, call),
            call.method, call.target, call.name, call.arguments,
        )  # fmt: skip

    def _authorize(
        self, caller: Caller, call: Call, action: str, target: Target, name: str
    ) -> Decision:
        identity = self._identity(caller, call)
        request = request_of(caller, call, identity, action, target, name)
        return self.authority.authorize(request)

    def _identity(self, caller: Caller, call: Call) -> str:
        shown = self.credentials
        return "" if shown is None else shown.identity(caller, call.server)

    def _identities_above(self, caller: Caller, call: Call) -> dict[AgentId, str]:
        """Map each agent above to the principal that the server would see for it."""
        return {
            agent: self._identity(replace(caller, agent=agent), call)
            for agent in caller.chain
        }

    def _input(self, passage: Passage, method: str) -> Denied | None:
        """Decide on an input that a server requests, as an action of its own."""
        caller, call = passage.caller, passage.call
        target = INPUTS[method]
        asked = Call(
            call.era, Kind.REQUEST, method, call.id, call.server, target,
            session=call.session,
        )  # fmt: skip
        decision = self._authorize(caller, asked, method, target, "")
        recorded = self._record(caller, asked, decision, b"")
        if isinstance(recorded, Denied):
            return recorded
        if recorded.durable is not None:
            passage.waits.append(recorded.durable)
        return None

    def _asked(self, passage: Passage, answer: Answer, data: bytes) -> Heard:
        """Process a request of a server (2025-11-25 and before)."""
        call = passage.call
        if call.era.is_modern or answer.id is None:
            raise Refused(Why.EVENT_TYPE)
        if method_of(call.era, answer.method, Sender.SERVER) is None:
            unknown = Refused(Why.UNKNOWN_METHOD, id=answer.id)
            return Heard(None, unknown.body())
        for method in answer.inputs:
            denied = self._input(passage, method)
            if denied is not None:
                return Heard(None, denied.body(answer.id))
        self._ownership.asked(passage.caller, call, answer.id)
        if passage.waits:
            unrecorded = Denied(Effect.ERROR.value, passage.ticket.id)
            back = unrecorded.body(answer.id)
            return after_records(data, passage, Heard(None, back))
        return Heard(data)

    def _for_caller(self, passage: Passage, data: bytes) -> bytes:
        call = passage.call
        method = UNKNOWN if call.kind is Kind.OPEN else call.method
        may = partial(self._may, passage)
        self.definitions.hear(call, method, data)
        speaks = not self.definitions.withholds(passage, Item.INSTRUCTIONS)
        return for_caller(
            data, method, may, is_modern=call.era.is_modern, speaks=speaks
        )

    def _may(self, passage: Passage, listing: Listing, name: str) -> bool:
        """Tell whether the caller may use one item of a list."""
        definitions = self.definitions
        if listing.is_template and definitions.withholds(passage, Item.TEMPLATE, name):
            return False
        caller, call = passage.caller, passage.call
        item = msgspec.structs.replace(call, target=listing.target, name=name)
        identity, action = self._identity(caller, call), listing.action
        request = request_of(caller, call, identity, action, listing.target, name)
        decision = self.authority.lists(request)
        return self._ownership.decide(caller, item, decision).passes
