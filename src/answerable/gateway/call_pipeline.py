"""Process a call: decide, check handle ownership, record, and filter the responses.

A transport begins a call, passes messages to `process_message`, and ends the call.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import msgspec

from answerable.gateway.baseline_enforcement import BaselineEnforcer
from answerable.gateway.call_outcomes import (
    build_denied_call,
    delay_until_recorded,
    deny_missing_credential,
)
from answerable.gateway.decision_request import (
    RequestedAction,
    build_decision_request,
    build_input_call,
)
from answerable.gateway.definition_watcher import (
    ITEM_BY_NOTIFICATION,
    DefinitionWatcher,
)
from answerable.gateway.handle_ownership import HandleOwnershipTracker
from answerable.gateway.in_flight_call import DeniedCall, InFlightCall, MessageOutcome
from answerable.gateway.recording.recorder import GatewayRecorder
from answerable.gateway.replay_buffer import ReplayBuffer
from answerable.gateway.upstream import Upstream
from answerable.gateway.upstream_credentials.credential import PresentedCredential
from answerable.gateway.upstream_credentials.provider import CredentialProvider
from answerable.gateway.wire.fast_message_parser import parse_plain_tool_result
from answerable.gateway.wire.list_filter import (
    BUFFERED_METHODS,
    UNKNOWN,
    ListKind,
    filter_list_for_caller,
)
from answerable.gateway.wire.server_messages import ServerMessage, parse_server_message
from answerable.model.behaviour import CallObservation
from answerable.model.caller import VerifiedCaller
from answerable.model.config import UpstreamServer
from answerable.model.decision import (
    AuthorizationRequest,
    Decision,
    DecisionEffect,
    DecisionReason,
    TargetKind,
)
from answerable.model.definition_pin import DefinitionKind as Item
from answerable.model.ids import AgentId
from answerable.model.spool_record import CallBehaviour, CallOutcome, CallResult
from answerable.server.mcp.call import McpCall
from answerable.server.mcp.messages import MessageKind
from answerable.server.mcp.methods import MessageSender, find_method
from answerable.server.pins.pin_enforcer import PinEnforcer
from answerable.server.recording.record_ticket import NotRecorded, RecordTicket
from answerable.server.wire.refusals import RefusalReason, RequestRefused
from answerable.usecases.authorization.authorize import Authorizer

NO_ANSWER = ServerMessage(MessageKind.RESPONSE, None)
NO_RESULT = CallObservation("", 0, "")


class CallPipeline:
    """Decides, tracks and records the calls of one worker, for every transport.

    An optional part is None if no server, agent or reload needs it.
    """

    def __init__(
        self,
        authority: Authorizer,
        recorder: GatewayRecorder,
        servers: Mapping[str, Upstream],
        credentials: CredentialProvider | None = None,
        recent: ReplayBuffer | None = None,
        pins: PinEnforcer | None = None,
        behaviour: BaselineEnforcer | None = None,
    ) -> None:
        self.authority = authority
        self.recorder = recorder
        self.servers = servers
        self.credentials = credentials
        self._recent, self._behaviour = recent, behaviour
        self._ownership = HandleOwnershipTracker()
        self.definitions = DefinitionWatcher(servers, pins)
        # For the replay buffer, once it is sent.
        self._latest: AuthorizationRequest | None = None

    def authorize(
        self,
        caller: VerifiedCaller,
        call: McpCall,
        body: bytes,
        credential: PresentedCredential | None = None,
        network: str = "",
    ) -> InFlightCall | DeniedCall:
        """Authorize a call, and record the decision before the call is forwarded.

        The transport waits for `ticket.durable`, if set, before it sends, and then calls
        `write_deferred`. A server without a credential has `credential` None.
        """
        self._latest = request = self._build_request(caller, call)
        decision = self._decide_call(caller, call, request)
        seen = None
        if self._behaviour is not None:
            decision, seen = self._behaviour.check_call(
                caller,
                call,
                request.identity,
                decision,
                network,
                ancestors=self._map_parent_agent_identities(caller, call),
            )
            if decision.reason is DecisionReason.BEHAVIOUR:
                decision = self.authority.apply_exceptions(request, decision)
        if credential is None and decision.passes and self.uses_credential(call.server):
            decision = deny_missing_credential(decision)
        acted = None if seen is None else seen.acted
        begun = self._record_decision(
            caller, call, decision, body, credential, acted, deferred=True
        )
        if isinstance(begun, DeniedCall):
            self.write_deferred()
            return begun
        key = self._ownership.register_call(caller, call)
        return InFlightCall(caller, call, decision, begun, key, seen)

    def write_deferred(self) -> None:
        """Write the deferred decision record of a call that was just sent."""
        self.recorder.write_deferred()
        if self._recent is not None and self._latest is not None:
            self._recent.append(self._latest)
        self._latest = None

    def uses_credential(self, server: str) -> bool:
        """Return whether the gateway adds a credential to calls of a server."""
        found = self.credentials
        return found is not None and found.needs_credential(server)

    def would_allow(self, caller: VerifiedCaller, call: McpCall) -> bool:
        """Return whether a call would be allowed, without recording the decision."""
        return self._decide_again(caller, call).passes

    def deny_unrecorded(self, in_flight: InFlightCall) -> DeniedCall:
        """Deny a call whose decision record could not be written to disk."""
        self._mark_call_ended(in_flight)
        return DeniedCall(DecisionEffect.ERROR.value, in_flight.ticket.id)

    def may_continue(self, in_flight: InFlightCall) -> bool:
        """Return whether an open call may continue after a revocation."""
        decision = self._decide_again(in_flight.caller, in_flight.call)
        return decision.reason is not DecisionReason.KILLED

    def may_send(self, in_flight: InFlightCall) -> bool:
        """Return whether a call may be sent, now that its server's identity is known."""
        decision = self._decide_again(in_flight.caller, in_flight.call)
        held = decision.reason in (DecisionReason.KILLED, DecisionReason.QUARANTINED)
        return decision.passes or not held

    def process_message(self, in_flight: InFlightCall, data: bytes) -> MessageOutcome:
        """Check and filter one message of a server: a JSON body, event data, or a line.

        Raises:
            Refused: It is ambiguous or malformed, or answers another request.
        """
        answer = parse_plain_tool_result(data) or parse_server_message(data)
        if answer.kind is MessageKind.REQUEST:
            return self._process_server_request(in_flight, answer, data)
        if answer.kind is MessageKind.NOTIFICATION:
            return MessageOutcome(data, changed=ITEM_BY_NOTIFICATION.get(answer.method))
        denied = self.register_answer_handles(in_flight, answer)
        if denied is not None:
            return MessageOutcome(denied.jsonrpc_error(answer.id))
        call = in_flight.call
        if in_flight.seen is not None and self._behaviour is not None:
            self._behaviour.record_result(in_flight.seen, in_flight.ticket.id, data)
        if call.kind is MessageKind.OPEN or call.method in BUFFERED_METHODS:
            data = self._filter_answer(in_flight, data)
        if in_flight.waits:
            unrecorded = DeniedCall(DecisionEffect.ERROR.value, in_flight.ticket.id)
            return delay_until_recorded(
                data, in_flight, MessageOutcome(unrecorded.jsonrpc_error(answer.id))
            )
        return MessageOutcome(data)

    def get_server(self, server: str) -> UpstreamServer | None:
        """Return a server as it is configured now; None without credentials."""
        found = self.credentials
        return None if found is None else found.get_server(server)

    def report_rejected_credential(
        self, in_flight: InFlightCall, credential: PresentedCredential, status: int
    ) -> None:
        """Note that a server rejected a call because of its credential."""
        if self.credentials is not None:
            self.credentials.report_rejected_credential(
                in_flight.caller, in_flight.call.server, credential, status
            )

    def register_answer_handles(
        self, in_flight: InFlightCall, answer: ServerMessage
    ) -> DeniedCall | None:
        """Register the handles in the parsed answer to a call; return a denied input.

        Raises:
            Refused: It answers something else.
        """
        call = in_flight.call
        if call.kind is MessageKind.REQUEST:
            is_other = answer.id not in (call.id, None)
            if answer.kind is not MessageKind.RESPONSE or is_other:
                raise RequestRefused(RefusalReason.EVENT_TYPE)
            in_flight.answer = answer
        for method in answer.inputs:
            denied = self._decide_input(in_flight, method)
            if denied is not None:
                return denied
        self._ownership.register_answer_handles(in_flight.caller, call, answer)
        return None

    def record_call_end(
        self,
        in_flight: InFlightCall,
        outcome: CallOutcome,
        *,
        status: int = 0,
        size: int = 0,
        sha256: str = "",
    ) -> None:
        """Record the outcome of a call; only its first end counts."""
        if in_flight.ended:
            return
        self._mark_call_ended(in_flight)
        answer = in_flight.answer or NO_ANSWER
        came = self._observed_result(in_flight, size)
        end = CallResult(
            outcome,
            status,
            answer.code,
            size,
            sha256,
            state=answer.state,
            task=answer.task,
            inputs=answer.inputs,
            came=came is not NO_RESULT,
            text=came.size,
            records=came.records,
            untrusted=came.untrusted,
        )
        self.recorder.record_end(in_flight.ticket, end)
        if outcome is CallOutcome.LEAKED and self.credentials is not None:
            self.credentials.report_leak(in_flight.call.server, in_flight.ticket.id)

    def _observed_result(self, in_flight: InFlightCall, size: int) -> CallObservation:
        """Return what a baseline observed in a call's result; none if unwatched."""
        seen = in_flight.seen
        if seen is None or self._behaviour is None:
            return NO_RESULT
        if seen.came is None and size:
            self._behaviour.record_oversized_result(seen, in_flight.ticket.id, size)
        return seen.came or NO_RESULT

    def _mark_call_ended(self, in_flight: InFlightCall) -> None:
        """Mark a call as ended, and release its request id."""
        in_flight.ended = True
        self._ownership.unregister_call(in_flight.key)

    def _record_decision(
        self,
        caller: VerifiedCaller,
        call: McpCall,
        decision: Decision,
        body: bytes,
        credential: PresentedCredential | None = None,
        behaviour: CallBehaviour | None = None,
        *,
        deferred: bool = False,
    ) -> RecordTicket | DeniedCall:
        """Record a decision; return its ticket, or the denial of the call."""
        try:
            ticket = self.recorder.record_decision(
                caller, call, decision, body, credential, behaviour, deferred=deferred
            )
        except NotRecorded:
            return DeniedCall(DecisionEffect.ERROR.value, "")
        if decision.passes:
            return ticket
        return build_denied_call(call, decision, ticket.id)

    def _decide_call(
        self, caller: VerifiedCaller, call: McpCall, request: AuthorizationRequest
    ) -> Decision:
        """Decide by policy on a call and the items it uses, then by handle owner."""
        decision = self.authority.authorize(request)
        for each in call.watched:
            if not decision.passes:
                return decision
            if each.target is not TargetKind.TASK:
                item = RequestedAction(call.method, each.target, each.name)
                decision = self._authorize_action(caller, call, item)
        return self._ownership.deny_foreign_handle(caller, call, decision)

    def _decide_again(self, caller: VerifiedCaller, call: McpCall) -> Decision:
        """Decide once more by the current policy, without a record."""
        return self._decide_call(caller, call, self._build_request(caller, call))

    def _build_request(
        self, caller: VerifiedCaller, call: McpCall
    ) -> AuthorizationRequest:
        """Build the authorization request of a call."""
        action = RequestedAction(call.method, call.target, call.name, call.arguments)
        identity = self._find_upstream_identity(caller, call)
        return build_decision_request(caller, call, identity, action)

    def _authorize_action(
        self, caller: VerifiedCaller, call: McpCall, action: RequestedAction
    ) -> Decision:
        """Decide by policy on one action of a call, for example one list item."""
        identity = self._find_upstream_identity(caller, call)
        request = build_decision_request(caller, call, identity, action)
        return self.authority.authorize(request)

    def _find_upstream_identity(self, caller: VerifiedCaller, call: McpCall) -> str:
        """Return the principal that the server sees for a caller."""
        shown = self.credentials
        return "" if shown is None else shown.upstream_principal(caller, call.server)

    def _map_parent_agent_identities(
        self, caller: VerifiedCaller, call: McpCall
    ) -> dict[AgentId, str]:
        """Map each agent above to the principal that the server would see for it."""
        return {
            agent: self._find_upstream_identity(replace(caller, agent=agent), call)
            for agent in caller.chain
        }

    def _decide_input(self, in_flight: InFlightCall, method: str) -> DeniedCall | None:
        """Decide on an input that a server requests, as a separate action."""
        caller, call = in_flight.caller, in_flight.call
        asked = build_input_call(call, method)
        decision = self.authority.authorize(self._build_request(caller, asked))
        recorded = self._record_decision(caller, asked, decision, b"")
        if isinstance(recorded, DeniedCall):
            return recorded
        if recorded.durable is not None:
            in_flight.waits.append(recorded.durable)
        return None

    def _process_server_request(
        self, in_flight: InFlightCall, answer: ServerMessage, data: bytes
    ) -> MessageOutcome:
        """Authorize a request from the server to its client (MCP up to 2025-11-25)."""
        call = in_flight.call
        if call.era.is_modern or answer.id is None:
            raise RequestRefused(RefusalReason.EVENT_TYPE)
        if find_method(call.era, answer.method, MessageSender.SERVER) is None:
            unknown = RequestRefused(RefusalReason.UNKNOWN_METHOD, id=answer.id)
            return MessageOutcome(None, unknown.jsonrpc_error())
        for method in answer.inputs:
            denied = self._decide_input(in_flight, method)
            if denied is not None:
                return MessageOutcome(None, denied.jsonrpc_error(answer.id))
        self._ownership.register_server_request(in_flight.caller, call, answer.id)
        if in_flight.waits:
            unrecorded = DeniedCall(DecisionEffect.ERROR.value, in_flight.ticket.id)
            back = unrecorded.jsonrpc_error(answer.id)
            return delay_until_recorded(data, in_flight, MessageOutcome(None, back))
        return MessageOutcome(data)

    def _filter_answer(self, in_flight: InFlightCall, data: bytes) -> bytes:
        """Learn definitions from an answer; remove items the caller may not use."""
        call = in_flight.call
        method = UNKNOWN if call.kind is MessageKind.OPEN else call.method
        may = partial(self._may_use_list_item, in_flight)
        self.definitions.learn_from_answer(call, method, data)
        speaks = not self.definitions.is_quarantined_item(in_flight, Item.INSTRUCTIONS)
        return filter_list_for_caller(
            data, method, may, is_modern=call.era.is_modern, keep_instructions=speaks
        )

    def _may_use_list_item(
        self, in_flight: InFlightCall, listing: ListKind, name: str
    ) -> bool:
        """Return whether policy lets the caller see one item of a list answer."""
        definitions = self.definitions
        if listing.is_template and definitions.is_quarantined_item(
            in_flight, Item.TEMPLATE, name
        ):
            return False
        caller, call = in_flight.caller, in_flight.call
        item = msgspec.structs.replace(call, target=listing.target, name=name)
        action = RequestedAction(listing.action, listing.target, name)
        identity = self._find_upstream_identity(caller, call)
        request = build_decision_request(caller, call, identity, action)
        decision = self.authority.decide_listing(request)
        return self._ownership.deny_foreign_handle(caller, item, decision).passes
