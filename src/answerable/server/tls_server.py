"""Accept TLS connections, and count each from its first packet on.

An event loop tells a protocol of a connection once its handshake is over, so handshakes
that never end would be bounded by open files alone. A handshake takes a signature: it
begins when the client has sent something, and a few begin per iteration of the loop.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress

from answerable.server.accept_loop import AcceptLoop, LoopIterationLimiter
from answerable.server.admission import (
    AdmissionControl,
    ConnectionSlot,
    get_quota_address,
)

HANDSHAKES_PER_TURN = 2  # handshakes that begin in one iteration of the loop


class _PendingHandshake:
    """Connection before its handshake is over."""

    is_busy = False

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def abort(self) -> None:
        """Shut down the socket; the event loop then closes it."""
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)

    def get_extra_info(self, name: str) -> object:
        """Return the address of the client, as a transport does."""
        with suppress(OSError):
            return self._connection.getpeername() if name == "peername" else None
        return None


class TlsServer:
    """Server that accepts connections and bounds their TLS handshakes.

    Args:
        listening: Listening socket; closed with the server.
        make: Builds the protocol of a connection.
        context: SSL context of the handshakes.
        admission: Quotas for connections, and the timeout of a handshake.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        listening: socket.socket,
        make: Callable[[], asyncio.BaseProtocol],
        context: ssl.SSLContext,
        admission: AdmissionControl,
    ) -> None:
        self._loop, self._listening, self._make = loop, listening, make
        self._context, self._admission = context, admission
        self._handshakes: set[asyncio.Task[None]] = set()
        self._turns = LoopIterationLimiter(loop, HANDSHAKES_PER_TURN)
        self._accepting = AcceptLoop(loop, listening, self._start_handshake)

    def close(self) -> None:
        """Stop accepting; accepted connections continue."""
        self._accepting.close()
        self._listening.close()

    def _start_handshake(self, connection: socket.socket) -> None:
        """Give a new connection a slot, and start its handshake."""
        connection.setblocking(False)
        handshake = _PendingHandshake(connection)
        slot = self._admission.admit(handshake, get_quota_address(handshake))
        if slot is None:
            connection.close()
            return

        task = self._loop.create_task(self._do_handshake(connection, slot))
        self._handshakes.add(task)
        task.add_done_callback(self._handshakes.discard)

    async def _do_handshake(
        self, connection: socket.socket, slot: ConnectionSlot
    ) -> None:
        """Do one handshake, then pass the connection to its protocol."""
        limit = self._admission.limits.first_request
        try:
            async with asyncio.timeout(limit):
                await self._wait_for_first_bytes(connection)
            await self._turns.wait_for_iteration()
            await self._loop.connect_accepted_socket(
                self._make,
                connection,
                ssl=self._context,
                ssl_handshake_timeout=limit,
            )
        except (OSError, asyncio.CancelledError) as error:  # of TLS, too
            connection.close()
            if not isinstance(error, OSError):
                raise
        finally:
            slot.release_places()

    async def _wait_for_first_bytes(self, connection: socket.socket) -> None:
        """Wait until the client has sent something, or has closed."""
        arrived = self._loop.create_future()
        self._loop.add_reader(connection, _mark_readable, arrived)
        try:
            await arrived
        finally:
            self._loop.remove_reader(connection)


def _mark_readable(arrived: asyncio.Future[None]) -> None:
    """Resolve the future of a connection that has become readable."""
    if not arrived.done():
        arrived.set_result(None)
