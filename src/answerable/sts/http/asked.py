"""What an endpoint is asked: one request, and what is known of who sent it."""

import socket

import msgspec

from answerable.serving.link import Link
from answerable.serving.wire.head import Head


class Asked(msgspec.Struct, frozen=True, gc=False):
    """One request, whole.

    Attributes:
        head: Its head; nothing in it is believed.
        body: Its body.
        link: What the transport knows of the other end. Behind a named terminator of
            TLS, the certificate is the one that it vouches for, and there is no peer.
        socket: The connection, where the other end is a process that may be attested.
    """

    head: Head
    body: bytes
    link: Link
    socket: socket.socket | None

    def __repr__(self) -> str:
        """Show none of it."""
        return f"Asked({self.head!r})"
