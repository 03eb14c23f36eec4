"""Open and close the listeners of a server process, with TLS."""

import asyncio
import os
import socket
import ssl
from collections.abc import Callable, Iterable
from typing import Protocol, TypeAlias

from answerable.model.config import Listener
from answerable.server.admission import AdmissionControl
from answerable.server.listening_sockets import (
    BACKLOG,
    BoundListener,
    InheritedSocket,
)
from answerable.server.tls import HTTP_1, TlsListeners
from answerable.server.tls_server import TlsServer

ProtocolFactory: TypeAlias = Callable[[], asyncio.BaseProtocol]


class ListeningServer(Protocol):
    """Server that accepts connections."""

    def close(self) -> None:
        """Stop accepting new connections."""


async def start_accepting(
    loop: asyncio.AbstractEventLoop,
    listening_socket: socket.socket,
    protocol_factory: ProtocolFactory,
    tls_context: ssl.SSLContext | None,
    admission: AdmissionControl,
) -> ListeningServer:
    """Accept connections at a listening socket, with TLS and handshake quotas.

    Args:
        loop: The event loop.
        listening_socket: Listening socket; closed with the returned server.
        protocol_factory: Builds the protocol of a connection.
        tls_context: SSL context; None for plain text.
        admission: Quotas for handshakes; a protocol counts its own connection.
    """
    if tls_context is not None:
        listening_socket.listen(BACKLOG)
        return TlsServer(
            loop, listening_socket, protocol_factory, tls_context, admission
        )
    if listening_socket.family == socket.AF_UNIX:
        return await loop.create_unix_server(
            protocol_factory, sock=listening_socket, backlog=BACKLOG
        )
    return await loop.create_server(
        protocol_factory, sock=listening_socket, backlog=BACKLOG
    )


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

    async def open_listener(
        self,
        name: str,
        bound_listener: BoundListener,
        protocol_factory: ProtocolFactory,
        alpn_protocol: str = HTTP_1,
    ) -> None:
        """Accept connections at one more bound listener.

        Args:
            name: Name of the listener, for the process that starts us.
            bound_listener: The bound listener.
            protocol_factory: Builds the protocol of a connection.
            alpn_protocol: ALPN protocol of TLS.
        """
        given = bound_listener.socket_for_worker(0)
        await self.accept_inherited(given, protocol_factory, alpn_protocol)
        self.add_listener(name, bound_listener)

    async def accept_inherited(
        self,
        inherited: InheritedSocket,
        protocol_factory: ProtocolFactory,
        alpn_protocol: str = HTTP_1,
    ) -> None:
        """Accept connections at a socket that another process or listener owns."""
        own = socket.socket(fileno=os.dup(inherited.handle))
        context = self._tls.add(inherited.listener, alpn_protocol)
        self.add_server(
            await start_accepting(
                self._loop, own, protocol_factory, context, self._admission
            )
        )

    def add_listener(self, name: str, bound_listener: BoundListener) -> None:
        """Add a listener that accepts already, and close it with the others."""
        self._bound.append(bound_listener)
        listener = bound_listener.listener
        if listener.address is None:
            self.where.append((name, f"unix:{listener.unix}"))
            return
        scheme = "https" if listener.tls else "http"
        self.where.append((name, f"{scheme}://{bound_listener.address}"))
        self.urls.append((name, bound_listener.socket_for_worker(0).url))

    def add_server(self, listening_server: ListeningServer) -> None:
        """Register a server that is closed together with the listeners."""
        self._servings.append(listening_server)

    def prepare_certificates(
        self, configured: Iterable[Listener]
    ) -> Callable[[], None]:
        """Read certificates again without using them; see `TlsListeners.prepare`.

        Raises:
            EnvironmentFailure: One cannot be used.
        """
        return self._tls.prepare(configured)

    def close(self) -> None:
        """Stop accepting, once; open requests continue."""
        while self._servings:
            self._servings.pop().close()
        while self._bound:
            self._bound.pop().close()
