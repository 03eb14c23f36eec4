"""HTTP/1.1 connection of a client: quotas, parsing, backpressure and deadlines.

The gateway and the token service derive their connections from this class; they answer
the parsed requests.
"""

import asyncio
from collections import deque
from typing import Any, Generic, Protocol, cast

from answerable.model.worker_limits import WorkerLimits
from answerable.server.admission import (
    AdmissionControl,
    ConnectionSlot,
    get_quota_address,
)
from answerable.server.connection_info import ConnectionInfo
from answerable.server.connection_info_reader import read_connection_info
from answerable.server.deadline_timer import NEVER, DeadlineTimer
from answerable.server.processes.pidfd_process import ProcessGone
from answerable.server.wire.connection_deadlines import ConnectionWait, compute_deadline
from answerable.server.wire.host_check import ServedNames
from answerable.server.wire.request_parser import HeadT, ParsedItem, RequestParser


class ConnectionServer(Protocol):
    """HTTP server of a process, as its connections use it."""

    limits: WorkerLimits
    ticker: DeadlineTimer
    loop: asyncio.AbstractEventLoop
    draining: bool
    admission: AdmissionControl

    @property
    def connections(self) -> set[Any]:
        """Return the open connections."""


class HttpServerConnection(asyncio.Protocol, Generic[HeadT]):
    """Server side of one HTTP/1.1 connection.

    Args:
        server: HTTP server of the process.
        served: Host names of the listener.
        link: Transport facts that are known before the peer is read.
        intake: Parser of the received bytes.

    Attributes:
        deadline: Loop time of the current timeout.
    """

    def __init__(
        self,
        server: ConnectionServer,
        served: ServedNames,
        link: ConnectionInfo,
        intake: RequestParser[HeadT],
    ) -> None:
        self.served = served
        self.link = link
        self.deadline = NEVER
        self._server = server
        self._transport: asyncio.Transport | None = None
        self._slot: ConnectionSlot | None = None  # None where another worker counts it
        self._is_relayed = False  # another worker accepted it
        self._is_new = True  # nothing was received
        self._intake = intake
        self._arrived: deque[ParsedItem[HeadT]] = deque()
        self._wait = ConnectionWait.ANSWER
        self._advancing = False
        self._held = False  # the client sent ahead, and is not read from
        self._closes = False  # after the present answer

    def count_refused_peer(self, reason: str) -> None:
        """Count a connection whose peer could not be identified."""
        raise NotImplementedError

    def process_parsed_items(self) -> None:
        """Process the parsed heads and bodies until a request has to be answered."""
        raise NotImplementedError

    def find_wait(self) -> ConnectionWait | None:
        """Return what an open request waits for; None between requests."""
        raise NotImplementedError

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Read the transport facts about the peer, and claim a connection slot."""
        transport = cast(asyncio.Transport, transport)
        server = self._server
        try:
            if not self._is_relayed:
                self.link = read_connection_info(transport, self.link.url)
        except ProcessGone as gone:
            self.count_refused_peer(gone.reason)
            transport.abort()
            return
        if server.draining or not (self._is_relayed or self._claim_slot(transport)):
            transport.abort()
            return
        self._transport = transport
        server.connections.add(self)
        server.ticker.add(self)
        self._set_deadline()

    def _claim_slot(self, transport: asyncio.Transport) -> bool:
        """Claim a slot in the connection quotas; False if they are full."""
        admission, peer = self._server.admission, self.link.peer
        if peer is None:
            self._slot = admission.admit(self, get_quota_address(transport))
        else:
            self._slot = admission.admit_unix_socket(self, peer.uid)
        return self._slot is not None

    @property
    def is_busy(self) -> bool:
        """Return whether a request is being answered."""
        raise NotImplementedError

    def data_received(self, data: bytes) -> None:
        """Parse received bytes into requests."""
        if self._transport is None or self._closes:
            return
        self._is_new = False
        self._arrived.extend(self._intake.feed(data))
        self.process_parsed_items()

    def eof_received(self) -> bool:
        """Handle the end of the client's input: let the transport close."""
        return False

    def on_deadline(self) -> None:
        """Refuse a request that arrives too slowly, or close an idle connection."""
        raise NotImplementedError

    def abort(self) -> None:
        """Close the client's connection at once, without sending the rest."""
        if self._transport is not None:
            self._transport.abort()

    def _forget_transport(self) -> asyncio.Transport | None:
        """Return the transport, and remove the connection from its server."""
        transport, self._transport = self._transport, None
        self._server.connections.discard(self)
        self._server.ticker.discard(self)
        self._arrived.clear()
        return transport

    def _pause_or_resume_reading(self) -> None:
        """Pause reading from the socket while parsed items wait."""
        transport = self._transport
        if transport is None or self._held is bool(self._arrived):
            return
        if not transport.is_closing():
            self._held = bool(self._arrived)
            if self._held:
                transport.pause_reading()
            else:
                transport.resume_reading()

    def _set_deadline(self) -> None:
        """Set the deadline for the current state, once for each state."""
        wait = self.find_wait()
        if wait is None:
            if not self._intake.is_between_requests:
                wait = ConnectionWait.HEAD
            else:
                wait = ConnectionWait.FIRST if self._is_new else ConnectionWait.REQUEST
        if wait is self._wait:
            return
        self._wait = wait
        server = self._server
        self.deadline = compute_deadline(wait, server.loop.time(), server.limits)
