"""Serve the client of a stdio wrapper: read lines, write each response as one line.

A client that stops reading stops its server, too. A client that closes its input still
gets the answers to its requests.
"""

from collections.abc import Callable

import msgspec

from answerable.gateway.call_pipeline import CallPipeline
from answerable.gateway.handle_ownership import CANCELLED
from answerable.gateway.stdio.http_fields import (
    build_http_fields,
    read_negotiated_version,
)
from answerable.gateway.stdio.line_reader import LineReader
from answerable.gateway.stdio.pending_message import INITIALIZE
from answerable.gateway.stdio.pipes import WritePipe
from answerable.gateway.stdio.request_handler import StdioRequestHandler
from answerable.gateway.upstream import Upstream, UpstreamRequest
from answerable.gateway.upstream_credentials.credential import PresentedCredential
from answerable.gateway.wire.http_heads import encode_forwarded_fields
from answerable.gateway.wire.line_splitter import LineSplitter
from answerable.model.caller import VerifiedCaller
from answerable.model.decision import TargetKind
from answerable.server.background_tasks import BackgroundTasks
from answerable.server.mcp.call import McpCall
from answerable.server.mcp.messages import MessageKind
from answerable.server.wire.refusals import (
    INVALID_REQUEST,
    NO_CODE,
    RefusalReason,
    RequestRefused,
)

INITIALIZED = "notifications/initialized"


class StdioClient:
    """Reader and writer of one client.

    Args:
        exchange: Pipeline that decides and records calls.
        caller: The process that started the wrapper.
        server: Name of the server.
        given: Credential in the environment of the server's process; None for none.
        most: Maximum number of open requests.
        bridged: The server is reached over HTTP.
        changed: Called after the end of input whenever fewer messages are open.

    Attributes:
        exchange: Pipeline that decides and records calls.
        caller: The process that started the wrapper.
        given: Credential in the environment of the server's process; None for none.
        out: Output pipe; set before the first line arrives.
        paused: The client does not read its answers.
        tasks: Background tasks.
    """

    out: WritePipe

    def __init__(
        self,
        exchange: CallPipeline,
        caller: VerifiedCaller,
        server: str,
        upstream: Upstream,
        given: PresentedCredential | None = None,
        *,
        most: int,
        bridged: bool,
        changed: Callable[[], None],
    ) -> None:
        self.exchange = exchange
        self.caller = caller
        self.upstream = upstream
        self.given = given
        self.paused = False
        self._server = server
        self._most = most
        self._bridged = bridged
        self._changed = changed
        self._lines = LineSplitter()
        self._reading = LineReader(server)
        self._turns: dict[StdioRequestHandler, None] = {}
        self._session = ""
        self._version = ""
        self._ended = False
        self.tasks = BackgroundTasks()

    @property
    def has_unsent_message(self) -> bool:
        """Return True while a message has yet to be sent to the server."""
        return any(turn.waits for turn in self._turns)

    @property
    def has_unanswered_request(self) -> bool:
        """Return True while a request has yet to be answered."""
        return any(turn.sent.call.kind is MessageKind.REQUEST for turn in self._turns)

    def on_input(self, data: bytes) -> None:
        """Process received bytes of the client's input."""
        for line in self._lines.feed(data):
            try:
                if isinstance(line, RequestRefused):
                    raise line
                self._accept_call(self._reading.parse_line(line), line)
            except RequestRefused as refused:
                self._refuse_line(refused)
        if self._lines.closed:
            self.on_input_end()

    def on_input_end(self) -> None:
        """Refuse an incomplete last line, and note that no more input comes."""
        if self._ended:
            return
        self._ended = True
        cut = self._lines.finish()
        if cut is not None:
            self._refuse_line(cut)
        self._changed()

    @property
    def is_idle(self) -> bool:
        """Return True while no message is open."""
        return not self._turns

    def stop_revoked_requests(self) -> None:
        """Stop every open request that a new revocation forbids."""
        for turn in list(self._turns):
            turn.stop_if_revoked()

    def abandon_all(self) -> None:
        """Abandon the open messages; their outcomes are unknown."""
        for turn in list(self._turns):
            turn.abandon()

    def close(self) -> None:
        """Abandon the open messages, and end the session."""
        self.abandon_all()
        if self._session and self._bridged:
            self._open_or_close_session_stream(MessageKind.CLOSE, TargetKind.SESSION)

    def on_write_blocked(self) -> None:
        """Pause the answers: the client does not read."""
        self.paused = True
        for turn in list(self._turns):
            turn.pause()

    def on_write_drained(self) -> None:
        """Resume reading server answers once the client has read its output."""
        self.paused = False
        for turn in list(self._turns):
            turn.resume()

    def write_message(self, message: bytes) -> None:
        """Write one JSON-RPC message to the client."""
        self.out.write(message + b"\n")

    def store_session_id(self, session: str) -> None:
        """Store the session id of the server."""
        self._session = session

    def on_message_sent(self, handler: StdioRequestHandler) -> None:
        """Note that a delayed message was sent."""
        if self._ended:
            self._changed()

    def on_message_finished(self, handler: StdioRequestHandler) -> None:
        """Drop the state of a client message that is answered."""
        self._turns.pop(handler, None)
        method = handler.sent.call.method
        if method == INITIALIZE:
            self._version = read_negotiated_version(handler.last)
        elif method == INITIALIZED:
            self._open_or_close_session_stream(MessageKind.OPEN, TargetKind.STREAM)
        if self._ended:
            self._changed()

    def _accept_call(self, call: McpCall, line: bytes) -> None:
        """Start a parsed message; refuse it if too many are open."""
        if call.kind is MessageKind.REQUEST and len(self._turns) >= self._most:
            raise RequestRefused(
                RefusalReason.TOO_MANY_CALLS, id=call.id, method=call.method
            )
        if call.method == CANCELLED and self._cancel_request(call):
            return
        self._start_request(call, line)

    def _cancel_request(self, call: McpCall) -> bool:
        """Process a cancellation; return True if it is not forwarded."""
        about = (turn for turn in self._turns if turn.sent.call.id == call.about)
        turn = next((t for t in about if t.sent.call.kind is MessageKind.REQUEST), None)
        if turn is None:
            return False
        turn.on_cancelled()
        if self._bridged and call.era.is_modern:
            # Over HTTP a request is cancelled by closing its stream.
            turn.abandon()
            return True
        return False

    def _open_or_close_session_stream(
        self, kind: MessageKind, target: TargetKind
    ) -> None:
        """Open or close the stream of the HTTP session, which no line expresses."""
        self._start_request(
            McpCall(self._reading.era, kind, "", None, self._server, target), b""
        )

    def _start_request(self, call: McpCall, line: bytes) -> None:
        """Create and start the handler of one message."""
        fields = (
            encode_forwarded_fields(build_http_fields(call, self._version))
            if self._bridged
            else b""
        )
        sent = UpstreamRequest(call, line, fields, self._session, self.caller.principal)
        turn = StdioRequestHandler(self, sent)
        self._turns[turn] = None
        turn.start()

    def _refuse_line(self, refusal: RequestRefused) -> None:
        """Answer a refused line with an error, where it has an id."""
        self.exchange.recorder.count_refused(
            refusal.why.value, self.caller, self._server, refusal.method
        )
        if refusal.id is not None or not refusal.method:
            self.write_message(_encode_refusal_error(refusal))


def _encode_refusal_error(refusal: RequestRefused) -> bytes:
    """Encode the JSON-RPC error, also for a refusal that HTTP expresses as a status."""
    if refusal.wire.code != NO_CODE:
        return refusal.jsonrpc_error()
    answer = {"jsonrpc": "2.0"} | ({} if refusal.id is None else {"id": refusal.id})
    error = {"code": INVALID_REQUEST, "message": refusal.wire.says}
    return msgspec.json.encode(answer | {"error": error})
