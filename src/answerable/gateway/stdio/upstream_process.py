"""Run an upstream MCP server as a child process, with JSON-RPC lines on its pipes.

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

from answerable.gateway.stdio.child_process import ServerProcess, ServerProgram
from answerable.gateway.stdio.message_ids import (
    ABOUT,
    PROGRESS_OF,
    SUBSCRIPTION,
    MessageId,
    find_id_at_path,
    replace_ids,
)
from answerable.gateway.stdio.pending_message import (
    ACCEPTED,
    INITIALIZE,
    PendingMessage,
)
from answerable.gateway.upstream import ResponseSink, UpstreamRequest, UpstreamTransfer
from answerable.gateway.wire.line_splitter import LineSplitter
from answerable.gateway.wire.server_messages import ANSWER_DEPTH
from answerable.server.deadline_timer import NEVER
from answerable.server.mcp.json_members import DECODE_ERRORS
from answerable.server.mcp.messages import (
    JsonRpcMessage,
    MessageKind,
    parse_message,
    to_one_line,
)
from answerable.server.wire.refusals import RefusalReason, RequestRefused

MAX_LINE = 16 * 1024 * 1024
MAX_UNREAD = 8 * 1024 * 1024  # bytes that a server may leave unread
MAX_OPEN = 4096  # requests, with those that were given up and never answered
IDLE_INTERVAL = 600.0  # seconds between two checks for use
PROGRESS = "notifications/progress"
CANCELLED = "notifications/cancelled"


class _ErrorCode(msgspec.Struct, gc=False):
    """Error member that determines the HTTP status."""

    code: int = 0


class _LineHead(msgspec.Struct, gc=False):
    """Members that determine the receiver of a line, which parses it strictly."""

    id: MessageId | None = None
    method: str | None = None
    error: _ErrorCode | None = None


_line_head_decoder = msgspec.json.Decoder(_LineHead)


class StdioServerListener(Protocol):
    """Listener of a server process."""

    def on_idle(self, child: "StdioServer") -> None:
        """Handle a server that has had no request since the last check."""

    def on_exit(self, child: "StdioServer", code: int) -> None:
        """Handle the exit of a server, with its exit code."""

    def on_stray_line(self, reason: RefusalReason) -> None:
        """Handle a line without a receiver."""


class StdioServer:
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
        program: ServerProgram,
        told: StdioServerListener,
        session: str = "",
    ) -> None:
        self.session = session
        self.served = False
        self.deadline = NEVER
        self._loop = loop
        self._told = told
        self._used = True
        self._lines = LineSplitter(MAX_LINE)
        self._open: dict[MessageId, PendingMessage] = {}
        self._stream: PendingMessage | None = None
        self._slow: set[PendingMessage] = set()
        self._numbers = count(1)
        self.process = ServerProcess(loop, program, self._on_output, self._on_exit)

    @property
    def is_idle(self) -> bool:
        """Return True while no request or stream is open."""
        return not self._open and self._stream is None

    def send(self, request: UpstreamRequest, sink: ResponseSink) -> UpstreamTransfer:
        """Send one JSON-RPC message to the server process."""
        self._used = True
        under_way = PendingMessage(self, request, sink)
        if request.call.kind is MessageKind.OPEN:
            self._loop.call_soon(self._open_stream, under_way)
        elif self.process.input.size > MAX_UNREAD or len(self._open) >= MAX_OPEN:
            # Unread input and unanswered requests are bounded.
            self._loop.call_soon(
                lambda: under_way.report_failure(RefusalReason.LATE, forwarded=False)
            )
        elif under_way.is_request:
            self._send_request(under_way, request.body)
        else:
            self._send_notification(under_way, request.body)
        return under_way

    def on_deadline(self) -> None:
        """Report the server as idle if it had no request since the last check."""
        self.deadline = self._loop.time() + IDLE_INTERVAL
        if not self._used and self._default_receiver() is None:
            self._told.on_idle(self)
        self._used = False

    def cancel(self, message: PendingMessage) -> None:
        """Cancel a request that no client waits for, where it can be cancelled."""
        if message is self._stream:
            self._stream = None
        elif message.is_request and message.call.method != INITIALIZE:
            note = {"jsonrpc": "2.0", "method": CANCELLED}
            params = {"requestId": message.id}
            self._write_line(msgspec.json.encode(note | {"params": params}))

    def pause_for(self, message: PendingMessage) -> None:
        """Pause the server's output: the client of this request is slower."""
        self._slow.add(message)
        self.process.pause()

    def resume_for(self, message: PendingMessage) -> None:
        """Resume the server's output once no client is slower."""
        self._slow.discard(message)
        if not self._slow:
            self.process.resume()

    def _write_line(self, body: bytes) -> None:
        """Write one message as a line to the server's stdin."""
        self.process.input.write(to_one_line(body) + b"\n")

    def _send_request(self, message: PendingMessage, body: bytes) -> None:
        """Send a request, with another id if its own is taken."""
        id = message.id
        assert id is not None  # noqa: S101 - a request has one
        if self._open and self._is_id_taken(message, id):
            id = self._new_id()
            body = message.assign_ids(id, id)
        self._open[id] = message
        self._write_line(body)

    def _is_id_taken(self, message: PendingMessage, id: MessageId) -> bool:
        """Return whether an id or progress token collides with an open request's."""
        token = message.client_progress_token
        return id in self._open or (
            token is not None
            and any(o.process_progress_token == token for o in self._open.values())
        )

    def _new_id(self) -> MessageId:
        """Return a request id that no open request has."""
        return next(
            id
            for id in (f"answerable-{number}" for number in self._numbers)
            if id not in self._open
        )

    def _send_notification(self, message: PendingMessage, body: bytes) -> None:
        """Forward a message without an answer."""
        call = message.call
        cancelled = None
        if call.method == CANCELLED:
            cancelled = next(
                (o for o in self._open.values() if o.call.id == call.about), None
            )
        if cancelled is not None and cancelled.id != call.about:
            body = replace_ids(body, {ABOUT: cancelled.id or ""})
        self._write_line(body)
        self._loop.call_soon(message.reply_with_status, ACCEPTED)
        if cancelled is not None:
            # Most servers do not answer a cancelled request.
            self._loop.call_soon(cancelled.close)

    def _open_stream(self, message: PendingMessage) -> None:
        """Open the session's stream; an earlier one is closed."""
        before, self._stream = self._stream, message
        if before is not None:
            before.close()
        message.begin_stream()

    def _on_output(self, data: bytes) -> None:
        """Split output into lines, and route each."""
        for line in self._lines.feed(data):
            if isinstance(line, RequestRefused):
                self._fail_all(RefusalReason.EVENT_TOO_LARGE)
                self.process.terminate()
                return
            try:
                self._route_line(line)
            except RequestRefused as refused:
                self._told.on_stray_line(refused.why)

    def _route_line(self, line: bytes) -> None:
        """Deliver a line to the request that it belongs to.

        Raises:
            Refused: It has none.
        """
        try:
            at_a_glance = _line_head_decoder.decode(line)
        except DECODE_ERRORS:
            raise RequestRefused(RefusalReason.NOT_JSON) from None
        if at_a_glance.method is not None:
            self._route_message(parse_message(line, ANSWER_DEPTH), line)
            return
        id = at_a_glance.id
        answered = None if id is None else self._open.pop(id, None)
        if answered is None:
            raise RequestRefused(RefusalReason.UNASKED)
        self.served = True
        self._slow.discard(answered)
        error = at_a_glance.error
        answered.deliver_answer(line, 0 if error is None else error.code)

    def _route_message(self, message: JsonRpcMessage, line: bytes) -> None:
        """Deliver a request or notification of the server."""
        whom = self._find_request(message, line) or self._default_receiver()
        if message.kind is MessageKind.REQUEST and whom is not None and whom.is_modern:
            whom = None  # in 2026-07-28 a server requests inputs in its answer
        if whom is not None:
            whom.deliver_event(self._restore_ids(whom, line))
        elif message.kind is MessageKind.REQUEST:
            self._write_line(
                RequestRefused(
                    RefusalReason.UNKNOWN_METHOD, id=message.id
                ).jsonrpc_error()
            )
        else:
            raise RequestRefused(RefusalReason.UNASKED)

    def _find_request(
        self, message: JsonRpcMessage, line: bytes
    ) -> PendingMessage | None:
        """Find the open request that a server's notification refers to."""
        if message.method == PROGRESS:
            token = find_id_at_path(line, PROGRESS_OF)
            return next(
                (o for o in self._open.values() if o.process_progress_token == token),
                None,
            )
        subscription = (
            find_id_at_path(line, SUBSCRIPTION) if "_meta" in message.params else None
        )
        return None if subscription is None else self._open.get(subscription)

    def _default_receiver(self) -> PendingMessage | None:
        """Return the stream, or else the last open request."""
        if self._stream is not None:
            return self._stream
        waiting = (o for o in reversed(self._open.values()) if not o.done)
        return next(waiting, None)

    def _restore_ids(self, message: PendingMessage, line: bytes) -> bytes:
        """Restore the client's own ids."""
        own = message.call.id
        if own is None or message.id == own:
            return line
        line = replace_ids(line, {SUBSCRIPTION: own})
        token = message.client_progress_token
        return line if token is None else replace_ids(line, {PROGRESS_OF: token})

    def _fail_all(self, reason: RefusalReason) -> None:
        """Fail all open requests, and close the stream."""
        lost, self._open = list(self._open.values()), {}
        for each in lost:
            each.report_failure(reason, forwarded=True)
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _on_exit(self, code: int) -> None:
        """Fail all open requests, and report the exit code."""
        self._fail_all(RefusalReason.LOST)
        self._told.on_exit(self, code)
