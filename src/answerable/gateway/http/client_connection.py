"""Connection of one client: parses requests as they arrive, and answers them in order.

A request is answered by its `Turn`; the next one waits for its end. Backpressure stops
reading from the faster side. A client that half-closes the connection is treated as
gone.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import cast

from answerable.gateway.http.reply_writer import nothing
from answerable.gateway.http.request_connection import Early
from answerable.gateway.http.request_handler import Turn
from answerable.gateway.http.server import Door
from answerable.gateway.wire.http_heads import (
    CONTINUE,
    LAST_CHUNK,
    Heading,
    chunk,
    heading,
    reply_head,
)
from answerable.gateway.wire.mcp_request_head import Opening
from answerable.server.admission import Slot, address_of
from answerable.server.connection_info import Link
from answerable.server.connection_probe import link_of
from answerable.server.deadline_timer import NEVER
from answerable.server.processes.held_process import ProcessGone
from answerable.server.wire.connection_deadlines import Wait, deadline_of
from answerable.server.wire.host_check import Served
from answerable.server.wire.refusals import Refused, Why
from answerable.server.wire.request_parser import Arrived, Body, Intake

# One write for a head and a small body costs less than two, and than copying more.
JOINED = 64 * 1024


class Front(asyncio.Protocol):
    """Protocol of one client connection.

    Args:
        link: Transport facts, where another worker relays the connection.
    """

    def __init__(
        self, door: Door, served: Served, url: str, *, link: Link | None = None
    ) -> None:
        self.door = door
        self.served = served
        self.link = Link(url=url) if link is None else link
        self.deadline = NEVER
        self._transport: asyncio.Transport | None = None
        self._slot: Slot | None = None  # None where another worker counts it
        self._is_new = True  # nothing was received
        self._intake = Intake(door.read)
        self._arrived: deque[Arrived[Opening]] = deque()
        self._turn: Turn | None = None
        self._wait = Wait.ANSWER
        self._is_ours = link is not None  # it stays with this worker
        # What another worker would have to read again.
        self._received: list[bytes] | None = None if door.peers is None else []
        self._advancing = False
        self._held = False  # the client sent ahead, and is not read from
        self._closes = False  # after the present answer
        self._chunked: bool | None = None  # None: the answer is not begun

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Read the transport facts of the client, and admit it."""
        transport = cast(asyncio.Transport, transport)
        door = self.door
        try:
            if not self._is_ours:
                self.link = link_of(transport, self.link.url)
        except ProcessGone as gone:
            door.exchange.recorder.refused(gone.reason, None, "", "")
            transport.abort()
            return
        if door.draining or not (self._is_ours or self._admit(transport)):
            transport.abort()
            return
        self._transport = transport
        door.fronts.add(self)
        door.ticker.add(self)
        self._time()

    def _admit(self, transport: asyncio.Transport) -> bool:
        """Take a slot among the connections of this worker."""
        admission, peer = self.door.admission, self.link.peer
        if peer is None:
            self._slot = admission.admit(self, address_of(transport))
        else:
            self._slot = admission.admit_local(self, peer.uid)
        return self._slot is not None

    @property
    def is_busy(self) -> bool:
        """True while a request of an identified caller is answered."""
        return self._turn is not None and self._turn.caller is not None

    def data_received(self, data: bytes) -> None:
        """Parse the bytes of the client."""
        if self._transport is None or self._closes:
            return
        self._is_new = False
        if self._received is not None:
            self._received.append(data)
        self._arrived.extend(self._intake.feed(data))
        self.resume()

    def eof_received(self) -> bool:
        """Let the transport close."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Abort the open request of a client that is gone."""
        turn = self._turn
        self._let_go()
        if self._slot is not None:
            self._slot.release()
        if turn is not None:
            turn.gone()

    def pause_writing(self) -> None:
        """Stop reading the answer of the server: the client is slower."""
        if self._turn is not None:
            self._turn.pause()

    def resume_writing(self) -> None:
        """Continue reading the answer of the server."""
        if self._turn is not None:
            self._turn.resume()

    def late(self) -> None:
        """Refuse a request that arrives too slowly, or close an idle connection."""
        turn = self._turn
        is_idle = self._wait in (Wait.FIRST, Wait.REQUEST)
        if is_idle or self._transport is None:
            self.abort()
            return
        slow = Refused(Why.SLOW)
        self._closes = True
        if turn is None:
            self._refuse(slow)
        else:
            turn.broken(slow)

    def drain(self) -> None:
        """Finish the open request; end a stream without an end now."""
        if self._turn is None:
            self._closes = True
            if self._transport is not None:
                self._transport.close()
        elif self._turn.is_open_ended:
            self._turn.gone()
            self.done()
        else:
            self._closes = True

    def recheck(self) -> None:
        """Cut the open request where a revocation forbids it."""
        if self._turn is not None:
            self._turn.recheck()

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    def answer(
        self,
        heading: Heading,
        body: bytes,
        session: str = "",
        then: Callable[[], None] = nothing,
    ) -> None:
        """Send a complete reply; a reply already begun is truncated."""
        if self._chunked is not None:
            self.cut()
            return
        closes = self._is_last()
        head = reply_head(heading, session, length=len(body), closes=closes)
        try:
            if len(body) <= JOINED:
                self._send(head + body)
            else:
                self._send(head)
                self._send(body)
        finally:
            then()
        self._next()

    def begin(self, heading: Heading, session: str, length: int | None) -> None:
        """Send the head; pieces follow, chunked where the length is None."""
        self._chunked = length is None
        closes = self._is_last()
        self._send(reply_head(heading, session, length=length, closes=closes))

    def write(self, data: bytes) -> None:
        """Send a piece of the body."""
        self._send(chunk(data) if self._chunked else data)

    def done(self) -> None:
        """End the reply."""
        if self._chunked:
            self._send(LAST_CHUNK)
        self._next()

    def cut(self) -> None:
        """Truncate the reply, so that the client sees that it is incomplete."""
        self.abort()

    def revoke(self, early: Early) -> None:
        """Replace a reply that has not begun; end or truncate another one."""
        if self._chunked is None:
            self.answer(early.heading, early.body)
        elif self._chunked:
            self._closes = True
            self.done()
        else:
            self.cut()

    def resume(self) -> None:
        """Process the parsed items."""
        if self._advancing:
            return
        self._advancing = True
        arrived = self._arrived
        while arrived and self._transport is not None:
            turn = self._turn
            if turn is None:
                self._begin(arrived.popleft())
            elif turn.wants_body and not turn.is_parked:
                self._go_on(turn, arrived.popleft())
            else:
                break
        self._advancing = False
        if self._held or arrived:
            self._hold_back()
        self._time()

    def _begin(self, arrived: Arrived[Opening]) -> None:
        """Start a request from its head."""
        if isinstance(arrived, Opening):
            self._start(arrived)
        else:
            assert isinstance(arrived, Refused)  # noqa: S101 - a head comes first
            self._closes = True
            self._refuse(arrived)

    def _go_on(self, turn: Turn, arrived: Arrived[Opening]) -> None:
        """Pass the body to the open request."""
        if isinstance(arrived, Body):
            turn.body(arrived.data)
        else:
            assert isinstance(arrived, Refused)  # noqa: S101 - a body comes first
            self._closes = True
            turn.broken(arrived)

    def _start(self, opening: Opening) -> None:
        head = opening.head
        self._closes = self._closes or head.closes
        turn = self._turn = Turn(self, opening)
        turn.start()
        if turn.caller is not None:
            self._settle(turn, turn.caller.principal)
        if turn.early is not None:
            self._intake.drop()
        expects = head.expects and not self._arrived and self._transport is not None
        if turn.is_refused or (expects and turn.early is not None):
            self._turn_away(turn)
        elif expects:
            self._send(CONTINUE)

    def _turn_away(self, turn: Turn) -> None:
        """Reply without reading the body."""
        self._closes = True
        self._arrived.clear()
        turn.body(b"")

    def identified(self) -> None:
        """Continue after the caller is authenticated, or is not."""
        turn = self._turn
        if turn is not None and turn.caller is not None:
            self._settle(turn, turn.caller.principal)
            if turn.is_refused:
                self._turn_away(turn)
        self.resume()

    def unparked(self) -> None:
        """Continue reading: the body may arrive now."""
        if self._transport is not None and not self._held:
            self._transport.resume_reading()
        self.resume()

    def _settle(self, turn: Turn, principal: str) -> None:
        """Keep the connection, or relay it to the worker that owns its caller."""
        slot = self._slot
        if slot is not None and not self.door.admission.identify(slot, principal):
            turn.refuse(Why.TOO_MANY_CONNECTIONS)
            return
        peers = self.door.peers
        received, self._received = self._received, None
        if peers is None or peers.owns(principal):
            self._is_ours = True
            turn.hold()
            if turn.is_parked and self._transport is not None:
                self._transport.pause_reading()
        elif self._is_ours or received is None:
            # One hop, and one worker for all requests of a connection.
            self._closes = True
            turn.misdirect()
        else:
            transport = self._let_go()
            if transport is not None:
                self._slot, data = None, b"".join(received)
                peers.hand_over(
                    transport, principal, self.link, self.served, data, slot
                )

    def _let_go(self) -> asyncio.Transport | None:
        """Detach the transport, and forget the connection."""
        transport, self._transport = self._transport, None
        self.door.fronts.discard(self)
        self.door.ticker.discard(self)
        self._arrived.clear()
        self._turn = None
        return transport

    def _refuse(self, refused: Refused) -> None:
        """Reply to bytes that are no request."""
        self.door.exchange.recorder.refused(refused.why.value, None, "", "")
        self.answer(heading(refused.wire.status, {}), b"")

    def _next(self) -> None:
        turn, self._turn = self._turn, None
        self._chunked = None
        if turn is not None:
            turn.over()
        if self._is_last():
            self._closes = True
            if self._transport is not None:
                self._transport.close()
        elif self._arrived or self._held:
            self.resume()
        else:
            self._time()

    def _is_last(self) -> bool:
        # The received bytes begin with an answered request without a caller: the
        # connection cannot be relayed any more.
        return self._closes or self.door.draining or self._received is not None

    def _send(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def _hold_back(self) -> None:
        """Pause reading while parsed items wait."""
        transport = self._transport
        if transport is not None and self._held is not bool(self._arrived):
            self._held = bool(self._arrived)
            if self._held:
                transport.pause_reading()
            else:
                transport.resume_reading()

    def _time(self) -> None:
        """Set the deadline for the present state of the connection."""
        turn = self._turn
        if turn is not None:
            reads = turn.wants_body and not turn.is_parked
            wait = Wait.BODY if reads else Wait.ANSWER
        elif not self._intake.is_between:
            wait = Wait.HEAD
        else:
            wait = Wait.FIRST if self._is_new else Wait.REQUEST
        if wait is self._wait:
            return
        self._wait = wait
        self.deadline = deadline_of(wait, self.door.loop.time(), self.door.limits)
