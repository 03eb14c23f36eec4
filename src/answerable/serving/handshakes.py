"""TLS listener that counts a connection from its first packet, not from its handshake.

An event loop tells a protocol of a connection once its handshake is over, so handshakes
that never end would be bounded by open files alone.
"""

import asyncio
import errno
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress

from answerable.serving.admission import AdmissionControl, Slot, address_of

_AT_ONCE = 64  # connections accepted in one iteration of the loop
_PAUSE = 0.1  # seconds between two attempts while no more files may be open
_FULL = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class _Handshake:
    """Connection before its handshake is over."""

    is_busy = False

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def abort(self) -> None:
        """Shut the socket down; the loop then closes it."""
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)

    def get_extra_info(self, name: str) -> object:
        """Return the address of the other end, as a transport does."""
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
        self._resume: asyncio.TimerHandle | None = None
        listening.setblocking(False)
        loop.add_reader(listening, self._accept)

    def close(self) -> None:
        """Stop accepting; accepted connections continue."""
        if self._resume is not None:
            self._resume.cancel()
        self._loop.remove_reader(self._listening)
        self._listening.close()

    def _accept(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                connection, _ = self._listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in _FULL:
                    raise
                self._loop.remove_reader(self._listening)
                self._resume = self._loop.call_later(_PAUSE, self._again)
                return
            self._begin(connection)

    def _again(self) -> None:
        self._resume = None
        self._loop.add_reader(self._listening, self._accept)

    def _begin(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        handshake = _Handshake(connection)
        slot = self._admission.admit(handshake, address_of(handshake))
        if slot is None:
            connection.close()
            return

        task = self._loop.create_task(self._shake(connection, slot))
        self._handshakes.add(task)
        task.add_done_callback(self._handshakes.discard)

    async def _shake(self, connection: socket.socket, slot: Slot) -> None:
        """Do one handshake; after it the protocol takes a slot of its own."""
        try:
            await self._loop.connect_accepted_socket(
                self._make,
                connection,
                ssl=self._context,
                ssl_handshake_timeout=self._admission.limits.first_request,
            )
        except OSError:  # of TLS, too
            connection.close()
        finally:
            slot.release()
