"""Parse a stream of server-sent events incrementally.

Lines end with CR, LF or both, also where a slice ends between the two; one BOM at the
very beginning is not part of the first line; an event without a closing empty line is
none. Every byte is in the `raw` of exactly one event, so that a stream is passed on
unchanged, comments included.

Source: HTML, 9.2.5 "Parsing an event stream" and 9.2.6 "Interpreting an event stream".
"""

from dataclasses import dataclass, field

from answerable.server.wire.refusals import RefusalReason, RequestRefused

MAX_EVENT = 8 * 1024 * 1024
BOM = b"\xef\xbb\xbf"
MESSAGE = b"message"


@dataclass(frozen=True, slots=True)
class SseEvent:
    """Event before one empty line.

    Attributes:
        data: Data; None where it has none, and a client sees no event.
        id: Id; None without one.
        raw: Bytes of the event, with skipped ones before it. Where slices separate the
            last CR from its LF, the LF belongs to the next event.
    """

    data: bytes | None = field(repr=False)
    type: bytes = MESSAGE
    id: bytes | None = None
    raw: bytes = field(default=b"", compare=False, repr=False)


class SseParser:
    """Parser of one stream.

    Args:
        most: Maximum bytes of one event.

    Attributes:
        closed: An event was too large; nothing more is parsed.
    """

    def __init__(self, most: int = MAX_EVENT) -> None:
        self.closed = False
        self._most = most
        self._size = 0
        self._raw: list[bytes] = []
        self._line: list[bytes] = []
        self._after_cr = False
        self._is_first = True
        self._data: list[bytes] = []
        self._type = b""
        self._id: bytes | None = None

    def feed(self, data: bytes) -> list[SseEvent | RequestRefused]:
        """Parse a slice; list the complete events."""
        found: list[SseEvent | RequestRefused] = []
        for piece in data.splitlines(keepends=True):
            if self.closed:
                break
            self._raw.append(piece)
            self._size += len(piece)
            if self._after_cr and piece == b"\n":
                self._after_cr = False
            elif self._size > self._most:
                self.closed = True
                found.append(RequestRefused(RefusalReason.EVENT_TOO_LARGE))
            elif self._add_piece(piece):
                found.append(self._build_event())
        return found

    def _add_piece(self, piece: bytes) -> bool:
        """Add a piece to the line; return whether it completes an event."""
        self._after_cr = piece.endswith(b"\r")
        self._line.append(piece.rstrip(b"\r\n"))
        return piece.endswith((b"\r", b"\n")) and self._parse_line()

    def unfinished_bytes(self) -> bytes:
        """Return the bytes of an incomplete event."""
        return b"".join(self._raw)

    def _parse_line(self) -> bool:
        """Parse one line of server-sent events; return whether it ends an event."""
        line = b"".join(self._line)
        self._line = []
        if self._is_first:
            line = line.removeprefix(BOM)
            self._is_first = False
        if not line:
            return True
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
        elif name == b"event":
            self._type = value
        elif name == b"id" and b"\0" not in value:
            self._id = value
        return False

    def _build_event(self) -> SseEvent:
        """Build the event from the lines read, and reset the parser."""
        data = b"\n".join(self._data) if self._data else None
        event = SseEvent(data, self._type or MESSAGE, self._id, self.unfinished_bytes())
        self._raw, self._size = [], 0
        self._data, self._type, self._id = [], b"", None
        return event
