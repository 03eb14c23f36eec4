"""What an endpoint is asked: one request, and what is known of who sent it."""

import socket
from dataclasses import dataclass

from answerable.serving.link import Link
from answerable.serving.wire.head import Head


@dataclass(frozen=True, slots=True, repr=False)
class Asked:
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
