"""One message of the client, from its decision to the end of what answers it.

As over HTTP it is decided, recorded, and sent on; what comes back goes through a
`Relay`, which judges it. What the relay gives for the client becomes lines here.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Protocol

import msgspec

from answerable.gateway.credentials import Credentials
from answerable.gateway.exchange import Exchange
from answerable.gateway.http.outlet import Outlet, nothing
from answerable.gateway.http.relay import Relay
from answerable.gateway.passage import Denied, Passage
from answerable.gateway.shown.credential import Credential
from answerable.gateway.stdio.child import MAX_LINE
from answerable.gateway.upstreams import Sending, Sent, Upstream
from answerable.gateway.wire.answers import read_answer
from answerable.gateway.wire.events import Event, Events
from answerable.gateway.wire.heads import Heading
from answerable.model.caller import Caller
from answerable.model.record import Ending
from answerable.serving.mcp.envelope import EVENTS, JSON
from answerable.serving.mcp.messages import Kind, one_line
from answerable.serving.networks import HERE
from answerable.serving.wire.refusals import Refused, Why


class Client(Protocol):
    """The client, as one turn sees it."""

    exchange: Exchange
    upstream: Upstream
    caller: Caller
    given: Credential | None
    paused: bool

    def spawn(self, work: Coroutine[None, None, None]) -> None:
        """Have something done beside the messages."""

    def say(self, message: bytes) -> None:
        """Write one message."""

    def in_session(self, session: str) -> None:
        """The server named the session."""

    def went(self, turn: "Turn") -> None:
        """It waited for its record, and is on its way now."""

    def over(self, turn: "Turn") -> None:
        """Nothing more comes of it."""


class Turn(Outlet):
    """Has one message answered, and is where its answer goes.

    Args:
        client: The client.
        sent: The message.

    Attributes:
        sent: The message.
        waits: Its record is not on disk yet, or there is no credential yet, and it is
            not sent.
        last: The last message that the client got of it.
    """

    def __init__(self, client: Client, sent: Sent) -> None:
        self.sent = sent
        self.waits = False
        self.last = b""
        self._client = client
        self._relay: Relay | None = None
        self._sending: Sending | None = None
        self._events: Events | None = None
        self._parts: list[bytes] = []
        self._size = 0
        self._cancelled = False
        self._quiet = False  # nothing more is said

    def start(self) -> None:
        """Decide, record, and send it on, once there is what its server is shown."""
        client, call = self._client, self.sent.call
        shown, credentials = client.given, client.exchange.credentials
        if shown is None and credentials is not None and credentials.needs(call.server):
            shown = credentials.find(client.caller, call.server, "")
            if shown is None and client.exchange.would_pass(client.caller, call):
                self.waits = True
                client.spawn(self._get(credentials))
                return
        self._begin(shown)

    async def _get(self, credentials: Credentials) -> None:
        """Get what the server is to be shown, and go on; without it, deny."""
        client, call = self._client, self.sent.call
        await credentials.get(client.caller, call.server, "")
        if self._quiet:
            return
        self.waits = False
        self._begin(credentials.find(client.caller, call.server, ""))
        if self._sending is not None:
            client.went(self)

    def _begin(self, shown: Credential | None) -> None:
        exchange = self._client.exchange
        self.sent = msgspec.structs.replace(self.sent, shown=shown)
        begun = exchange.begin(
            self._client.caller, self.sent.call, self.sent.body, shown, HERE
        )
        if isinstance(begun, Denied):
            self._refuse(begun)
            return
        try:
            self._go_on(begun)
        finally:
            exchange.settle()

    def _go_on(self, begun: Passage) -> None:
        """Send on what was let through, at once or as soon as that is on disk."""
        exchange = self._client.exchange
        relay = Relay(exchange, begun, self.sent, self, _as_it_is, self._stop)
        self._relay = relay
        if begun.ticket.durable is None:
            self._forward(relay)
        else:
            self.waits = True
            begun.ticket.durable.add_done_callback(self._recorded)

    def pause(self) -> None:
        """The client is slower than the server."""
        if self._sending is not None:
            self._sending.pause()

    def resume(self) -> None:
        """The client took what there was."""
        if self._sending is not None:
            self._sending.resume()

    def recheck(self) -> None:
        """Cut it where a kill forbids it now, and say so."""
        relay, exchange = self._relay, self._client.exchange
        if relay is None or self._quiet or exchange.may_go_on(relay.passage):
            return
        self.leave()
        again = exchange.begin(
            self._client.caller, self.sent.call, self.sent.body, None, HERE
        )
        exchange.settle()
        if isinstance(again, Denied) and self.sent.call.kind is Kind.REQUEST:
            self._client.say(again.body(self.sent.call.id))

    def leave(self) -> None:
        """Nobody waits for it any more."""
        if self._quiet:
            return
        relay, forwarded = self._relay, self._sending is not None
        self._stop()
        if relay is not None:
            relay.end(Ending.UNKNOWN if forwarded else Ending.WITHHELD)
        self._over()

    def cancelled(self) -> None:
        """The client cancelled it, and waits for no answer."""
        self._cancelled = True
        if self.waits:
            self.leave()

    def answer(
        self,
        heading: Heading,
        body: bytes,
        session: str = "",
        then: Callable[[], None] = nothing,
    ) -> None:
        """Give a whole answer; of one that is no message, that it is none."""
        if session:
            self._client.in_session(session)
        if self.sent.call.kind is Kind.REQUEST:
            is_message = body and heading.fields.get("content-type", "").startswith(
                JSON
            )
            self._say(body if is_message else self._fault(Why.REPLY_TYPE))
        then()
        self._over()

    def begin(self, heading: Heading, session: str, length: int | None) -> None:
        """Begin an answer: events, or one message in pieces."""
        if session:
            self._client.in_session(session)
        if heading.fields.get("content-type", "").startswith(EVENTS):
            self._events = Events()

    def write(self, data: bytes) -> None:
        """Give a piece: the messages of events at once, others when they are whole."""
        if self._events is not None:
            for event in self._events.feed(data):
                if isinstance(event, Event) and event.data:
                    self._say(event.data)
            return
        self._parts.append(data)
        self._size += len(data)
        if self._size > MAX_LINE:
            self._parts = []
            self._say(self._fault(Why.EVENT_TOO_LARGE))
            self.leave()

    def done(self) -> None:
        """It is whole."""
        if self._events is None:
            self._say(b"".join(self._parts))
        elif not self._is_answered:
            self._say(self._fault(Why.LOST))
        self._over()

    def cut(self) -> None:
        """It never will be; of a message in pieces nothing was given yet."""
        if self.sent.call.kind is Kind.REQUEST:
            self._say(self._fault(Why.LOST))
        self._over()

    @property
    def _is_answered(self) -> bool:
        """No answer is waited for, or the last that the client got is one."""
        if self._cancelled or self.sent.call.kind is not Kind.REQUEST:
            return True
        return bool(self.last) and read_answer(self.last).kind is Kind.RESPONSE

    def _recorded(self, durable: asyncio.Future[None]) -> None:
        """The record is on disk, or never will be."""
        self.waits = False
        relay = self._relay
        if relay is None or self._quiet:
            return
        if durable.cancelled() or durable.exception() is not None:
            self._refuse(self._client.exchange.unrecorded(relay.passage))
        else:
            self._forward(relay)
            self._client.went(self)

    def _forward(self, relay: Relay) -> None:
        self._sending = self._client.upstream.send(self.sent, relay)
        self._client.exchange.definitions.look(self.sent)
        if self._client.paused:
            self._sending.pause()

    def _refuse(self, denied: Denied) -> None:
        if self.sent.call.kind is Kind.REQUEST:
            self._say(denied.body(self.sent.call.id))
        self._over()

    def _fault(self, why: Why) -> bytes:
        call = self.sent.call
        return Refused(why).of(call.id, call.method).body()

    def _say(self, message: bytes) -> None:
        if not self._quiet:
            self.last = message
            self._client.say(one_line(message))

    def _stop(self) -> None:
        if self._sending is not None:
            self._sending.abort()

    def _over(self) -> None:
        if not self._quiet:
            self._quiet = True
            # They know this turn, too; a circle would stay until Python looks for it.
            self._relay = self._sending = None
            self._client.over(self)


def _as_it_is(session: str, server: str, principal: str) -> str:
    """Bind a session to nobody: there is but one client."""
    return session
