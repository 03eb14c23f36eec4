"""State of one call in flight: allowed or denied, and the server's messages."""

import asyncio
from typing import Any

import msgspec

from answerable.gateway.baseline_enforcement import ObservedCall
from answerable.gateway.handle_registry import HandleKey
from answerable.gateway.wire.server_messages import ServerMessage
from answerable.model.caller import VerifiedCaller
from answerable.model.decision import Decision
from answerable.model.definition_pin import DefinitionKind as Item
from answerable.server.mcp.call import McpCall
from answerable.server.mcp.denial_error import build_denial
from answerable.server.recording.record_ticket import RecordTicket
from answerable.server.wire.refusals import RefusalReason, RequestRefused

RecordFuture = asyncio.Future[Any]


class DeniedCall(msgspec.Struct, frozen=True):
    """Call that does not go on.

    Attributes:
        decision: `deny`, `ask` or `error`: all that the caller gets besides the id.
        decision_id: Id of the record, empty where it could not be written.
        quiet: It refers to a request that may just have ended, so it is dropped
            silently.
        is_unknown_task: It names another caller's task, and is answered like an unknown
            one.
    """

    decision: str
    decision_id: str
    quiet: bool = False
    is_unknown_task: bool = False

    def jsonrpc_error(self, id: str | int | None) -> bytes:
        """Encode the JSON-RPC error that the client gets."""
        if self.is_unknown_task:
            return RequestRefused(RefusalReason.UNKNOWN_TASK, id=id).jsonrpc_error()
        return build_denial(id, self.decision, self.decision_id)


class InFlightCall(msgspec.Struct):
    """Call in flight, from its decision to its end.

    Attributes:
        decision: The decision on it.
        ticket: Ticket of its record.
        key: Key while it is in flight; None for notifications.
        seen: The observed call, where its agent is watched.
        answer: Its parsed answer; None so far.
        ended: Its end is recorded.
        waits: Records of inputs that its server requests, on their way to disk.
    """

    caller: VerifiedCaller
    call: McpCall
    decision: Decision
    ticket: RecordTicket
    key: HandleKey | None = None
    seen: ObservedCall | None = None
    answer: ServerMessage | None = None
    ended: bool = False
    waits: list[RecordFuture] = []


class MessageOutcome(msgspec.Struct, frozen=True):
    """Outcome of one message of a server.

    Attributes:
        data: Bytes for the client; None where it gets none.
        back: Bytes for the server, as the client's answer; usually None.
        until: Both wait for this; None waits for nothing.
        instead: Outcome where that fails.
        changed: Kind of list that the server announced as changed; usually None.
    """

    data: bytes | None
    back: bytes | None = None
    until: RecordFuture | None = None
    instead: "MessageOutcome | None" = None
    changed: Item | None = None
