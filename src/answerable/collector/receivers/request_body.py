"""Read the body of a request within limits, and decompress it."""

import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.requests import Request

MAX_BODY = 16 << 20  # bytes as sent
MAX_INFLATED = 32 << 20  # bytes after decompression
MAX_HELD = 128 << 20  # bytes of all bodies in progress
MAX_HELD_PER_SENDER = MAX_HELD // 2


class DeliveryRefusedError(Exception):
    """Refused delivery; the sender may retry after 429 and 503.

    Attributes:
        status: HTTP status of the answer.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class BodyBudget:
    """Bytes of the bodies in progress, for all senders and for each one."""

    def __init__(self) -> None:
        self._held: Counter[str] = Counter()
        self._total = 0

    @property
    def total(self) -> int:
        """Return the bytes of all bodies in progress."""
        return self._total

    @contextmanager
    def reserve(self, sender: str) -> Iterator["BodyReservation"]:
        """Hold the bytes of one body until its request is answered."""
        reservation = BodyReservation(self, sender)
        try:
            yield reservation
        finally:
            self.add(sender, -reservation.size)
            if not self._held[sender]:
                del self._held[sender]

    def add(self, sender: str, count: int) -> None:
        """Count bytes of a sender."""
        self._held[sender] += count
        self._total += count

    def is_exceeded_by(self, sender: str) -> bool:
        """Return whether the bodies in progress are too large together."""
        return self._total > MAX_HELD or self._held[sender] > MAX_HELD_PER_SENDER


class BodyReservation:
    """Bytes that one body holds of the budget."""

    def __init__(self, budget: BodyBudget, sender: str) -> None:
        self._budget, self._sender = budget, sender
        self.size = 0

    def grow(self, count: int) -> None:
        """Add bytes to the reservation.

        Raises:
            DeliveryRefusedError: The bodies in progress are too large; the sender may retry.
        """
        self.size += count
        self._budget.add(self._sender, count)
        if self._budget.is_exceeded_by(self._sender):
            raise DeliveryRefusedError(429, "too many requests in progress")


async def read_request_body(request: Request, reservation: BodyReservation) -> bytes:
    """Read the body of a request, decompressed.

    Raises:
        DeliveryRefusedError: It is too large, damaged, or has another coding.
    """
    coding = request.headers.get("content-encoding", "identity").strip().lower()
    if coding not in ("identity", "gzip"):
        raise DeliveryRefusedError(415, "expected Content-Encoding gzip or none")
    pieces: list[bytes] = []
    size = 0
    async for piece in request.stream():
        size += len(piece)
        reservation.grow(len(piece))
        if size > MAX_BODY:
            raise DeliveryRefusedError(413, f"the body has more than {MAX_BODY} bytes")
        pieces.append(piece)
    body = b"".join(pieces)
    return _decompress_gzip(body, reservation) if coding == "gzip" else body


def _decompress_gzip(body: bytes, reservation: BodyReservation) -> bytes:
    """Decompress one gzip member, up to the maximum size."""
    member = zlib.decompressobj(wbits=31)
    inflated: list[bytes] = []
    size = 0
    try:
        while not member.eof:
            chunk = member.decompress(body, 1 << 20)
            if not chunk and not member.eof:
                raise DeliveryRefusedError(400, "the compressed body is truncated")
            body = member.unconsumed_tail
            size += len(chunk)
            reservation.grow(len(chunk))
            if size > MAX_INFLATED:
                what = f"the body decompresses to more than {MAX_INFLATED} bytes"
                raise DeliveryRefusedError(413, what)
            inflated.append(chunk)
    except zlib.error:
        raise DeliveryRefusedError(400, "the compressed body is damaged") from None
    if member.unused_data:
        raise DeliveryRefusedError(400, "extra bytes after the compressed body")
    return b"".join(inflated)
