"""Read the response to one message: buffered if small, else parsed while it streams.

A list is always buffered, since items may be removed from it.
"""

from functools import partial
from typing import Protocol

from answerable.gateway.http.reply_progress import (
    ReplyProgress,
    outcome_after_recording,
)
from answerable.gateway.in_flight_call import MessageOutcome, RecordFuture
from answerable.gateway.wire.list_filter import BUFFERED_METHODS, MAX_LIST
from answerable.gateway.wire.streaming_summary import StreamingSummary
from answerable.server.mcp.json_members import WHITESPACE
from answerable.server.mcp.messages import MessageKind
from answerable.server.mcp.request_metadata import JSON
from answerable.server.wire.refusals import RefusalReason, RequestRefused

MAX_BUFFERED = 256 * 1024
FIRST_ERROR_STATUS = 400


class BodyReader(Protocol):
    """Reader of the body of one answer."""

    def on_data(self, data: bytes) -> "BodyReader":
        """Receive a piece; return the reader of the next, or raise `RequestRefused`."""

    def on_end(self) -> None:
        """Receive the end of the body, or raise `RequestRefused`."""

    def on_lost(self, refusal: RequestRefused) -> bool:
        """Receive a failure; return whether the client already got an error."""


class BufferedBody:
    """Body that is judged before a byte of it passes.

    Args:
        relayed: State of the answer.
        kind: Media type, without parameters.
        length: Bytes of the body; None where unknown.
    """

    __slots__ = ("_kind", "_length", "_parts", "_relayed", "_size")

    def __init__(self, relayed: ReplyProgress, kind: str, length: int | None) -> None:
        self._relayed = relayed
        self._kind = kind
        self._length = length
        self._parts: list[bytes] = []
        self._size = 0

    def on_data(self, data: bytes) -> BodyReader:
        """Buffer a piece of the server's answer until the whole can be checked.

        Raises:
            Refused: The body is too large to buffer.
        """
        self._size += len(data)
        self._parts.append(data)
        if self._size <= MAX_BUFFERED:
            return self
        call = self._relayed.passage.call
        if call.method in BUFFERED_METHODS:
            if self._size > MAX_LIST:
                raise RequestRefused(RefusalReason.LIST_TOO_LARGE)
            return self
        if call.kind is not MessageKind.REQUEST or self._kind != JSON:
            raise RequestRefused(RefusalReason.REPLY_TYPE)
        return StreamedBody(self._relayed, self._length).on_data(b"".join(self._parts))

    def on_end(self) -> None:
        """Check the complete message, and forward it.

        Raises:
            Refused: It is ambiguous or malformed.
        """
        data = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        heard = self._check_message(data)
        if heard.until is None:
            self._send_outcome(heard)
        else:
            heard.until.add_done_callback(lambda until: self._on_recorded(heard, until))

    def on_lost(self, refusal: RequestRefused) -> bool:
        """Return False: the client has got nothing of the answer."""
        return False

    def _on_recorded(self, outcome: MessageOutcome, recorded: RecordFuture) -> None:
        """Forward the message when the records that it caused are on disk."""
        if not self._relayed.passage.ended:
            self._send_outcome(outcome_after_recording(outcome, recorded))

    def _send_outcome(self, outcome: MessageOutcome) -> None:
        """Send the checked message as the complete reply."""
        relayed = self._relayed
        data = outcome.data or b""
        then = partial(relayed.record_complete_reply, data)
        relayed.outlet.reply(relayed.heading, data, relayed.session, then)

    def _check_message(self, data: bytes) -> MessageOutcome:
        """Check the message; return what the client gets."""
        relayed = self._relayed
        if not data:
            return MessageOutcome(data)
        is_error = relayed.heading.status >= FIRST_ERROR_STATUS
        if self._kind != JSON:
            if is_error:
                return MessageOutcome(data)  # a page for people
            raise RequestRefused(RefusalReason.REPLY_TYPE)
        if relayed.passage.call.kind is not MessageKind.REQUEST and not is_error:
            return MessageOutcome(None)  # a notification has no answer
        try:
            return relayed.exchange.process_message(relayed.passage, data)
        except RequestRefused:
            if is_error:
                return MessageOutcome(None)  # its status says enough
            raise


class StreamedBody:
    """Body too large to buffer, parsed while it streams.

    Its summary is complete with the last bracket, and so before that is passed on. An
    answer that requests inputs of a client has to be judged first, and is refused at
    this size.

    Args:
        relayed: State of the answer.
        length: Bytes of the body; None where unknown.
    """

    def __init__(self, relayed: ReplyProgress, length: int | None) -> None:
        self._relayed = relayed
        self._length = length
        self._skim = StreamingSummary()
        self._judged = self._begun = False

    def on_data(self, data: bytes) -> BodyReader:
        """Parse a piece, then forward it.

        Raises:
            Refused: The answer is ambiguous or malformed.
        """
        if self._judged:
            if data.strip(WHITESPACE):
                raise RequestRefused(RefusalReason.NOT_JSON)
        else:
            self._skim.feed(data)
            if self._skim.asks:
                raise RequestRefused(RefusalReason.EVENT_TOO_LARGE)
            if self._skim.is_complete:
                self._check_summary()
        relayed = self._relayed
        if not self._begun:
            # Not before: where this piece is refused, an error can still be given.
            self._begun = True
            relayed.outlet.begin_reply(relayed.heading, relayed.session, self._length)
        relayed.count_bytes(data)
        relayed.outlet.write_body(data)
        return self

    def on_end(self) -> None:
        """Record the end of a call whose answer was forwarded in pieces.

        Raises:
            Refused: The answer is incomplete.
        """
        if not self._judged:
            raise RequestRefused(RefusalReason.NOT_JSON)
        self._relayed.record_call_end()
        self._relayed.outlet.finish_reply()

    def on_lost(self, refusal: RequestRefused) -> bool:
        """Truncate the reply, since a part of it was sent; return True."""
        self._relayed.outlet.truncate_reply()
        return True

    def _check_summary(self) -> None:
        """Check the summary of an answer too large to buffer."""
        answer = self._skim.parse_summary()
        if (
            self._relayed.exchange.register_answer_handles(
                self._relayed.passage, answer
            )
            is not None
        ):
            raise RequestRefused(RefusalReason.EVENT_TYPE)
        self._judged = True
