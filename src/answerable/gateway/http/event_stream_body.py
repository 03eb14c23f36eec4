"""Body reader for an event stream: judges each event, and passes it on unchanged.

Comments, ids and retry times pass unchanged. An event with a message is parsed like any
message; one that may not pass is dropped or replaced. An event that requests an input
of a person waits until the request is on record, and later events wait behind it.
"""

from collections import deque

from answerable.gateway.http.reply_progress import Relayed, settled
from answerable.gateway.in_flight_call import Heard, Waits
from answerable.gateway.wire.event_stream import MAX_EVENT, MESSAGE, Event, Events
from answerable.model.spool_record import Ending
from answerable.server.mcp.messages import Kind, one_line
from answerable.server.wire.refusals import Refused, Why

MAX_WAITING = 2 * MAX_EVENT  # bytes behind a record that is on its way to disk


class Stream:
    """Body of server-sent events.

    Args:
        relayed: State of the answer.
    """

    def __init__(self, relayed: Relayed) -> None:
        self._relayed = relayed
        self._events = Events()
        self._waiting: deque[tuple[Event, Heard]] = deque()
        self._room = MAX_WAITING
        self._is_whole = False
        relayed.outlet.begin(relayed.heading, relayed.session, None)

    def on_data(self, data: bytes) -> "Stream":
        """Pass on the events that are complete.

        Raises:
            Refused: One of them is ambiguous or malformed; earlier ones were passed on.
        """
        passed: list[bytes] = []
        try:
            for event in self._events.feed(data):
                if isinstance(event, Refused):
                    raise event
                passed.append(self._take(event))
        finally:
            self._give(b"".join(passed))
        return self

    def on_end(self) -> None:
        """Record the end of the call; an incomplete event is dropped."""
        self._is_whole = True
        if self._waiting:
            return
        relayed = self._relayed
        is_answered = relayed.passage.call.kind is not Kind.REQUEST
        is_answered |= relayed.passage.answer is not None
        # An older server may end a stream and be asked for its rest
        # (2025-11-25 basic/transports "Resumability and Redelivery").
        relayed.end(None if is_answered else Ending.UNKNOWN)
        relayed.outlet.done()

    def on_lost(self, refused: Refused) -> bool:
        """Send the error in an event of our own, and end the stream."""
        call = self._relayed.passage.call
        if call.kind is Kind.REQUEST and (
            self._waiting or self._relayed.passage.answer is None
        ):
            error = refused.of(call.id, call.method).body()
            self._give(_spelled(error, MESSAGE, None))
        self._relayed.outlet.done()
        return True

    def _take(self, event: Event) -> bytes:
        """Judge an event; return the bytes that may pass at once."""
        if event.data:
            heard = self._relayed.exchange.hear(self._relayed.passage, event.data)
            if heard.changed is not None:
                self._relayed.look(heard.changed)
        else:
            heard = Heard(event.data)
        if heard.until is None and not self._waiting:
            return self._passed(event, heard)
        self._room -= len(event.raw)
        if self._room < 0:
            raise Refused(Why.EVENT_TOO_LARGE)
        self._waiting.append((event, heard))
        if heard.until is not None:
            heard.until.add_done_callback(self._recorded)
        return b""

    def _recorded(self, _: Waits) -> None:
        """Pass on the events that waited for a record."""
        if self._relayed.passage.ended:
            return
        passed = []
        while self._waiting:
            event, heard = self._waiting[0]
            if heard.until is not None:
                if not heard.until.done():
                    break
                heard = settled(heard, heard.until)
            self._waiting.popleft()
            self._room += len(event.raw)
            passed.append(self._passed(event, heard))
        self._give(b"".join(passed))
        if self._is_whole:
            self.on_end()

    def _passed(self, event: Event, heard: Heard) -> bytes:
        """Return the bytes to pass on for one event."""
        if heard.back is not None:
            self._relayed.send_back(heard.back)
        if heard.data is event.data:
            return event.raw
        if heard.data is None:
            return b""
        return _spelled(heard.data, event.type, event.id)

    def _give(self, data: bytes) -> None:
        if data:
            self._relayed.count(data)
            self._relayed.outlet.write(data)


def _spelled(data: bytes, type: bytes, id: bytes | None) -> bytes:
    """Format an event whose data was changed."""
    named = b"" if type == MESSAGE else b"event: %b\n" % type
    numbered = b"" if id is None else b"id: %b\n" % id
    return b"%b%bdata: %b\n\n" % (named, numbered, one_line(data))
