"""Hold the transport facts of one connection, from TLS and the kernel alone.

No field of a request is part of them: a client can send any field.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class UnixPeer:
    """Process at the other end of a unix socket, as the kernel identifies it.

    Attributes:
        pid: Process id, in our own namespace.
        uid: User at the time of the connection.
        gid: Group at the time of the connection.
        unit: Its systemd unit, e.g. `invoices.service`; empty where it has none, or
            where it is uncertain.
        start: Start time, clock ticks since boot.
    """

    pid: int
    uid: int
    gid: int
    unit: str
    start: int


@dataclass(frozen=True, slots=True)
class ConnectionInfo:
    """Transport facts of one connection.

    Attributes:
        certificate: DER of the client certificate, verified by TLS; empty without one.
        peer: The process at the other end of a unix socket, None elsewhere.
        tls: The connection is TLS.
        url: Scheme and authority of the listener for clients, as configured, e.g.
            `https://gw.example`; empty for a unix socket.
        network: Network of the other end; see `networks.network_of`.
    """

    certificate: bytes = b""
    peer: UnixPeer | None = None
    tls: bool = False
    url: str = ""
    network: str = ""
