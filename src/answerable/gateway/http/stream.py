"""An answer that is a stream of events: each judged, and passed on as it came.

Comments, ids and retry times pass; they are between client and server. An event that
holds a message is read like any message. One that may not go on is left out, or another
stands in its place.
"""

from answerable.gateway.http.relayed import Relayed
from answerable.gateway.wire.events import MESSAGE, Event, Events
from answerable.gateway.wire.messages import Kind, one_line
from answerable.gateway.wire.refusals import Refused
from answerable.model.record import Ending


class Stream:
    """A body of events.

    Args:
        relayed: The answer.
    """

    def __init__(self, relayed: Relayed) -> None:
        self._relayed = relayed
        self._events = Events()
        relayed.outlet.begin(relayed.status, relayed.fields, relayed.session, None)

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
                passed.append(self._judged(event))
        finally:
            self._give(b"".join(passed))
        return self

    def on_end(self) -> None:
        """Record what is known; an event that nothing closed is none."""
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
        if call.kind is Kind.REQUEST and self._relayed.passage.answer is None:
            error = refused.of(call.id, call.method).body()
            self._give(_spelled(error, MESSAGE, None))
        self._relayed.outlet.done()
        return True

    def _judged(self, event: Event) -> bytes:
        """The bytes that go on for one event."""
        if not event.data:
            return event.raw
        heard = self._relayed.exchange.hear(self._relayed.passage, event.data)
        if heard.back is not None:
            self._relayed.send_back(heard.back)
        if heard.data is None:
            return b""
        if heard.data is event.data:
            return event.raw
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
