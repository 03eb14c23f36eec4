"""The listeners of the process of a door."""

import asyncio
import os
import socket
import ssl
from collections.abc import Callable
from typing import Protocol, TypeAlias

from answerable.model.config import Tls
from answerable.serving.sockets import Bound
from answerable.serving.tls import load_files, server_tls

Factory: TypeAlias = Callable[[], asyncio.BaseProtocol]


class Serving(Protocol):
    """Takes connections."""

    def close(self) -> None:
        """Take no more."""


class Listeners:
    """Listens until told to stop.

    Args:
        loop: The event loop.

    Attributes:
        where: Where it can be reached: pairs (what, where).
        urls: How clients know the listeners that have an address, by what they are.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.where: list[tuple[str, str]] = []
        self.urls: list[tuple[str, str]] = []
        self._loop = loop
        self._bound: list[Bound] = []
        self._servings: list[Serving] = []
        self._tls: list[tuple[ssl.SSLContext, Tls]] = []

    async def open(
        self, what: str, bound: Bound, connection: Factory, protocol: str = ""
    ) -> None:
        """Listen at one more place.

        Args:
            what: What is there, as whoever starts us is told.
            bound: The place.
            connection: Makes what reads a connection.
            protocol: Of TLS's ALPN; empty where there is none to agree on.
        """
        given = bound.of_worker(0)
        own = socket.socket(fileno=os.dup(given.handle))
        listener = given.listener
        if listener.address is None:
            serving = await self._loop.create_unix_server(connection, sock=own)
        else:
            context = None
            if listener.tls is not None:
                context = server_tls(listener.tls)
                if protocol:
                    context.set_alpn_protocols([protocol])
                self._tls.append((context, listener.tls))
            serving = await self._loop.create_server(connection, sock=own, ssl=context)
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

    def reload(self) -> None:
        """Read certificates anew.

        Raises:
            EnvironmentRefused: One cannot be used.
        """
        for context, tls in self._tls:
            load_files(context, tls)

    def close(self) -> None:
        """Take no more connections; what is under way goes on."""
        for serving in self._servings:
            serving.close()
        for bound in self._bound:
            bound.close()
