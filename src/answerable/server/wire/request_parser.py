"""Parse the requests of one connection incrementally, in pieces as they arrive.

The result does not depend on the slices: each request is a `Head`, then a `RequestBody`, and
the first malformed request is a `RequestRefused`, after which parsing ends (the end of its
body is unknown, so the connection must close).
"""

from collections.abc import Callable
from typing import Generic, Protocol, TypeAlias, TypeVar

import msgspec

from answerable.server.wire.chunked_coding import ChunkedDecoder
from answerable.server.wire.refusals import RefusalReason, RequestRefused
from answerable.server.wire.request_head import MAX_BODY, MAX_HEAD

LEADING = b"\r\n"
EMPTY_LINE = b"\r\n\r\n"
MAX_HEAD_BYTES = MAX_HEAD + len(EMPTY_LINE)


class RequestBody(msgspec.Struct, frozen=True, gc=False):
    """Complete body of the previous head; empty without one."""

    data: bytes

    def __repr__(self) -> str:
        """Show the size alone."""
        return f"Body({len(self.data)} bytes)"


class HasBodyLength(Protocol):
    """Head with the length of its body."""

    @property
    def length(self) -> int:
        """Bytes of the body, -1 for a chunked one."""


HeadT = TypeVar("HeadT", bound=HasBodyLength)
ParsedItem: TypeAlias = HeadT | RequestBody | RequestRefused


class _FixedBody:
    """Body of known length."""

    __slots__ = ("_left", "_parts", "done", "kept")

    def __init__(self, length: int) -> None:
        self.done = length == 0
        self.kept = True
        self._left = length
        self._parts: list[bytes] = []

    def feed(self, data: bytes, offset: int) -> int:
        """Take body bytes from an offset on; return the offset after them."""
        part = data[offset : offset + self._left]
        if self.kept:
            self._parts.append(part)
        self._left -= len(part)
        self.done = self._left == 0
        return offset + len(part)

    def take_body_bytes(self) -> bytes:
        """Return the request body once all of its Content-Length has arrived."""
        return b"".join(self._parts)


class RequestParser(Generic[HeadT]):
    """Parser of one connection.

    Args:
        read: Parses a complete head: `read_head`, or a wrapper of it.
        most: Maximum bytes of a body.

    Attributes:
        closed: A request was refused; nothing more is parsed.
    """

    def __init__(self, read: Callable[[bytes], HeadT], most: int = MAX_BODY) -> None:
        self.closed = False
        self._read, self._most = read, most
        self._head = bytearray()
        self._seen = 0  # bytes of the head without its end, less three
        self._first = True  # no empty line was skipped before this head
        self._reading: _FixedBody | ChunkedDecoder | None = None

    @property
    def is_between_requests(self) -> bool:
        """True where no byte of the next request has arrived."""
        return not self._head and self._reading is None

    def discard_body(self) -> None:
        """Drop the body of the current request, which was answered by its head."""
        if self._reading is not None:
            self._reading.kept = False

    def feed(self, data: bytes) -> list[ParsedItem[HeadT]]:
        """Parse received bytes; return complete heads, bodies and a refusal."""
        arrived: list[ParsedItem[HeadT]] = []
        at = 0
        try:
            if self._reading is None and not self._head and not self.closed:
                at = self._parse_whole_request(data, arrived)
            while at < len(data) and not self.closed:
                at = self._parse_head_or_body(data, at, arrived)
        except RequestRefused as refused:
            self.closed = True
            # Its traceback refers to this frame, and the frame to it by `arrived`: a
            # cycle that would keep the data until the next garbage collection.
            arrived.append(refused.with_traceback(None))
        return arrived

    def check_input_end(self) -> RequestRefused | None:
        """Return a refusal if the input ended inside a request, else None."""
        whole = self.closed or not (self._head or self._reading)
        self.closed = True
        return None if whole else RequestRefused(RefusalReason.CUT_SHORT)

    def _parse_whole_request(self, data: bytes, parsed: list[ParsedItem[HeadT]]) -> int:
        """Parse a request that arrived in one piece; return the offset after it."""
        end = data.find(EMPTY_LINE, 0, MAX_HEAD_BYTES) + len(EMPTY_LINE)
        if end < len(EMPTY_LINE) or data.startswith(LEADING):
            return 0
        head = self._read(data[:end])
        if not 0 <= head.length <= min(self._most, len(data) - end):
            return 0
        self._first = True
        parsed += (head, RequestBody(data[end : end + head.length]))
        return end + head.length

    def _parse_head_or_body(
        self, data: bytes, offset: int, parsed: list[ParsedItem[HeadT]]
    ) -> int:
        """Parse more of the current head or body; return the offset after it."""
        if self._reading is None:
            after = self._parse_head(data, offset, parsed)
        else:
            after = self._reading.feed(data, offset)
        if self._reading is not None and self._reading.done:
            parsed.append(RequestBody(self._reading.take_body_bytes()))
            self._reading = None
        return after

    def _parse_head(
        self, data: bytes, offset: int, parsed: list[ParsedItem[HeadT]]
    ) -> int:
        """Buffer and parse the head; return the offset after it."""
        if not self._head and not data.startswith(LEADING, offset):
            # Most heads arrive complete.
            end = data.find(EMPTY_LINE, offset, offset + MAX_HEAD_BYTES)
            if end >= 0:
                end += len(EMPTY_LINE)
                self._finish_head(data[offset:end], parsed)
                return end
        held = len(self._head)
        self._head += data[offset : offset + MAX_HEAD_BYTES + len(LEADING) - held]
        if self._first and self._head.startswith(LEADING):
            # One empty line before a request is a known habit (RFC 9112 2.2).
            del self._head[: len(LEADING)]
            held -= len(LEADING)
            self._first = False
        end = self._head.find(EMPTY_LINE, self._seen, MAX_HEAD_BYTES)
        if end < 0:
            if len(self._head) >= MAX_HEAD_BYTES:
                raise RequestRefused(RefusalReason.HEAD_TOO_LARGE)
            self._seen = max(0, len(self._head) - 3)
            return len(data)
        end += len(EMPTY_LINE)
        self._finish_head(bytes(self._head[:end]), parsed)
        self._head.clear()
        self._seen = 0
        return offset + end - held

    def _finish_head(self, data: bytes, parsed: list[ParsedItem[HeadT]]) -> None:
        """Parse a complete request head, and prepare to read its body."""
        head = self._read(data)
        if head.length > self._most:
            raise RequestRefused(RefusalReason.BODY_TOO_LARGE)
        self._first = True
        parsed.append(head)
        length = head.length
        self._reading = ChunkedDecoder(self._most) if length < 0 else _FixedBody(length)
