"""An answer that is a stream of events: each judged, and passed on as it came.

Comments, ids and retry times pass; they are between client and server. An event that
holds a message is read like any message. One that may not go on is left out, or another
stands in its place. One that asks something of a person waits until that is on record, and
whatever follows it waits behind it.
"""

from collections import deque

from answerable.gateway.http.relayed import Relayed, settled
from answerable.gateway.passage import Heard, Waits
from answerable.gateway.wire.events import MAX_EVENT, MESSAGE, Event, Events
from answerable.model.record import Ending
from answerable.serving.mcp.messages import Kind, one_line
from answerable.serving.wire.refusals import Refused, Why

MAX_WAITING = 2 * MAX_EVENT  # bytes behind a record that is on its way to disk


class Stream:
    """A body of events.

    Args:
        relayed: The answer.
    """

    def __init__(self, relayed: Relayed) -> None:
        self._relayed = relayed
        self._events = Events()
        self._waiting: deque[tuple[Event, Heard]] = deque()
        self._room = MAX_WAITING
        self._is_whole = False
        relayed.outlet.begin(relayed.heading, relayed.session, None)

    def on_data(self, data: bytes) -> "Stream":
        """Give the events that are whole now.

        Raises:
            Refused: One of them can be read in more ways than one, or in none; those
                before it went on.
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
        """Record what is known; an event that nothing closed is none."""
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
        """Tell the client in an event of our own, and end the stream."""
        call = self._relayed.passage.call
        if call.kind is Kind.REQUEST and (
            self._waiting or self._relayed.passage.answer is None
        ):
            error = refused.of(call.id, call.method).body()
            self._give(_spelled(error, MESSAGE, None))
        self._relayed.outlet.done()
        return True

    def _take(self, event: Event) -> bytes:
        """Judge an event; the bytes that may go on at once."""
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
        """Give what waited for a record, and what came after it."""
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
        """The bytes that go on for one event."""
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
    """Spell an event that is not the server's any more."""
    named = b"" if type == MESSAGE else b"event: %b\n" % type
    numbered = b"" if id is None else b"id: %b\n" % id
    return b"%b%bdata: %b\n\n" % (named, numbered, one_line(data))
