"""Values of one call in flight: allowed or denied, and the messages that come back."""

import asyncio
from typing import Any

import msgspec

from answerable.gateway.baseline_enforcement import Seen
from answerable.gateway.handle_registry import Key
from answerable.gateway.wire.server_messages import Answer
from answerable.model.caller import Caller
from answerable.model.decision import Decision
from answerable.model.pin import Kind as Item
from answerable.server.mcp.call import Call
from answerable.server.mcp.denial_error import denial
from answerable.server.recording.record_ticket import Ticket
from answerable.server.wire.refusals import Refused, Why

Waits = asyncio.Future[Any]


class Denied(msgspec.Struct, frozen=True):
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

    def body(self, id: str | int | None) -> bytes:
        """Encode the JSON-RPC error."""
        if self.is_unknown_task:
            return Refused(Why.UNKNOWN_TASK, id=id).body()
        return denial(id, self.decision, self.decision_id)


class Passage(msgspec.Struct):
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

    caller: Caller
    call: Call
    decision: Decision
    ticket: Ticket
    key: Key | None = None
    seen: Seen | None = None
    answer: Answer | None = None
    ended: bool = False
    waits: list[Waits] = []


class Heard(msgspec.Struct, frozen=True):
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
    until: Waits | None = None
    instead: "Heard | None" = None
    changed: Item | None = None
