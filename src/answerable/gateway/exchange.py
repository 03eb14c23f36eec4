"""One call's way through the gateway, whatever it came over and goes on over.

A door begins a call, hands every message that comes back to `hear`, and ends it. All
of it works in memory: what may be done is decided, what belongs to whom is looked up,
and each decision and outcome is recorded. Nothing here writes to a socket.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import msgspec

from answerable.flows.authorize import Authority
from answerable.gateway.behaviour import Behaviour
from answerable.gateway.credentials import Credentials
from answerable.gateway.definitions import CHANGES, Definitions
from answerable.gateway.ownership import Ownership
from answerable.gateway.passage import Denied, Heard, Passage
from answerable.gateway.recent import Recent
from answerable.gateway.recording.recorder import Recorder
from answerable.gateway.request import request_of
from answerable.gateway.shown.credential import Credential
from answerable.gateway.upstreams import Upstream
from answerable.gateway.wire.answers import Answer, read_answer
from answerable.gateway.wire.lists import HELD, UNKNOWN, Listing, for_caller
from answerable.gateway.wire.plain import plain_answer
from answerable.model.behaviour import Observation
from answerable.model.caller import Caller
from answerable.model.config import Server
from answerable.model.decision import Decision, Effect, Layer, Reason, Request, Target
from answerable.model.ids import AgentId
from answerable.model.pin import Kind as Item
from answerable.model.record import Acted, End, Ending
from answerable.serving.mcp.call import Call
from answerable.serving.mcp.messages import Kind
from answerable.serving.mcp.methods import INPUTS, Sender, method_of
from answerable.serving.recording.ticket import NotRecorded, Ticket
from answerable.serving.wire.refusals import Refused, Why

UNANSWERED = Answer(Kind.RESPONSE, None)
NOTHING_CAME = Observation("", 0, "")


class Exchange:
    """Decides, remembers and records for every door of one worker.

    Args:
        authority: Decides.
        recorder: Records.
        servers: Upstream servers by name.
        credentials: What these are shown; None where none is shown anything.
        recent: Keeps what was asked, for a replay; None where there is no reload.
        definitions: What these define; None where they are held to nothing.
        behaviour: Watches agents that have a baseline; None where none has.
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
        self._latest: Request | None = None  # to be kept, once its call is on its way

    def begin(
        self,
        caller: Caller,
        call: Call,
        body: bytes,
        shown: Credential | None = None,
        network: str = "",
    ) -> Passage | Denied:
        """Decide on a call and record that; where it goes on, an end is owed.

        Where `ticket.durable` is set, the door waits for it before it goes on. What no
        call has to wait for is left to `settle`, which follows at once.

        Args:
            caller: Who asks.
            call: What.
            body: The message.
            shown: What its server is shown, None where that is nothing.
            network: Of the connection that it came over.
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
            # Without it the server would take the call for somebody else's.
            decision = replace(
                decision,
                effect=Effect.ERROR,
                passes=False,
                reason=Reason.CREDENTIAL,
                determining=(),
                layer=Layer.CREDENTIAL,
            )
        acted = None if seen is None else seen.acted
        begun = self._record(caller, call, decision, body, shown, acted, later=True)
        if isinstance(begun, Denied):
            self.settle()
            return begun
        key = self._ownership.begin(caller, call)
        return Passage(caller, call, decision, begun, key, seen)

    def settle(self) -> None:
        """Do what was left when a call began, now that it is on its way or will be."""
        self.recorder.settle()
        if self._recent is not None and self._latest is not None:
            self._recent.keep(self._latest)
        self._latest = None

    def shows(self, server: str) -> bool:
        """Say whether a server is shown a credential."""
        return self.credentials is not None and self.credentials.needs(server)

    def would_pass(self, caller: Caller, call: Call) -> bool:
        """Say whether a call would go on; nothing is recorded by that."""
        return self._decide(caller, call, self._request(caller, call)).passes

    def unrecorded(self, passage: Passage) -> Denied:
        """Its record did not get to disk, so it does not go on after all.

        The recorder knows, and records that as its end.
        """
        self._close(passage)
        return Denied(Effect.ERROR.value, passage.ticket.id)

    def may_go_on(self, passage: Passage) -> bool:
        """Say whether an open call would still be let through (after a kill)."""
        caller, call = passage.caller, passage.call
        decision = self._decide(caller, call, self._request(caller, call))
        return decision.reason is not Reason.KILLED

    def may_be_sent(self, passage: Passage) -> bool:
        """Say whether a call would still be sent, now that its server is known."""
        caller, call = passage.caller, passage.call
        decision = self._decide(caller, call, self._request(caller, call))
        held = decision.reason in (Reason.KILLED, Reason.QUARANTINED)
        return decision.passes or not held

    def hear(self, passage: Passage, data: bytes) -> Heard:
        """Take one message of a server: a JSON body, an event's data, a line.

        Raises:
            Refused: It cannot be read in exactly one way, or answers something else.
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
            return _once_recorded(data, passage, Heard(unrecorded.body(answer.id)))
        return Heard(data)

    def configured(self, server: str) -> Server | None:
        """Give a server as it is configured now; None where nothing is shown to any."""
        found = self.credentials
        return None if found is None else found.configured(server)

    def refused(self, passage: Passage, shown: Credential, status: int) -> None:
        """Take note that a server refused a call for what it was shown."""
        if self.credentials is not None:
            self.credentials.refuse(passage.caller, passage.call.server, shown, status)

    def answered(self, passage: Passage, answer: Answer) -> Denied | None:
        """Take the answer to a call, read already: what it hands out has an owner.

        Returns:
            The denial of an input that it asks for; the caller hears this instead.

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
        """Record how a call ended; what comes after the first end says nothing."""
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
        """Give what came back for a call that is watched."""
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
        not_its_own = decision.reason is Reason.NOT_ITS_OWN
        return Denied(
            _word(decision.effect),
            ticket.id,
            quiet=not_its_own and call.target is Target.REQUEST,
            is_unknown_task=not_its_own and call.target is Target.TASK,
        )

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
        """Decide on an input that a server asks for: an action of its own."""
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
        """Take a request of a server (2025-11-25 and before)."""
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
            return _once_recorded(data, passage, Heard(None, back))
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
        """Say whether the caller may act on one item of a list."""
        definitions = self.definitions
        if listing.is_template and definitions.withholds(passage, Item.TEMPLATE, name):
            return False
        caller, call = passage.caller, passage.call
        item = msgspec.structs.replace(call, target=listing.target, name=name)
        identity, action = self._identity(caller, call), listing.action
        request = request_of(caller, call, identity, action, listing.target, name)
        decision = self.authority.lists(request)
        return self._ownership.decide(caller, item, decision).passes


def _once_recorded(data: bytes, passage: Passage, instead: Heard) -> Heard:
    """Have a message wait for the records that it brought about."""
    waits, passage.waits = passage.waits, []
    until = waits[0] if len(waits) == 1 else asyncio.gather(*waits)
    return Heard(data, until=until, instead=instead)


def _word(effect: Effect) -> str:
    """What a caller hears; what would have been allowed is held back by its owner."""
    return Effect.DENY.value if effect is Effect.ALLOW else effect.value
