"""Handler of one message of a stdio client, from its decision to the end of its answer.

As over HTTP it is decided, recorded, and sent; the answer goes through a `Relay`, which
judges it, and is written as lines here.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Protocol

import msgspec

from answerable.gateway.call_pipeline import Exchange
from answerable.gateway.http.reply_writer import Outlet, nothing
from answerable.gateway.http.response_relay import Relay
from answerable.gateway.in_flight_call import Denied, Passage
from answerable.gateway.stdio.server import MAX_LINE
from answerable.gateway.upstream import Sending, Sent, Upstream
from answerable.gateway.upstream_credentials.credential import Credential
from answerable.gateway.upstream_credentials.provider import Credentials
from answerable.gateway.wire.event_stream import Event, Events
from answerable.gateway.wire.http_heads import Heading
from answerable.gateway.wire.server_messages import read_answer
from answerable.model.caller import Caller
from answerable.model.spool_record import Ending
from answerable.server.mcp.messages import Kind, one_line
from answerable.server.mcp.request_metadata import EVENTS, JSON
from answerable.server.networks import HERE
from answerable.server.wire.refusals import Refused, Why


class Client(Protocol):
    """Client, as the handler of one message sees it."""

    exchange: Exchange
    upstream: Upstream
    caller: Caller
    given: Credential | None
    paused: bool

    def spawn(self, work: Coroutine[None, None, None]) -> None:
        """Start a background task."""

    def say(self, message: bytes) -> None:
        """Write one message."""

    def in_session(self, session: str) -> None:
        """Store the session id of the server."""

    def went(self, turn: "Turn") -> None:
        """Note that a delayed message was sent."""

    def over(self, turn: "Turn") -> None:
        """Forget a message that is finished."""


class Turn(Outlet):
    """Handler of one message, and writer of its answer.

    Attributes:
        waits: It is not sent yet: its record or its credential is missing.
        last: Last message that the client got for it.
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
        """Decide, record, and send the message, once its credential is there."""
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
        """Fetch the credential for the server, then send; without it, deny."""
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
        """Send an allowed message, at once or when its record is on disk."""
        exchange = self._client.exchange
        relay = Relay(exchange, begun, self.sent, self, _as_it_is, self._stop)
        self._relay = relay
        if begun.ticket.durable is None:
            self._forward(relay)
        else:
            self.waits = True
            begun.ticket.durable.add_done_callback(self._recorded)

    def pause(self) -> None:
        """Stop reading the answer: the client is slower than the server."""
        if self._sending is not None:
            self._sending.pause()

    def resume(self) -> None:
        """Continue reading the answer."""
        if self._sending is not None:
            self._sending.resume()

    def recheck(self) -> None:
        """Cut the call where a revocation forbids it, and answer with the denial."""
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
        """Abandon the message: no client waits for it."""
        if self._quiet:
            return
        relay, forwarded = self._relay, self._sending is not None
        self._stop()
        if relay is not None:
            relay.end(Ending.UNKNOWN if forwarded else Ending.WITHHELD)
        self._over()

    def cancelled(self) -> None:
        """Handle the client's cancellation."""
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
        """Write a complete answer; one that is no message becomes an error."""
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
        """Take a piece: write events at once, other messages when complete."""
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
        """Finish the answer."""
        if self._events is None:
            self._say(b"".join(self._parts))
        elif not self._is_answered:
            self._say(self._fault(Why.LOST))
        self._over()

    def cut(self) -> None:
        """Answer with an error: no part of an incomplete message was written."""
        if self.sent.call.kind is Kind.REQUEST:
            self._say(self._fault(Why.LOST))
        self._over()

    @property
    def _is_answered(self) -> bool:
        """True where no answer is expected, or the last message is one."""
        if self._cancelled or self.sent.call.kind is not Kind.REQUEST:
            return True
        return bool(self.last) and read_answer(self.last).kind is Kind.RESPONSE

    def _recorded(self, durable: asyncio.Future[None]) -> None:
        """Send the message when its record is on disk; deny it when writing failed."""
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
            # They refer to this handler: a cycle would wait for garbage collection.
            self._relay = self._sending = None
            self._client.over(self)


def _as_it_is(session: str, server: str, principal: str) -> str:
    """Keep the session id: there is only one client."""
    return session
