"""Track a message sent to a server process, and its response in HTTP terms.

The answer of a process is one message as JSON, or several as events. The first message
determines which: an answer, or something else before it.
"""

from functools import cached_property, lru_cache
from typing import Protocol

import msgspec

from answerable.gateway.stdio.message_ids import (
    ID,
    SUBSCRIPTION_ENDED,
    TOKEN,
    MessageId,
    find_id_at_path,
    replace_ids,
)
from answerable.gateway.upstream import ResponseSink, UpstreamRequest
from answerable.gateway.wire.http_heads import UpstreamHead, check_upstream_head
from answerable.server.mcp.messages import MessageKind, to_one_line
from answerable.server.mcp.request_metadata import EVENT_STREAM, JSON
from answerable.server.wire.refusals import (
    HEADER_MISMATCH,
    METHOD_NOT_FOUND,
    MISSING_CAPABILITY,
    UNSUPPORTED_VERSION,
    RefusalReason,
)

OK = 200
ACCEPTED = 202
INITIALIZE = "initialize"
# 2026-07-28 basic/transports/streamable-http "Sending Messages": HTTP statuses of
# JSON-RPC errors.
STATUS_BY_ERROR = {
    METHOD_NOT_FOUND: 404,
    HEADER_MISMATCH: 400,
    MISSING_CAPABILITY: 400,
    UNSUPPORTED_VERSION: 400,
}


class MessageCarrier(Protocol):
    """Carrier of messages to a process."""

    session: str

    def cancel(self, message: "PendingMessage") -> None:
        """Cancel a message that no client waits for."""

    def pause_for(self, message: "PendingMessage") -> None:
        """Pause the output: the client of this message is slower."""

    def resume_for(self, message: "PendingMessage") -> None:
        """Resume the output: its client has caught up."""


class PendingMessage:
    """Message under way to a process; its transfer handle.

    Args:
        carrier: Carrier of the message.
        sent: The message as it came.
        sink: Receiver of the answer.

    Attributes:
        id: Id that the process knows it by.
        done: The answer is complete.
    """

    def __init__(
        self, carrier: MessageCarrier, sent: UpstreamRequest, sink: ResponseSink
    ) -> None:
        self.call = sent.call
        self.id = sent.call.id
        self.done = False
        self._carrier = carrier
        self._sent = sent
        self._sink = sink
        self._token: MessageId | None = None  # replacement for the client's own token
        self._begun = False

    @cached_property
    def client_progress_token(self) -> MessageId | None:
        """Return the client's progress token; None without one."""
        return find_id_at_path(self._sent.body, TOKEN)

    @property
    def process_progress_token(self) -> MessageId | None:
        """Return the progress token that the process knows; None without one."""
        return self.client_progress_token if self._token is None else self._token

    @property
    def is_request(self) -> bool:
        """Return True if it expects an answer."""
        return self.call.kind is MessageKind.REQUEST

    @property
    def is_modern(self) -> bool:
        """Return True for MCP 2026-07-28, which has no sessions."""
        return self.call.era.is_modern

    def assign_ids(self, id: MessageId, token: MessageId) -> bytes:
        """Assign another id and progress token; return the changed bytes."""
        self.id, self._token = id, token
        return replace_ids(self._sent.body, {ID: id, TOKEN: token})

    def deliver_event(self, line: bytes) -> None:
        """Pass a notification or request of the server to the sink, as an event."""
        if not self.done:
            self.begin_stream()
            self._sink.on_data(b"data: %b\n\n" % to_one_line(line))

    def deliver_answer(self, line: bytes, code: int) -> None:
        """Pass the answer of the server to the sink, as an HTTP reply.

        Args:
            line: The answer.
            code: Code of its error, 0 without one.
        """
        if self.done:
            return
        if self.id != self.call.id and self.call.id is not None:
            own = self.call.id
            line = replace_ids(line, {ID: own, SUBSCRIPTION_ENDED: own})
        if self._begun:
            self.deliver_event(line)
        else:
            status = STATUS_BY_ERROR.get(code, OK) if self.is_modern else OK
            self._sink.on_head(self._response_head(status, JSON), len(line))
            self._sink.on_data(line)
        self.report_answer_end()

    def begin_stream(self) -> None:
        """Begin a stream of events."""
        if not self._begun and not self.done:
            self._begun = True
            self._sink.on_head(self._response_head(OK, EVENT_STREAM), None)

    def report_answer_end(self) -> None:
        """Report the end of a complete answer."""
        if not self.done:
            self.done = True
            self._sink.on_end()

    def close(self) -> None:
        """End without an answer: it was cancelled, or has none."""
        self.begin_stream()
        self.report_answer_end()

    def reply_with_status(self, status: int) -> None:
        """Answer a client message with an HTTP status and no body."""
        if not self.done:
            self._sink.on_head(_build_response_head(status), 0)
            self.report_answer_end()

    def report_failure(self, reason: RefusalReason, *, forwarded: bool) -> None:
        """Report that no answer will come."""
        if not self.done:
            self.done = True
            self._sink.on_lost(reason, forwarded=forwarded)

    def abort(self) -> None:
        """Abort the answer to a client message that has already begun."""
        if not self.done:
            self.done = True
            self._carrier.resume_for(self)
            self._carrier.cancel(self)

    def pause(self) -> None:
        """Stop reading the answer."""
        if not self.done:
            self._carrier.pause_for(self)

    def resume(self) -> None:
        """Continue reading the answer."""
        self._carrier.resume_for(self)

    def _response_head(self, status: int, kind: str) -> UpstreamHead:
        """Build the head of the answer, with the session id of a new session."""
        said = _build_response_head(status, kind)
        if self.call.method == INITIALIZE and self._carrier.session:
            return msgspec.structs.replace(said, session=self._carrier.session)
        return said


@lru_cache(maxsize=64)
def _build_response_head(status: int, kind: str = "") -> UpstreamHead:
    """Build the head that the answer would have over HTTP."""
    return check_upstream_head(status, {"content-type": kind} if kind else {})
