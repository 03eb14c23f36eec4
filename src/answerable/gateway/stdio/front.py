"""The client of one wrapper: lines come in, and every answer goes out as one.

A client that stops taking what it gets stops its server, too, and no more; one whose
input ends is still given what it asked for.
"""

import asyncio
from collections.abc import Callable, Coroutine

import msgspec

from answerable.gateway.exchange import Exchange
from answerable.gateway.ownership import CANCELLED
from answerable.gateway.shown.credential import Credential
from answerable.gateway.stdio.bridge import agreed, fields_of
from answerable.gateway.stdio.pipes import WritePipe
from answerable.gateway.stdio.reading import Reading
from answerable.gateway.stdio.turn import Turn
from answerable.gateway.stdio.under_way import INITIALIZE
from answerable.gateway.upstreams import Sent, Upstream
from answerable.gateway.wire.heads import onward
from answerable.gateway.wire.lines import Lines
from answerable.model.caller import Caller
from answerable.model.decision import Target
from answerable.serving.mcp.call import Call
from answerable.serving.mcp.messages import Kind
from answerable.serving.wire.refusals import INVALID_REQUEST, NO_CODE, Refused, Why

INITIALIZED = "notifications/initialized"


class Front:
    """Reads one client, and writes to it.

    Args:
        exchange: Decides and records.
        caller: Whoever started us.
        server: Name of the server.
        upstream: The server.
        given: What the server's own process was started with; None where it was given
            nothing.
        most: Requests that may be under way at once.
        bridged: The server is reached over HTTP.
        changed: Is told, once the input has ended, whenever less is under way.

    Attributes:
        exchange: Decides and records.
        caller: Whoever started us.
        upstream: The server.
        given: What its process was started with.
        out: Where answers go; set before the first line comes.
        paused: The client does not take what it gets.
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
        """Whether something is still to be sent to the server."""
        return any(turn.waits for turn in self._turns)

    @property
    def asks(self) -> bool:
        """Whether something is still to be answered."""
        return any(turn.sent.call.kind is Kind.REQUEST for turn in self._turns)

    def heard(self, data: bytes) -> None:
        """Take a slice of what the client writes."""
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
        """The client writes nothing more, or nothing more that is read."""
        if self._ended:
            return
        self._ended = True
        cut = self._lines.end()
        if cut is not None:
            self._turn_away(cut)
        self._changed()

    @property
    def is_quiet(self) -> bool:
        """Whether nothing is under way."""
        return not self._turns

    def recheck(self) -> None:
        """A kill came: cut whatever it forbids."""
        for turn in list(self._turns):
            turn.recheck()

    def leave(self) -> None:
        """Leave what is under way: how it ends nobody here will hear."""
        for turn in list(self._turns):
            turn.leave()

    def close(self) -> None:
        """Leave what is under way, and end a session in order."""
        self.leave()
        if self._session and self._bridged:
            self._begin(Kind.CLOSE, Target.SESSION)

    def full(self) -> None:
        """The client does not take what it gets."""
        self.paused = True
        for turn in list(self._turns):
            turn.pause()

    def drained(self) -> None:
        """It took it."""
        self.paused = False
        for turn in list(self._turns):
            turn.resume()

    def say(self, message: bytes) -> None:
        """Write one message."""
        self.out.write(message + b"\n")

    def in_session(self, session: str) -> None:
        """The server named the session."""
        self._session = session

    def spawn(self, work: Coroutine[None, None, None]) -> None:
        """Have something done beside the messages."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def went(self, turn: Turn) -> None:
        """A message that waited is on its way."""
        if self._ended:
            self._changed()

    def over(self, turn: Turn) -> None:
        """Nothing more comes of one message."""
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
        """Take a cancellation; say whether nothing of it goes on."""
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
        """Open or close the session's stream, which a line cannot say."""
        self._start(Call(self._reading.era, kind, "", None, self._server, target), b"")

    def _start(self, call: Call, line: bytes) -> None:
        fields = onward(fields_of(call, self._version)) if self._bridged else b""
        sent = Sent(call, line, fields, self._session, self.caller.principal)
        turn = Turn(self, sent)
        self._turns[turn] = None
        turn.start()

    def _turn_away(self, refused: Refused) -> None:
        """Say why a line was not taken, where somebody waits for an answer."""
        self.exchange.recorder.refused(
            refused.why.value, self.caller, self._server, refused.method
        )
        if refused.id is not None or not refused.method:
            self.say(_error(refused))


def _error(refused: Refused) -> bytes:
    """The JSON-RPC error, also for what is told by a status over HTTP."""
    if refused.wire.code != NO_CODE:
        return refused.body()
    answer = {"jsonrpc": "2.0"} | ({} if refused.id is None else {"id": refused.id})
    error = {"code": INVALID_REQUEST, "message": refused.wire.says}
    return msgspec.json.encode(answer | {"error": error})
