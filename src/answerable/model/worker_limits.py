"""Configuration of a server's limits: connections, calls, times and spool size."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WorkerLimits:
    """Limits of one worker; times are seconds, sizes bytes.

    Attributes:
        connections: Concurrent authenticated client connections. As many
            unauthenticated ones, and half as many at unix sockets, are counted apart.
        connections_per_address: Concurrent connections of either kind from one address.
        connections_per_caller: Concurrent connections of one caller.
        calls_per_caller: Concurrent calls of one principal.
        bytes_per_caller: Total body size of one caller's calls in flight.
        first_request: Time limit of a new connection's TLS handshake and first byte.
        head: Time limit from the first byte of a request to the end of its head.
        body: Time limit from the end of the head to the end of the body.
        idle: Time limit of a client connection without a request.
        connect: Time limit for establishing an upstream connection.
        first_byte: Time limit from a forwarded request to the first byte of its answer.
        drain: Time limit for calls in flight at shutdown.
        spool: Maximum size of evidence that is not stored yet.
        spool_per_agent: Maximum share of one agent.
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
