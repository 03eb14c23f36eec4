"""Client of a wrapper: reads its lines, and writes each answer as one.

A client that stops reading stops its server, too. A client that closes its input still
gets the answers to its requests.
"""

import asyncio
from collections.abc import Callable, Coroutine

import msgspec

from answerable.gateway.call_pipeline import Exchange
from answerable.gateway.handle_ownership import CANCELLED
from answerable.gateway.stdio.http_fields import agreed, fields_of
from answerable.gateway.stdio.line_reader import Reading
from answerable.gateway.stdio.pending_message import INITIALIZE
from answerable.gateway.stdio.pipes import WritePipe
from answerable.gateway.stdio.request_handler import Turn
from answerable.gateway.upstream import Sent, Upstream
from answerable.gateway.upstream_credentials.credential import Credential
from answerable.gateway.wire.http_heads import onward
from answerable.gateway.wire.line_splitter import Lines
from answerable.model.caller import Caller
from answerable.model.decision import Target
from answerable.server.mcp.call import Call
from answerable.server.mcp.messages import Kind
from answerable.server.wire.refusals import INVALID_REQUEST, NO_CODE, Refused, Why

INITIALIZED = "notifications/initialized"


class Front:
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
    """

    out: WritePipe

    def __init__(
        self,
        exchange: Exchange,
        caller: Caller,
        server: str,
        upstream: Upstream,
        given: Credential | None = None,
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
        self._lines = Lines()
        self._reading = Reading(server)
        self._turns: dict[Turn, None] = {}
        self._session = ""
        self._version = ""
        self._ended = False
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def waits(self) -> bool:
        """True while a message has yet to be sent to the server."""
        return any(turn.waits for turn in self._turns)

    @property
    def asks(self) -> bool:
        """True while a request has yet to be answered."""
        return any(turn.sent.call.kind is Kind.REQUEST for turn in self._turns)

    def heard(self, data: bytes) -> None:
        """Process a slice of the client's input."""
        for line in self._lines.feed(data):
            try:
                if isinstance(line, Refused):
                    raise line
                self._take(self._reading.read(line), line)
            except Refused as refused:
                self._turn_away(refused)
        if self._lines.closed:
            self.ended()

    def ended(self) -> None:
        """Handle the end of the input, or of what is read of it."""
        if self._ended:
            return
        self._ended = True
        cut = self._lines.end()
        if cut is not None:
            self._turn_away(cut)
        self._changed()

    @property
    def is_quiet(self) -> bool:
        """True while no message is open."""
        return not self._turns

    def recheck(self) -> None:
        """Cut every open request that a new revocation forbids."""
        for turn in list(self._turns):
            turn.recheck()

    def leave(self) -> None:
        """Abandon the open messages; their outcomes are unknown."""
        for turn in list(self._turns):
            turn.leave()

    def close(self) -> None:
        """Abandon the open messages, and end the session."""
        self.leave()
        if self._session and self._bridged:
            self._begin(Kind.CLOSE, Target.SESSION)

    def full(self) -> None:
        """Pause the answers: the client does not read."""
        self.paused = True
        for turn in list(self._turns):
            turn.pause()

    def drained(self) -> None:
        """Resume the answers."""
        self.paused = False
        for turn in list(self._turns):
            turn.resume()

    def say(self, message: bytes) -> None:
        """Write one message."""
        self.out.write(message + b"\n")

    def in_session(self, session: str) -> None:
        """Store the session id of the server."""
        self._session = session

    def spawn(self, work: Coroutine[None, None, None]) -> None:
        """Start a background task."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def went(self, turn: Turn) -> None:
        """Note that a delayed message was sent."""
        if self._ended:
            self._changed()

    def over(self, turn: Turn) -> None:
        """Forget a message that is finished."""
        self._turns.pop(turn, None)
        method = turn.sent.call.method
        if method == INITIALIZE:
            self._version = agreed(turn.last)
        elif method == INITIALIZED:
            self._begin(Kind.OPEN, Target.STREAM)
        if self._ended:
            self._changed()

    def _take(self, call: Call, line: bytes) -> None:
        if call.kind is Kind.REQUEST and len(self._turns) >= self._most:
            raise Refused(Why.TOO_MANY_CALLS, id=call.id, method=call.method)
        if call.method == CANCELLED and self._cancel(call):
            return
        self._start(call, line)

    def _cancel(self, call: Call) -> bool:
        """Process a cancellation; tell whether it is not forwarded."""
        about = (turn for turn in self._turns if turn.sent.call.id == call.about)
        turn = next((t for t in about if t.sent.call.kind is Kind.REQUEST), None)
        if turn is None:
            return False
        turn.cancelled()
        if self._bridged and call.era.is_modern:
            # Over HTTP a request is cancelled by closing its stream.
            turn.leave()
            return True
        return False

    def _begin(self, kind: Kind, target: Target) -> None:
        """Open or close the session's stream, which no line expresses."""
        self._start(Call(self._reading.era, kind, "", None, self._server, target), b"")

    def _start(self, call: Call, line: bytes) -> None:
        fields = onward(fields_of(call, self._version)) if self._bridged else b""
        sent = Sent(call, line, fields, self._session, self.caller.principal)
        turn = Turn(self, sent)
        self._turns[turn] = None
        turn.start()

    def _turn_away(self, refused: Refused) -> None:
        """Answer a refused line with an error, where it has an id."""
        self.exchange.recorder.refused(
            refused.why.value, self.caller, self._server, refused.method
        )
        if refused.id is not None or not refused.method:
            self.say(_error(refused))


def _error(refused: Refused) -> bytes:
    """Encode the JSON-RPC error, also for a refusal that HTTP expresses as a status."""
    if refused.wire.code != NO_CODE:
        return refused.body()
    answer = {"jsonrpc": "2.0"} | ({} if refused.id is None else {"id": refused.id})
    error = {"code": INVALID_REQUEST, "message": refused.wire.says}
    return msgspec.json.encode(answer | {"error": error})
