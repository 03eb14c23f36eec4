"""Accept HTTP/2 connections of Envoy proxies, with quotas and deadlines."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from grpclib.protocol import H2Protocol
from grpclib.server import Server

from answerable.pdp.wire.problem_documents import ProblemResponse
from answerable.server.admission import (
    AdmissionControl,
    ConnectionSlot,
    get_quota_address,
)
from answerable.server.connection_info_reader import read_connection_info
from answerable.server.deadline_timer import NEVER, DeadlineTimer
from answerable.server.processes.pidfd_process import ProcessGone


class EnvoyConnection(H2Protocol):
    """One connection; it is closed unless a request is authenticated in time.

    An authenticated connection stays open between checks: if it ends while Envoy sends
    a check, Envoy denies the call.

    Args:
        made: The protocol object of grpclib.

    Attributes:
        deadline: Time of the close, unless a request is authenticated before.
    """

    def __init__(
        self, made: H2Protocol, admission: AdmissionControl, ticker: DeadlineTimer
    ) -> None:
        super().__init__(made.handler, made.config, made.h2_config)
        self.deadline = NEVER
        self._admission, self._ticker = admission, ticker
        self._loop = asyncio.get_running_loop()
        self._slot: ConnectionSlot | None = None
        self._transport: asyncio.Transport | None = None
        self._under_way = 0
        self._is_silent = True

    @property
    def is_busy(self) -> bool:
        """Return whether a check of an authenticated Envoy is in progress."""
        return self._under_way > 0

    def abort(self) -> None:
        """Close Envoy's gRPC connection at once."""
        if self._transport is not None:
            self._transport.abort()

    on_deadline = abort

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Claim a slot, or close the connection."""
        super().connection_made(transport)
        self._transport = stream = cast(asyncio.Transport, transport)
        try:
            peer = read_connection_info(stream, "").peer
        except ProcessGone:
            self.abort()
            return
        if peer is None:
            self._slot = self._admission.admit(self, get_quota_address(stream))
        else:
            self._slot = self._admission.admit_unix_socket(self, peer.uid)
        if self._slot is None:
            self.abort()
            return
        self.deadline = self._loop.time() + self._admission.limits.first_request
        self._ticker.add(self)

    def data_received(self, data: bytes) -> None:
        """Read data; the first bytes start the deadline of the request head."""
        if self._is_silent:
            self._is_silent = False
            self.deadline = self._loop.time() + self._admission.limits.head
        super().data_received(data)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Release the connection's slot in the quota."""
        self._ticker.discard(self)
        if self._slot is not None:
            self._slot.release_places()
        super().connection_lost(exc)

    @contextmanager
    def count_check(self, caller: str) -> Iterator[None]:
        """Count the connection for its caller, and as busy during one check.

        Raises:
            Problem: The caller has too many connections; this one is closed.
        """
        if self._slot is None or not self._admission.count_for_caller(
            self._slot, caller
        ):
            self.abort()
            raise ProblemResponse(
                503, "too-many-connections", "too many open connections"
            )
        self.deadline = NEVER
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1


class EnvoyServer(Server):
    """gRPC server on admitted connections.

    Args:
        admission: Decides which connections stay open.
    """

    def __init__(
        self,
        service: Any,
        admission: AdmissionControl,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        super().__init__([service])
        self._admission, self._ticker = admission, DeadlineTimer(loop)

    def build_connection(self) -> EnvoyConnection:
        """Build the protocol object of one connection."""
        made = self._protocol_factory()
        return EnvoyConnection(made, self._admission, self._ticker)
