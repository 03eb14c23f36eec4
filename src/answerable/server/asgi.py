"""Serve HTTP connections with uvicorn, with transport facts, admission, deadlines."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, cast

from starlette.requests import Request
from starlette.responses import Response
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import (
    HttpToolsProtocol,
    RequestResponseCycle,
)
from uvicorn.server import ServerState

from answerable.server.admission import (
    AdmissionControl,
    ConnectionSlot,
    get_quota_address,
)
from answerable.server.connection_info_reader import read_connection_info
from answerable.server.deadline_timer import NEVER, DeadlineTimer
from answerable.server.listeners import Listeners
from answerable.server.listening_sockets import BoundListener
from answerable.server.processes.pidfd_process import ProcessGone
from answerable.server.status_listener import StatusPage
from answerable.server.wire.host_check import ServedNames, check_host_and_origin
from answerable.server.wire.request_head import HttpRequestHead

MAX_HEAD = 64 * 1024  # bytes of a request's head that are waited for


class AsgiConnection(HttpToolsProtocol):
    """HTTP protocol that adds the transport facts to each request.

    `scope["state"]` has `link` and `served`, and nothing of the request itself. The
    application may store the authenticated `caller` there.

    Args:
        state: Shared state of uvicorn's connections.
        ticker: Timer of the connections' deadlines.
        served: Accepted values of Host and Origin.
        url: URL of the listener.

    Attributes:
        deadline: Time at which the connection is closed.
    """

    def __init__(
        self,
        config: Config,
        state: ServerState,
        *,
        admission: AdmissionControl,
        ticker: DeadlineTimer,
        served: ServedNames,
        url: str,
    ) -> None:
        super().__init__(config, state, {})
        self.deadline = NEVER
        self._admission, self._ticker = admission, ticker
        self._slot: ConnectionSlot | None = None
        self._served, self._url = served, url
        self._head_is_here, self._came = True, 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Read the transport facts, and admit the connection."""
        stream = cast(asyncio.Transport, transport)
        super().connection_made(stream)
        try:
            link = read_connection_info(stream, self._url)
        except ProcessGone:
            stream.abort()
            return
        if link.peer is None:
            self._slot = self._admission.admit(self, get_quota_address(stream))
        else:
            self._slot = self._admission.admit_unix_socket(self, link.peer.uid)
        if self._slot is None:
            stream.abort()
            return
        self.app_state = {"link": link, "served": self._served}
        self._set_deadline(self._admission.limits.first_request)
        self._ticker.add(self)

    @property
    def is_busy(self) -> bool:
        """True while a request is being answered."""
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.response_complete

    def abort(self) -> None:
        """Close the HTTP connection at once."""
        self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Release the slot of a connection that is gone."""
        self._ticker.discard(self)
        if self._slot is not None:
            self._slot.release_places()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse bytes; close a connection whose head does not end."""
        self._came += len(data)
        super().data_received(data)
        if not self._head_is_here and self._came > MAX_HEAD:
            self.transport.abort()

    def on_message_begin(self) -> None:
        """Start the deadline for the head of a request."""
        self._head_is_here, self._came = False, 0
        self._set_deadline(self._admission.limits.head)
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Start the deadline for the body."""
        self._head_is_here = True
        self._set_deadline(self._admission.limits.body)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Stop the deadline: the request is complete."""
        self.deadline = NEVER
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Start the idle deadline after a response."""
        self._count_for_caller()
        super().on_response_complete()
        self._set_deadline(self._admission.limits.idle)

    def _count_for_caller(self) -> None:
        """Count the connection for its caller; close it above the quota."""
        caller = self.scope["state"].get("caller", "")
        if not caller or self._slot is None or self.transport.is_closing():
            return
        if not self._admission.count_for_caller(self._slot, caller):
            self.transport.close()

    def on_deadline(self) -> None:
        """Close a connection after its deadline."""
        self.abort()

    def _set_deadline(self, seconds: int) -> None:
        """Set when this connection is closed if its state lasts: seconds from now."""
        self.deadline = self.loop.time() + seconds


class AsgiServer:
    """All connections of one ASGI application.

    Args:
        listeners: Listeners of the process.
    """

    def __init__(
        self,
        app: Any,
        admission: AdmissionControl,
        listeners: Listeners,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._admission, self._listeners = admission, listeners
        idle = admission.limits.idle
        self._config, self._state = build_uvicorn_config(app, idle), ServerState()
        self._ticker = DeadlineTimer(loop)

    def __len__(self) -> int:
        """Return the number of open connections."""
        return len(self._state.connections)

    @property
    def is_busy(self) -> bool:
        """True while a request is being answered."""
        return bool(self._state.tasks)

    async def listen(self, name: str, bound_listener: BoundListener) -> None:
        """Accept connections at one more listener.

        Args:
            name: Name of the listener, for the process that starts us.
            bound_listener: The listener.
        """
        given = bound_listener.socket_for_worker(0)
        served = given.served_names
        connection = partial(
            AsgiConnection,
            self._config,
            self._state,
            admission=self._admission,
            ticker=self._ticker,
            served=served,
            url=given.url,
        )
        await self._listeners.open_listener(
            name, bound_listener, connection, "http/1.1"
        )

    def drain(self) -> None:
        """Close each connection when its request is answered."""
        for each in list(self._state.connections):
            each.shutdown()

    def cancel(self) -> None:
        """Cancel the handlers of all open requests."""
        for task in self._state.tasks:
            task.cancel()


def build_uvicorn_config(app: Any, idle_seconds: int) -> Config:
    """Build the configuration of uvicorn as a plain HTTP parser and writer."""
    config = Config(
        app,
        http=AsgiConnection,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=idle_seconds,
    )
    config.load()
    # Its log lines would contain text of clients.
    logging.getLogger("uvicorn.error").disabled = True
    return config


def check_request_host(request: Request) -> None:
    """Check Host and Origin of a request against the names of its listener.

    Raises:
        RequestRefused: The listener does not serve that name or origin.
    """
    fields = {name: request.headers.get(name) for name in ("host", "origin")}
    head = HttpRequestHead(
        request.method,
        request.scope["path"],
        {"host": "", **{k: v for k, v in fields.items() if v is not None}},
        0,
        expects=False,
        closes=False,
    )
    check_host_and_origin(head, request.scope["state"]["served"])


def build_page_endpoint(
    build_page: Callable[[], Awaitable[StatusPage]],
) -> Callable[[object], Awaitable[Response]]:
    """Build the endpoint of a page of health, readiness or metrics."""

    async def serve_page(_: object) -> Response:
        page = await build_page()
        return Response(page.body, page.status, page.header_fields)

    return serve_page
