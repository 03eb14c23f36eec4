"""Define a request to an endpoint, with the verified facts about its sender."""

import socket

import msgspec

from answerable.server.connection_info import ConnectionInfo
from answerable.server.wire.request_head import HttpRequestHead


class StsRequest(msgspec.Struct, frozen=True, gc=False):
    """One complete request.

    Attributes:
        link: Transport facts about the peer. Behind a configured TLS terminator, the
            certificate is the one it reports, and there is no peer process.
        socket: The connection, if the peer is a process that can be attested.
    """

    head: HttpRequestHead
    body: bytes
    link: ConnectionInfo
    socket: socket.socket | None

    def __repr__(self) -> str:
        """Show only the head."""
        return f"Asked({self.head!r})"
