"""Incremental parser for the requests of one connection.

The result does not depend on the slices: each request is a `Head`, then a `Body`, and
the first malformed request is a `Refused`, after which parsing ends (the end of its
body is unknown, so the connection must close).
"""

from collections.abc import Callable
from typing import Generic, Protocol, TypeAlias, TypeVar

import msgspec

from answerable.server.wire.chunked_coding import Chunks
from answerable.server.wire.refusals import Refused, Why
from answerable.server.wire.request_head import MAX_BODY, MAX_HEAD

LEADING = b"\r\n"
EMPTY_LINE = b"\r\n\r\n"
MOST = MAX_HEAD + len(EMPTY_LINE)


class Body(msgspec.Struct, frozen=True, gc=False):
    """Complete body of the previous head; empty without one."""

    data: bytes

    def __repr__(self) -> str:
        """Show the size alone."""
        return f"Body({len(self.data)} bytes)"


class Sized(Protocol):
    """Head with the length of its body."""

    @property
    def length(self) -> int:
        """Bytes of the body, -1 for a chunked one."""


H = TypeVar("H", bound=Sized)
Arrived: TypeAlias = H | Body | Refused


class _Fixed:
    """Body of known length."""

    __slots__ = ("_left", "_parts", "done", "kept")

    def __init__(self, length: int) -> None:
        self.done = length == 0
        self.kept = True
        self._left = length
        self._parts: list[bytes] = []

    def feed(self, data: bytes, at: int) -> int:
        part = data[at : at + self._left]
        if self.kept:
            self._parts.append(part)
        self._left -= len(part)
        self.done = self._left == 0
        return at + len(part)

    def take(self) -> bytes:
        return b"".join(self._parts)


class Intake(Generic[H]):
    """Parser of one connection.

    Args:
        read: Parses a complete head: `read_head`, or a wrapper of it.
        most: Maximum bytes of a body.

    Attributes:
        closed: A request was refused; nothing more is parsed.
    """

    def __init__(self, read: Callable[[bytes], H], most: int = MAX_BODY) -> None:
        self.closed = False
        self._read, self._most = read, most
        self._head = bytearray()
        self._seen = 0  # bytes of the head without its end, less three
        self._first = True  # no empty line was skipped before this head
        self._reading: _Fixed | Chunks | None = None

    @property
    def is_between(self) -> bool:
        """True where no byte of a next request has arrived."""
        return not self._head and self._reading is None

    def drop(self) -> None:
        """Discard the present body: its request was answered by its head."""
        if self._reading is not None:
            self._reading.kept = False

    def feed(self, data: bytes) -> list[Arrived[H]]:
        """Parse a slice; list the complete items."""
        arrived: list[Arrived[H]] = []
        at = 0
        try:
            if self._reading is None and not self._head and not self.closed:
                at = self._take_whole(data, arrived)
            while at < len(data) and not self.closed:
                at = self._take(data, at, arrived)
        except Refused as refused:
            self.closed = True
            arrived.append(refused)
        return arrived

    def end(self) -> Refused | None:
        """Take the end of input; return a refusal if a request is incomplete."""
        whole = self.closed or not (self._head or self._reading)
        self.closed = True
        return None if whole else Refused(Why.CUT_SHORT)

    def _take_whole(self, data: bytes, arrived: list[Arrived[H]]) -> int:
        """Parse a complete request, as most are; return the offset after it."""
        end = data.find(EMPTY_LINE, 0, MOST) + len(EMPTY_LINE)
        if end < len(EMPTY_LINE) or data.startswith(LEADING):
            return 0
        head = self._read(data[:end])
        if not 0 <= head.length <= min(self._most, len(data) - end):
            return 0
        self._first = True
        arrived += (head, Body(data[end : end + head.length]))
        return end + head.length

    def _take(self, data: bytes, at: int, arrived: list[Arrived[H]]) -> int:
        """Parse a part of the present head or body; return the offset after it."""
        if self._reading is None:
            after = self._take_head(data, at, arrived)
        else:
            after = self._reading.feed(data, at)
        if self._reading is not None and self._reading.done:
            arrived.append(Body(self._reading.take()))
            self._reading = None
        return after

    def _take_head(self, data: bytes, at: int, arrived: list[Arrived[H]]) -> int:
        if not self._head and not data.startswith(LEADING, at):
            # Most heads arrive complete.
            end = data.find(EMPTY_LINE, at, at + MOST)
            if end >= 0:
                end += len(EMPTY_LINE)
                self._begin(data[at:end], arrived)
                return end
        held = len(self._head)
        self._head += data[at : at + MOST + len(LEADING) - held]
        if self._first and self._head.startswith(LEADING):
            # One empty line before a request is a known habit (RFC 9112 2.2).
            del self._head[: len(LEADING)]
            held -= len(LEADING)
            self._first = False
        end = self._head.find(EMPTY_LINE, self._seen, MOST)
        if end < 0:
            if len(self._head) >= MOST:
                raise Refused(Why.HEAD_TOO_LARGE)
            self._seen = max(0, len(self._head) - 3)
            return len(data)
        end += len(EMPTY_LINE)
        self._begin(bytes(self._head[:end]), arrived)
        self._head.clear()
        self._seen = 0
        return at + end - held

    def _begin(self, data: bytes, arrived: list[Arrived[H]]) -> None:
        """Parse a complete head; its body is next."""
        head = self._read(data)
        if head.length > self._most:
            raise Refused(Why.BODY_TOO_LARGE)
        self._first = True
        arrived.append(head)
        length = head.length
        self._reading = Chunks(self._most) if length < 0 else _Fixed(length)
