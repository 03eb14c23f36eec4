"""HTTP server of one worker: limits its open calls, and drains or aborts them all."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from answerable.gateway.call_pipeline import CallPipeline
from answerable.gateway.http.fair_queue import FairQueue
from answerable.gateway.session_ids import SessionIdBinder
from answerable.gateway.wire.mcp_request_head import (
    McpRequestHead,
    cache_repeated_heads,
)
from answerable.model.worker_limits import WorkerLimits
from answerable.server.admission import AdmissionControl, ConnectionSlot
from answerable.server.authentication.authenticator import CallerAuthenticator
from answerable.server.background_tasks import BackgroundTasks
from answerable.server.connection_info import ConnectionInfo
from answerable.server.deadline_timer import DeadlineTimer
from answerable.server.large_body_parser import LargeBodyParser
from answerable.server.wire.host_check import ServedNames


class OpenConnection(Protocol):
    """Open connection of a client."""

    def drain(self) -> None:
        """Finish the open request, and accept no other."""

    def stop_if_revoked(self) -> None:
        """Stop the open request if a revocation now forbids it."""

    def abort(self) -> None:
        """Close the connection immediately, without flushing."""


class PeerRouter(Protocol):
    """Router of connections to the worker that owns their principal."""

    def owns_principal(self, principal: str) -> bool:
        """Return whether this worker, and no other, serves a principal's calls."""

    def relay_to_owner(
        self,
        transport: asyncio.Transport,
        principal: str,
        link: ConnectionInfo,
        served_names: ServedNames,
        received: bytes,
        slot: ConnectionSlot | None,
    ) -> None:
        """Relay a connection to the worker that serves its caller."""


@dataclass(slots=True)
class GatewayHttpServer:
    """HTTP server of one worker.

    Attributes:
        exchange: Pipeline that decides and records calls.
        sessions: Binds session ids of older servers.
        ticker: Timer of the connections' deadlines.
        loop: Event loop of the worker.
        read: Parses the head of a request.
        clock: Returns UTC seconds.
        peers: The other workers; None for a single worker.
        draining: No further request is accepted.
        in_flight: Number of open calls, by principal.
        held_bytes: Bytes of large bodies of open calls, by principal.
        waiters: Calls that wait for such bytes, by principal.
        large_bodies: Parser of large bodies, in a process of its own.
        queue: Calls that wait for their caller's turn.
        tasks: Background tasks; one of a request closes its connection if it fails.
    """

    exchange: CallPipeline
    callers: CallerAuthenticator
    sessions: SessionIdBinder
    limits: WorkerLimits
    ticker: DeadlineTimer
    loop: asyncio.AbstractEventLoop
    admission: AdmissionControl
    read: Callable[[bytes], McpRequestHead] = field(
        default_factory=cache_repeated_heads
    )
    clock: Callable[[], float] = time.time
    peers: PeerRouter | None = None
    draining: bool = False
    connections: set[OpenConnection] = field(default_factory=set)
    in_flight: dict[str, int] = field(default_factory=dict)
    held_bytes: dict[str, int] = field(default_factory=dict)
    waiters: dict[str, deque[Callable[[], None]]] = field(default_factory=dict)
    tasks: BackgroundTasks = field(default_factory=BackgroundTasks)
    large_bodies: LargeBodyParser = field(default_factory=LargeBodyParser)
    queue: FairQueue = field(init=False)

    def __post_init__(self) -> None:
        self.queue = FairQueue(self.loop)

    def may_start_call(self, principal: str) -> bool:
        """Return whether a principal may start one more call."""
        return self.in_flight.get(principal, 0) < self.limits.calls_per_caller

    def reserve_bytes(self, principal: str, size: int) -> bool:
        """Reserve bytes for a body; False where the limit is reached."""
        held = self.held_bytes.get(principal, 0) + size
        if held > self.limits.bytes_per_caller:
            return False
        self.held_bytes[principal] = held
        return True

    def release_bytes(self, principal: str, size: int) -> None:
        """Release reserved bytes, and retry the calls that wait for some."""
        left = self.held_bytes[principal] - size
        if left:
            self.held_bytes[principal] = left
        else:
            del self.held_bytes[principal]
        for look in self.waiters.pop(principal, ()):
            look()

    def wait_for_bytes(self, principal: str, retry: Callable[[], None]) -> None:
        """Register a function to call when a principal's other calls release bytes."""
        self.waiters.setdefault(principal, deque()).append(retry)

    def cancel_wait(self, principal: str, retry: Callable[[], None]) -> None:
        """Unregister a function of `wait_for_bytes`, where its client is gone."""
        waiting = self.waiters.get(principal)
        if waiting is not None and retry in waiting:
            waiting.remove(retry)
            if not waiting:
                del self.waiters[principal]

    def count_started_call(self, principal: str) -> None:
        """Count one more open call of a principal, for its limit."""
        self.in_flight[principal] = self.in_flight.get(principal, 0) + 1

    def count_finished_call(self, principal: str) -> None:
        """Count one open call of a principal less."""
        left = self.in_flight[principal] - 1
        if left:
            self.in_flight[principal] = left
        else:
            del self.in_flight[principal]

    def drain(self) -> None:
        """Accept no request; open calls continue, session streams end."""
        self.draining = True
        for front in list(self.connections):
            front.drain()

    def stop_revoked_requests(self) -> None:
        """Stop every open request that a new revocation forbids."""
        for front in list(self.connections):
            front.stop_if_revoked()

    def abort(self) -> None:
        """Close every connection at once."""
        for front in list(self.connections):
            front.abort()
