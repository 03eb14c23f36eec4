"""What the transport knows of one connection, from TLS and the kernel alone.

No field of a request ends up here: whoever sends a request can write any of them.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class UnixPeer:
    """The process at the other end of a unix socket, as the kernel names it.

    Attributes:
        pid: Its number, in our own namespace.
        uid: Its user when it connected.
        gid: Its group when it connected.
        unit: Its systemd unit, e.g. `invoices.service`; empty where it has none, or
            the kernel cannot tell for certain.
        start: When it started, clock ticks since boot.
    """

    pid: int
    uid: int
    gid: int
    unit: str
    start: int


@dataclass(frozen=True, slots=True)
class Link:
    """One connection.

    Attributes:
        certificate: DER of the client certificate, verified by TLS; empty without one.
        peer: The process at the other end of a unix socket, None elsewhere.
        tls: The connection is TLS.
        url: Scheme and authority that clients know the listener by, as configured,
            e.g. `https://gw.example`; empty for a unix socket.
        network: Network of the other end; see `networks.network_of`.
    """

    certificate: bytes = b""
    peer: UnixPeer | None = None
    tls: bool = False
    url: str = ""
    network: str = ""
