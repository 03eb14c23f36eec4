"""Server over standard streams: writes messages as lines, routes the lines it reads.

| line | goes to |
|---|---|
| response | the request with its id |
| progress | the request with its token |
| message of a subscription | the request that listens |
| other message, and requests | the stream of the session, else the newest open request |

A line that is malformed or has no receiver is dropped and reported.
"""

import asyncio
from itertools import count
from typing import Protocol

import msgspec

from answerable.gateway.stdio.message_ids import (
    ABOUT,
    PROGRESS_OF,
    SUBSCRIPTION,
    Id,
    id_at,
    with_ids,
)
from answerable.gateway.stdio.pending_message import ACCEPTED, INITIALIZE, UnderWay
from answerable.gateway.stdio.process import Process, Program
from answerable.gateway.upstream import Sending, Sent, Sink
from answerable.gateway.wire.line_splitter import Lines
from answerable.gateway.wire.server_messages import ANSWER_DEPTH
from answerable.server.deadline_timer import NEVER
from answerable.server.mcp.json_members import UNREADABLE
from answerable.server.mcp.messages import Kind, Message, one_line, read_message
from answerable.server.wire.refusals import Refused, Why

MAX_LINE = 16 * 1024 * 1024
MAX_UNREAD = 8 * 1024 * 1024  # bytes that a server may leave unread
MAX_OPEN = 4096  # requests, with those that were given up and never answered
IDLE = 600.0  # seconds between two checks for use
PROGRESS = "notifications/progress"
CANCELLED = "notifications/cancelled"


class _Error(msgspec.Struct, gc=False):
    """Error member that determines the HTTP status."""

    code: int = 0


class _Glance(msgspec.Struct, gc=False):
    """Members that determine the receiver of a line, which parses it strictly."""

    id: Id | None = None
    method: str | None = None
    error: _Error | None = None


_glance = msgspec.json.Decoder(_Glance)


class Told(Protocol):
    """Listener of a server process."""

    def idle(self, child: "Child") -> None:
        """Handle a server that has had no request for long."""

    def ended(self, child: "Child", code: int) -> None:
        """Handle the exit of a server, with its exit code."""

    def stray(self, why: Why) -> None:
        """Handle a line without a receiver."""


class Child:
    """Server process as an `Upstream`.

    Args:
        told: Listener of the process.
        session: Session that the process serves; empty without one.

    Attributes:
        session: Session that the process serves; empty without one.
        served: The process has answered something.
        deadline: Time of the next check for use.

    Raises:
        OSError: It cannot be run.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        program: Program,
        told: Told,
        session: str = "",
    ) -> None:
        self.session = session
        self.served = False
        self.deadline = NEVER
        self._loop = loop
        self._told = told
        self._used = True
        self._lines = Lines(MAX_LINE)
        self._open: dict[Id, UnderWay] = {}
        self._stream: UnderWay | None = None
        self._slow: set[UnderWay] = set()
        self._numbers = count(1)
        self.process = Process(loop, program, self._heard, self._ended)

    @property
    def is_quiet(self) -> bool:
        """True while no request or stream is open."""
        return not self._open and self._stream is None

    def send(self, sent: Sent, sink: Sink) -> Sending:
        """Send one message."""
        self._used = True
        under_way = UnderWay(self, sent, sink)
        if sent.call.kind is Kind.OPEN:
            self._loop.call_soon(self._listen, under_way)
        elif self.process.input.size > MAX_UNREAD or len(self._open) >= MAX_OPEN:
            # Unread input and unanswered requests are bounded.
            self._loop.call_soon(lambda: under_way.lose(Why.LATE, forwarded=False))
        elif under_way.is_request:
            self._ask(under_way, sent.body)
        else:
            self._tell(under_way, sent.body)
        return under_way

    def late(self) -> None:
        """Report the server as idle if it had no request since the last check."""
        self.deadline = self._loop.time() + IDLE
        if not self._used and self._any() is None:
            self._told.idle(self)
        self._used = False

    def forget(self, under_way: UnderWay) -> None:
        """Cancel a request that no client waits for, where it can be cancelled."""
        if under_way is self._stream:
            self._stream = None
        elif under_way.is_request and under_way.call.method != INITIALIZE:
            note = {"jsonrpc": "2.0", "method": CANCELLED}
            params = {"requestId": under_way.id}
            self._write(msgspec.json.encode(note | {"params": params}))

    def hold(self, under_way: UnderWay) -> None:
        """Pause the output: the client of this request is slower."""
        self._slow.add(under_way)
        self.process.pause()

    def release(self, under_way: UnderWay) -> None:
        """Resume the output once no client is slower."""
        self._slow.discard(under_way)
        if not self._slow:
            self.process.resume()

    def _write(self, body: bytes) -> None:
        self.process.input.write(one_line(body) + b"\n")

    def _ask(self, under_way: UnderWay, body: bytes) -> None:
        id = under_way.id
        assert id is not None  # noqa: S101 - a request has one
        if self._open and self._is_taken(under_way, id):
            id = self._fresh()
            body = under_way.rename(id, id)
        self._open[id] = under_way
        self._write(body)

    def _is_taken(self, under_way: UnderWay, id: Id) -> bool:
        """Tell whether an id or progress token collides with an open request's."""
        token = under_way.own_token
        return id in self._open or (
            token is not None and any(o.token == token for o in self._open.values())
        )

    def _fresh(self) -> Id:
        return next(
            id
            for id in (f"answerable-{number}" for number in self._numbers)
            if id not in self._open
        )

    def _tell(self, under_way: UnderWay, body: bytes) -> None:
        """Forward a message without an answer."""
        call = under_way.call
        cancelled = None
        if call.method == CANCELLED:
            cancelled = next(
                (o for o in self._open.values() if o.call.id == call.about), None
            )
        if cancelled is not None and cancelled.id != call.about:
            body = with_ids(body, {ABOUT: cancelled.id or ""})
        self._write(body)
        self._loop.call_soon(under_way.reply, ACCEPTED)
        if cancelled is not None:
            # Most servers do not answer a cancelled request.
            self._loop.call_soon(cancelled.close)

    def _listen(self, under_way: UnderWay) -> None:
        """Open the session's stream; an earlier one is closed."""
        before, self._stream = self._stream, under_way
        if before is not None:
            before.close()
        under_way.begin()

    def _heard(self, data: bytes) -> None:
        for line in self._lines.feed(data):
            if isinstance(line, Refused):
                self._lose_all(Why.EVENT_TOO_LARGE)
                self.process.stop()
                return
            try:
                self._route(line)
            except Refused as refused:
                self._told.stray(refused.why)

    def _route(self, line: bytes) -> None:
        """Pass a line to its receiver.

        Raises:
            Refused: It has none.
        """
        try:
            at_a_glance = _glance.decode(line)
        except UNREADABLE:
            raise Refused(Why.NOT_JSON) from None
        if at_a_glance.method is not None:
            self._pass(read_message(line, ANSWER_DEPTH), line)
            return
        id = at_a_glance.id
        answered = None if id is None else self._open.pop(id, None)
        if answered is None:
            raise Refused(Why.UNASKED)
        self.served = True
        self._slow.discard(answered)
        error = at_a_glance.error
        answered.answer(line, 0 if error is None else error.code)

    def _pass(self, message: Message, line: bytes) -> None:
        """Pass on a request or notification of the server."""
        whom = self._about(message, line) or self._any()
        if message.kind is Kind.REQUEST and whom is not None and whom.is_modern:
            whom = None  # in 2026-07-28 a server requests inputs in its answer
        if whom is not None:
            whom.event(self._as_asked(whom, line))
        elif message.kind is Kind.REQUEST:
            self._write(Refused(Why.UNKNOWN_METHOD, id=message.id).body())
        else:
            raise Refused(Why.UNASKED)

    def _about(self, message: Message, line: bytes) -> UnderWay | None:
        """Find the request that a notification refers to."""
        if message.method == PROGRESS:
            token = id_at(line, PROGRESS_OF)
            return next((o for o in self._open.values() if o.token == token), None)
        subscription = id_at(line, SUBSCRIPTION) if "_meta" in message.params else None
        return None if subscription is None else self._open.get(subscription)

    def _any(self) -> UnderWay | None:
        if self._stream is not None:
            return self._stream
        waiting = (o for o in reversed(self._open.values()) if not o.done)
        return next(waiting, None)

    def _as_asked(self, whom: UnderWay, line: bytes) -> bytes:
        """Restore the client's own ids."""
        own = whom.call.id
        if own is None or whom.id == own:
            return line
        line = with_ids(line, {SUBSCRIPTION: own})
        token = whom.own_token
        return line if token is None else with_ids(line, {PROGRESS_OF: token})

    def _lose_all(self, why: Why) -> None:
        lost, self._open = list(self._open.values()), {}
        for each in lost:
            each.lose(why, forwarded=True)
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _ended(self, code: int) -> None:
        self._lose_all(Why.LOST)
        self._told.ended(self, code)
