"""Body readers for one message: buffered while small, else parsed while it streams.

A list is always buffered, since items may be removed from it.
"""

from functools import partial
from typing import Protocol

from answerable.gateway.http.reply_progress import Relayed, settled
from answerable.gateway.in_flight_call import Heard, Waits
from answerable.gateway.wire.list_filter import HELD, MAX_LIST
from answerable.gateway.wire.streaming_summary import Skim
from answerable.server.mcp.json_members import WHITE
from answerable.server.mcp.messages import Kind
from answerable.server.mcp.request_metadata import JSON
from answerable.server.wire.refusals import Refused, Why

MAX_HELD = 256 * 1024
ERRORS = 400


class Body(Protocol):
    """Reader of the body of one answer."""

    def on_data(self, data: bytes) -> "Body":
        """Take a piece; return the reader of the next one, or raise `Refused`."""

    def on_end(self) -> None:
        """Take the end, or raise `Refused`."""

    def on_lost(self, refused: Refused) -> bool:
        """Take a failure; tell whether the client was told already."""


class Whole:
    """Body that is judged before a byte of it passes.

    Args:
        relayed: State of the answer.
        kind: Media type, without parameters.
        length: Bytes of the body; None where unknown.
    """

    __slots__ = ("_kind", "_length", "_parts", "_relayed", "_size")

    def __init__(self, relayed: Relayed, kind: str, length: int | None) -> None:
        self._relayed = relayed
        self._kind = kind
        self._length = length
        self._parts: list[bytes] = []
        self._size = 0

    def on_data(self, data: bytes) -> Body:
        """Buffer a piece.

        Raises:
            Refused: The body is too large to buffer.
        """
        self._size += len(data)
        self._parts.append(data)
        if self._size <= MAX_HELD:
            return self
        call = self._relayed.passage.call
        if call.method in HELD:
            if self._size > MAX_LIST:
                raise Refused(Why.LIST_TOO_LARGE)
            return self
        if call.kind is not Kind.REQUEST or self._kind != JSON:
            raise Refused(Why.REPLY_TYPE)
        return Passing(self._relayed, self._length).on_data(b"".join(self._parts))

    def on_end(self) -> None:
        """Judge the message, and pass it on.

        Raises:
            Refused: It is ambiguous or malformed.
        """
        data = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        heard = self._judged(data)
        if heard.until is None:
            self._give(heard)
        else:
            heard.until.add_done_callback(lambda until: self._recorded(heard, until))

    def on_lost(self, refused: Refused) -> bool:
        """Report that nothing was passed on."""
        return False

    def _recorded(self, heard: Heard, until: Waits) -> None:
        """Pass on the message when the inputs that it requests are on record."""
        if not self._relayed.passage.ended:
            self._give(settled(heard, until))

    def _give(self, heard: Heard) -> None:
        relayed = self._relayed
        data = heard.data or b""
        then = partial(relayed.given, data)
        relayed.outlet.answer(relayed.heading, data, relayed.session, then)

    def _judged(self, data: bytes) -> Heard:
        relayed = self._relayed
        if not data:
            return Heard(data)
        is_error = relayed.heading.status >= ERRORS
        if self._kind != JSON:
            if is_error:
                return Heard(data)  # a page for people
            raise Refused(Why.REPLY_TYPE)
        if relayed.passage.call.kind is not Kind.REQUEST and not is_error:
            return Heard(None)  # a notification has no answer
        try:
            return relayed.exchange.hear(relayed.passage, data)
        except Refused:
            if is_error:
                return Heard(None)  # its status says enough
            raise


class Passing:
    """Body too large to buffer, parsed while it streams.

    Its summary is complete with the last bracket, and so before that is passed on. An
    answer that requests inputs of a client has to be judged first, and is refused at
    this size.

    Args:
        relayed: State of the answer.
        length: Bytes of the body; None where unknown.
    """

    def __init__(self, relayed: Relayed, length: int | None) -> None:
        self._relayed = relayed
        self._length = length
        self._skim = Skim()
        self._judged = self._begun = False

    def on_data(self, data: bytes) -> Body:
        """Parse a piece, then pass it on.

        Raises:
            Refused: The answer is ambiguous or malformed.
        """
        if self._judged:
            if data.strip(WHITE):
                raise Refused(Why.NOT_JSON)
        else:
            self._skim.feed(data)
            if self._skim.asks:
                raise Refused(Why.EVENT_TOO_LARGE)
            if self._skim.is_whole:
                self._judge()
        relayed = self._relayed
        if not self._begun:
            # Not before: where this piece is refused, an error can still be given.
            self._begun = True
            relayed.outlet.begin(relayed.heading, relayed.session, self._length)
        relayed.count(data)
        relayed.outlet.write(data)
        return self

    def on_end(self) -> None:
        """Record the end of the call.

        Raises:
            Refused: The answer is incomplete.
        """
        if not self._judged:
            raise Refused(Why.NOT_JSON)
        self._relayed.end()
        self._relayed.outlet.done()

    def on_lost(self, refused: Refused) -> bool:
        """Truncate the reply: a part of it was passed on."""
        self._relayed.outlet.cut()
        return True

    def _judge(self) -> None:
        answer = self._skim.answer()
        if self._relayed.exchange.answered(self._relayed.passage, answer) is not None:
            raise Refused(Why.EVENT_TYPE)
        self._judged = True
