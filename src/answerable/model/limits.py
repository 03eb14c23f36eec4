"""Bounds of a server: connections, calls, times and the spool."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one worker; times are seconds, sizes bytes.

    Attributes:
        connections: Client connections at once that named a caller; as many that did
            not yet, and half as many at unix sockets, have places of their own.
        connections_per_address: Of either kind, from one address.
        connections_per_caller: Of one caller.
        calls_per_caller: Calls of one principal in flight at once.
        bytes_per_caller: Of the bodies of one caller's calls in flight.
        first_request: For a new connection: the TLS handshake, and the first byte.
        head: From the first byte of a request to the end of its head.
        body: From there to the end of its body.
        idle: A client connection without a request.
        connect: Until an upstream connection stands.
        first_byte: From a request forwarded to the first byte of its answer.
        drain: For calls in flight at the end, then they are cut.
        spool: Evidence that waits to be stored.
        spool_per_agent: Of that, for any one agent.
    """

    connections: int = 1000
    connections_per_address: int = 500
    connections_per_caller: int = 250
    calls_per_caller: int = 64
    bytes_per_caller: int = 16 << 20
    first_request: int = 5
    head: int = 10
    body: int = 30
    idle: int = 75
    connect: int = 5
    first_byte: int = 60
    drain: int = 30
    spool: int = 1 << 30
    spool_per_agent: int = 256 << 20
