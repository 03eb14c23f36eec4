"""Relay an event stream (SSE): check each event, and forward it unchanged.

Comments, ids and retry times pass unchanged. An event with a message is parsed like any
message; one that may not pass is dropped or replaced. An event that requests an input
of a person waits until the request is on record, and later events wait behind it.
"""

from collections import deque

from answerable.gateway.http.reply_progress import (
    ReplyProgress,
    outcome_after_recording,
)
from answerable.gateway.in_flight_call import MessageOutcome, RecordFuture
from answerable.gateway.wire.event_stream import MAX_EVENT, MESSAGE, SseEvent, SseParser
from answerable.model.spool_record import CallOutcome
from answerable.server.mcp.messages import MessageKind, to_one_line
from answerable.server.wire.refusals import RefusalReason, RequestRefused

MAX_WAITING = 2 * MAX_EVENT  # bytes behind a record that is on its way to disk


class EventStreamBody:
    """Body of server-sent events.

    Args:
        relayed: State of the answer.
    """

    def __init__(self, relayed: ReplyProgress) -> None:
        self._relayed = relayed
        self._events = SseParser()
        self._waiting: deque[tuple[SseEvent, MessageOutcome]] = deque()
        self._room = MAX_WAITING
        self._is_whole = False
        relayed.outlet.begin_reply(relayed.heading, relayed.session, None)

    def on_data(self, data: bytes) -> "EventStreamBody":
        """Forward the server-sent events that are complete to the client.

        Raises:
            Refused: One of them is ambiguous or malformed; earlier ones were passed on.
        """
        passed: list[bytes] = []
        try:
            for event in self._events.feed(data):
                if isinstance(event, RequestRefused):
                    raise event
                passed.append(self._check_event(event))
        finally:
            self._write_data(b"".join(passed))
        return self

    def on_end(self) -> None:
        """Record the end of the call; an incomplete event is dropped."""
        self._is_whole = True
        if self._waiting:
            return
        relayed = self._relayed
        is_answered = relayed.passage.call.kind is not MessageKind.REQUEST
        is_answered |= relayed.passage.answer is not None
        # An older server may end a stream and be asked for its rest
        # (2025-11-25 basic/transports "Resumability and Redelivery").
        relayed.record_call_end(None if is_answered else CallOutcome.UNKNOWN)
        relayed.outlet.finish_reply()

    def on_lost(self, refusal: RequestRefused) -> bool:
        """Send the error in an event of our own, and end the stream."""
        call = self._relayed.passage.call
        if call.kind is MessageKind.REQUEST and (
            self._waiting or self._relayed.passage.answer is None
        ):
            error = refusal.with_request_id(call.id, call.method).jsonrpc_error()
            self._write_data(_format_sse_event(error, MESSAGE, None))
        self._relayed.outlet.finish_reply()
        return True

    def _check_event(self, event: SseEvent) -> bytes:
        """Check an event; return the bytes that may pass at once."""
        if event.data:
            heard = self._relayed.exchange.process_message(
                self._relayed.passage, event.data
            )
            if heard.changed is not None:
                self._relayed.refetch_definitions(heard.changed)
        else:
            heard = MessageOutcome(event.data)
        if heard.until is None and not self._waiting:
            return self._encode_event_to_forward(event, heard)
        self._room -= len(event.raw)
        if self._room < 0:
            raise RequestRefused(RefusalReason.EVENT_TOO_LARGE)
        self._waiting.append((event, heard))
        if heard.until is not None:
            heard.until.add_done_callback(self._forward_recorded_events)
        return b""

    def _forward_recorded_events(self, _: RecordFuture) -> None:
        """Forward events that were held until their audit record was on disk."""
        if self._relayed.passage.ended:
            return
        passed = []
        while self._waiting:
            event, heard = self._waiting[0]
            if heard.until is not None:
                if not heard.until.done():
                    break
                heard = outcome_after_recording(heard, heard.until)
            self._waiting.popleft()
            self._room += len(event.raw)
            passed.append(self._encode_event_to_forward(event, heard))
        self._write_data(b"".join(passed))
        if self._is_whole:
            self.on_end()

    def _encode_event_to_forward(
        self, event: SseEvent, outcome: MessageOutcome
    ) -> bytes:
        """Return the bytes of one server-sent event to forward to the client."""
        if outcome.back is not None:
            self._relayed.answer_server_request(outcome.back)
        if outcome.data is event.data:
            return event.raw
        if outcome.data is None:
            return b""
        return _format_sse_event(outcome.data, event.type, event.id)

    def _write_data(self, data: bytes) -> None:
        """Write bytes to the client, and count them."""
        if data:
            self._relayed.count_bytes(data)
            self._relayed.outlet.write_body(data)


def _format_sse_event(data: bytes, type: bytes, id: bytes | None) -> bytes:
    """Format an event whose data was changed."""
    named = b"" if type == MESSAGE else b"event: %b\n" % type
    numbered = b"" if id is None else b"id: %b\n" % id
    return b"%b%bdata: %b\n\n" % (named, numbered, to_one_line(data))
