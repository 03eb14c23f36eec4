"""The listeners of the process of a door."""

import asyncio
import os
import socket
import ssl
from collections.abc import Callable, Iterable
from typing import Protocol, TypeAlias

from answerable.model.config import Listener
from answerable.serving.admission import AdmissionControl
from answerable.serving.handshakes import TlsServer
from answerable.serving.sockets import BACKLOG, Bound
from answerable.serving.tls import HTTP_1, TlsListeners

Factory: TypeAlias = Callable[[], asyncio.BaseProtocol]


class Serving(Protocol):
    """Takes connections."""

    def close(self) -> None:
        """Take no more."""


async def accept(
    loop: asyncio.AbstractEventLoop,
    listening: socket.socket,
    connection: Factory,
    context: ssl.SSLContext | None,
    admission: AdmissionControl,
) -> Serving:
    """Take connections at a socket.

    Args:
        loop: The event loop.
        listening: The socket; closed with what is returned.
        connection: Makes what reads a connection.
        context: For TLS, None for plain text.
        admission: Counts handshakes; a protocol counts its own connection.
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
    """Listens until told to stop.

    Args:
        loop: The event loop.
        admission: Counts connections.

    Attributes:
        where: Where it can be reached: pairs (what, where).
        urls: How clients know the listeners that have an address, by what they are.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, admission: AdmissionControl
    ) -> None:
        self.where: list[tuple[str, str]] = []
        self.urls: list[tuple[str, str]] = []
        self._loop, self._admission = loop, admission
        self._bound: list[Bound] = []
        self._servings: list[Serving] = []
        self._tls = TlsListeners()

    async def open(
        self, what: str, bound: Bound, connection: Factory, protocol: str = HTTP_1
    ) -> None:
        """Listen at one more place.

        Args:
            what: What is there, as whoever starts us is told.
            bound: The place.
            connection: Makes what reads a connection.
            protocol: Of TLS's ALPN.
        """
        given = bound.of_worker(0)
        own = socket.socket(fileno=os.dup(given.handle))
        context = self._tls.add(given.listener, protocol)
        serving = await accept(self._loop, own, connection, context, self._admission)
        self.add(what, bound, serving)

    def add(self, what: str, bound: Bound, serving: Serving) -> None:
        """Tell of a place where something listens already, and close it with the rest."""
        self._bound.append(bound)
        self._servings.append(serving)
        listener = bound.listener
        if listener.address is None:
            self.where.append((what, f"unix:{listener.unix}"))
            return
        scheme = "https" if listener.tls else "http"
        self.where.append((what, f"{scheme}://{bound.address}"))
        self.urls.append((what, bound.of_worker(0).url))

    def prepare(self, configured: Iterable[Listener]) -> Callable[[], None]:
        """Read certificates again; see `TlsListeners.prepare`.

        Raises:
            EnvironmentRefused: One cannot be used.
        """
        return self._tls.prepare(configured)

    def close(self) -> None:
        """Take no more connections; what is under way goes on."""
        for serving in self._servings:
            serving.close()
        for bound in self._bound:
            bound.close()
