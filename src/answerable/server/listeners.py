"""Listeners of a server process."""

import asyncio
import os
import socket
import ssl
from collections.abc import Callable, Iterable
from typing import Protocol, TypeAlias

from answerable.model.config import Listener
from answerable.server.admission import AdmissionControl
from answerable.server.listening_sockets import BACKLOG, BoundListener
from answerable.server.tls import HTTP_1, TlsListeners
from answerable.server.tls_server import TlsServer

ProtocolFactory: TypeAlias = Callable[[], asyncio.BaseProtocol]


class ListeningServer(Protocol):
    """Server that accepts connections."""

    def close(self) -> None:
        """Stop accepting."""


async def start_accepting(
    loop: asyncio.AbstractEventLoop,
    listening: socket.socket,
    connection: ProtocolFactory,
    context: ssl.SSLContext | None,
    admission: AdmissionControl,
) -> ListeningServer:
    """Start to accept connections at a socket.

    Args:
        loop: The event loop.
        listening: Listening socket; closed with the returned server.
        connection: Builds the protocol of a connection.
        context: SSL context; None for plain text.
        admission: Quotas for handshakes; a protocol counts its own connection.
    """
    if context is not None:
        listening.listen(BACKLOG)
        return TlsServer(loop, listening, connection, context, admission)
    if listening.family == socket.AF_UNIX:
        return await loop.create_unix_server(
            connection, sock=listening, backlog=BACKLOG
        )
    return await loop.create_server(connection, sock=listening, backlog=BACKLOG)


class Listeners:
    """Listeners of one process.

    Attributes:
        where: Endpoints: pairs (what, where).
        urls: Public URLs of the listeners with an address, by name.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, admission: AdmissionControl
    ) -> None:
        self.where: list[tuple[str, str]] = []
        self.urls: list[tuple[str, str]] = []
        self._loop, self._admission = loop, admission
        self._bound: list[BoundListener] = []
        self._servings: list[ListeningServer] = []
        self._tls = TlsListeners()

    async def open(
        self,
        what: str,
        bound: BoundListener,
        connection: ProtocolFactory,
        protocol: str = HTTP_1,
    ) -> None:
        """Listen at one more socket.

        Args:
            what: Name of the listener, for the process that starts us.
            bound: The bound listener.
            connection: Builds the protocol of a connection.
            protocol: ALPN protocol of TLS.
        """
        given = bound.socket_for_worker(0)
        own = socket.socket(fileno=os.dup(given.handle))
        context = self._tls.add(given.listener, protocol)
        serving = await start_accepting(
            self._loop, own, connection, context, self._admission
        )
        self.add(what, bound, serving)

    def add(self, what: str, bound: BoundListener, serving: ListeningServer) -> None:
        """Add a listener that accepts already, to be closed with the rest."""
        self._bound.append(bound)
        self._servings.append(serving)
        listener = bound.listener
        if listener.address is None:
            self.where.append((what, f"unix:{listener.unix}"))
            return
        scheme = "https" if listener.tls else "http"
        self.where.append((what, f"{scheme}://{bound.address}"))
        self.urls.append((what, bound.socket_for_worker(0).url))

    def prepare(self, configured: Iterable[Listener]) -> Callable[[], None]:
        """Read certificates again; see `TlsListeners.prepare`.

        Raises:
            EnvironmentFailure: One cannot be used.
        """
        return self._tls.prepare(configured)

    def close(self) -> None:
        """Stop accepting; open requests continue."""
        for serving in self._servings:
            serving.close()
        for bound in self._bound:
            bound.close()
