"""A call on its way through the gateway: let through, or not, and what comes back."""

import asyncio
from typing import Any

import msgspec

from answerable.gateway.behaviour import Seen
from answerable.gateway.owned import Key
from answerable.gateway.wire.answers import Answer
from answerable.model.caller import Caller
from answerable.model.decision import Decision
from answerable.model.pin import Kind as Item
from answerable.serving.mcp.call import Call
from answerable.serving.mcp.denials import denial
from answerable.serving.recording.ticket import Ticket
from answerable.serving.wire.refusals import Refused, Why

Waits = asyncio.Future[Any]


class Denied(msgspec.Struct, frozen=True):
    """A call that does not go on.

    Attributes:
        decision: `deny`, `ask` or `error`: all that the caller hears beside the id.
        decision_id: Id of the record, empty where it could not be written.
        quiet: It speaks of what may just have ended, so it is dropped as if it had.
        is_unknown_task: It names a task that is not its caller's, which is told as of
            one that never was.
    """

    decision: str
    decision_id: str
    quiet: bool = False
    is_unknown_task: bool = False

    def body(self, id: str | int | None) -> bytes:
        """The JSON-RPC error."""
        if self.is_unknown_task:
            return Refused(Why.UNKNOWN_TASK, id=id).body()
        return denial(id, self.decision, self.decision_id)


class Passage(msgspec.Struct):
    """A call that goes on, until its end.

    Attributes:
        caller: Who sent it.
        call: What it is.
        decision: Why it goes on.
        ticket: Its record.
        key: What it is known by while it is in flight; None where nobody asks.
        seen: What was seen of it, where its agent is watched.
        answer: What answered it, None so far.
        ended: Its end is recorded.
        waits: Records of what its server asks of the client, on their way to disk.
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
    """What becomes of one message of a server.

    Attributes:
        data: What goes to the client; None where nothing does.
        back: What goes to the server instead, as the client's answer; None mostly.
        until: Neither goes before this is done; None waits for nothing.
        instead: What becomes of the message where that fails.
        changed: What its server says has changed; None mostly.
    """

    data: bytes | None
    back: bytes | None = None
    until: Waits | None = None
    instead: "Heard | None" = None
    changed: Item | None = None
