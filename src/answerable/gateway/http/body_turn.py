"""Memory for the body of one request, and its turn among the calls of its caller."""

from collections.abc import Callable

from answerable.gateway.http.fair_queue import LARGE_BODY, QueuedCall
from answerable.gateway.http.server import GatewayHttpServer
from answerable.server.wire.request_head import MAX_BODY


class BodyTurn:
    """Reservation and turn of one request; released at its end.

    Args:
        on_room: Called when a parked body may be read.

    Attributes:
        is_parked: The body is not read until other calls of the caller have ended.
    """

    __slots__ = (
        "_held",
        "_http_server",
        "_is_over",
        "_on_room",
        "_principal",
        "_queued",
        "_size",
        "is_parked",
    )

    def __init__(
        self, http_server: GatewayHttpServer, on_room: Callable[[], None]
    ) -> None:
        self._http_server, self._on_room = http_server, on_room
        self._principal = ""
        self._size = 0  # bytes that the body may have, where that is much
        self._held = self.is_parked = self._is_over = False
        self._queued: QueuedCall | None = None  # it waits for the caller's turn

    def reserve(self, principal: str, length: int) -> None:
        """Reserve memory for a large body; park it if the caller's quota is used up.

        Args:
            principal: Principal of the caller.
            length: Bytes of the body, -1 where the head does not say.
        """
        if not 0 <= length <= LARGE_BODY:
            self._principal = principal
            self._size = MAX_BODY if length < 0 else length
            self._try_reserve()

    def must_wait(self, principal: str, size: int) -> bool:
        """Return whether a received body has to wait for its caller's turn."""
        http_server = self._http_server
        open_calls = http_server.in_flight.get(principal, 0)
        return http_server.queue.must_wait(principal, size, open_calls)

    def wait(self, principal: str, size: int, run: Callable[[], None]) -> None:
        """Queue a received body until it is its caller's turn."""
        self._queued = QueuedCall(principal, size, run)
        self._http_server.queue.add(self._queued)

    def begin(self) -> QueuedCall | None:
        """End the wait: the body is handled now. Return its place, if it had one."""
        queued, self._queued = self._queued, None
        return queued

    def release(self) -> None:
        """Release the memory, and leave the queues, which keep the body."""
        self._is_over = True
        queued = self.begin()
        if queued is not None:
            self._http_server.queue.remove(queued)
        if self.is_parked:
            self._http_server.cancel_wait(self._principal, self._retry_waiting_body)
        if self._held:
            self._http_server.release_bytes(self._principal, self._size)

    def _try_reserve(self) -> None:
        """Reserve the bytes, or wait for some."""
        http_server = self._http_server
        self._held = http_server.reserve_bytes(self._principal, self._size)
        self.is_parked = not self._held
        if self.is_parked:
            http_server.wait_for_bytes(self._principal, self._retry_waiting_body)

    def _retry_waiting_body(self) -> None:
        """Retry after other calls have released bytes."""
        if not self._is_over:
            self._try_reserve()
            if self._held:
                self._on_room()
