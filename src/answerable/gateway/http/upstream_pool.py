"""Pool the HTTP connections to one upstream server, and send messages over them.

A call has a connection to itself until its answer is complete. A server may close an
idle connection at the moment it is used again; only a call without side effects is then
repeated, over a new one. A tool is never called twice for one call.
"""

import asyncio
import contextlib
from collections.abc import Mapping
from functools import partial
from typing import cast

from answerable.gateway.http.upstream_endpoint import UpstreamEndpoint, parse_endpoint
from answerable.gateway.server_identity import (
    IdentityCheck,
    ServerIdentityCheck,
    accept_any_identity,
    accept_any_server,
    tls_key_identity,
)
from answerable.gateway.upstream import ResponseSink, UpstreamRequest, UpstreamTransfer
from answerable.gateway.wire.http_heads import write_request_head
from answerable.gateway.wire.list_filter import FILTERED_METHODS
from answerable.gateway.wire.upstream_replies import (
    CHUNKED,
    ReplyEnd,
    ReplyParser,
    ReplyPart,
    UpstreamReply,
    parse_whole_reply,
)
from answerable.model.config import UpstreamServer
from answerable.model.worker_limits import WorkerLimits
from answerable.server.deadline_timer import NEVER, DeadlineTimer
from answerable.server.mcp.messages import MessageKind
from answerable.server.wire.refusals import RefusalReason, RequestRefused

HTTP_METHODS = {MessageKind.OPEN: "GET", MessageKind.CLOSE: "DELETE"}
REPEATABLE_METHODS = FILTERED_METHODS | {
    "completion/complete",
    "ping",
    "prompts/get",
    "resources/read",
}
# Servers close what is idle for 5 s (uvicorn, Node); a call on such a one is lost.
MAX_IDLE = 4.0
# One write for a head and a small body costs less than two, and than copying more.
MAX_SINGLE_WRITE = 64 * 1024


class UpstreamPool:
    """Upstream server over HTTP.

    Args:
        endpoint: Endpoint of the server.
        ticker: Timer of the connections' deadlines.
        loop: Event loop of the worker.
        met: Called with the identity of the server; tells whether it is unchanged.
    """

    def __init__(
        self,
        endpoint: UpstreamEndpoint,
        limits: WorkerLimits,
        ticker: DeadlineTimer,
        loop: asyncio.AbstractEventLoop,
        met: IdentityCheck = accept_any_identity,
    ) -> None:
        self.endpoint = endpoint
        self.limits = limits
        self.ticker = ticker
        self.loop = loop
        self._met = met
        self._idle: list[_UpstreamConnection] = []
        self._connecting: set[asyncio.Task[None]] = set()

    def send(self, request: UpstreamRequest, sink: ResponseSink) -> UpstreamTransfer:
        """Send one message, over an idle connection if there is one."""
        carried = _PooledRequest(self, request, sink)
        if self._idle:
            self._idle.pop().send(carried)
        else:
            self.connect(carried)
        return carried

    def connect(self, request: "_PooledRequest") -> None:
        """Send a message over a new connection."""
        task = self.loop.create_task(self._open_connection(request))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    def add_idle(self, connection: "_UpstreamConnection") -> None:
        """Keep an idle connection for another call."""
        connection.deadline = self.loop.time() + MAX_IDLE
        self._idle.append(connection)

    def remove_idle(self, connection: "_UpstreamConnection") -> None:
        """Remove a connection from the idle ones."""
        with contextlib.suppress(ValueError):
            self._idle.remove(connection)

    def close(self) -> None:
        """Close the idle connections."""
        for connection in self._idle[:]:
            connection.close()

    async def _open_connection(self, request: "_PooledRequest") -> None:
        """Open a connection, check the server's identity, and send."""
        where = self.endpoint
        try:
            async with asyncio.timeout(self.limits.connect):
                transport, connection = await self.loop.create_connection(
                    lambda: _UpstreamConnection(self),
                    where.host,
                    where.port,
                    ssl=where.tls,
                )
        except (OSError, TimeoutError):
            request.fail(RefusalReason.UNREACHABLE, forwarded=False)
            return
        if not request.done and not self._may_send_to_server(transport, request):
            connection.close()
            request.fail(RefusalReason.UNREACHABLE, forwarded=False)
        elif request.done:
            self.add_idle(connection)
        else:
            connection.send(request)

    def _may_send_to_server(
        self, transport: asyncio.Transport, request: "_PooledRequest"
    ) -> bool:
        """Return whether a message may go to the server behind a connection."""
        tls = transport.get_extra_info("ssl_object")
        identity = self.endpoint.url if tls is None else tls_key_identity(tls)
        return self._met(identity) or request.sink.may_send_again()


class _PooledRequest:
    """Message under way over a pooled connection; its transfer handle."""

    __slots__ = ("connection", "done", "paused", "pool", "sent", "sink")

    def __init__(
        self, pool: UpstreamPool, sent: UpstreamRequest, sink: ResponseSink
    ) -> None:
        self.pool = pool
        self.sent = sent
        self.sink = sink
        self.done = False
        self.connection: _UpstreamConnection | None = None
        self.paused = False

    @property
    def is_repeatable(self) -> bool:
        """True for a message without side effects, which may be sent twice."""
        call = self.sent.call
        return call.kind is MessageKind.REQUEST and call.method in REPEATABLE_METHODS

    def build_head(self) -> bytes:
        """Build the HTTP head of a request to an upstream server."""
        sent, where = self.sent, self.pool.endpoint
        onward = sent.onward + sent.shown.field if sent.shown else sent.onward
        return write_request_head(
            HTTP_METHODS.get(sent.call.kind, "POST"),
            where.target,
            where.authority,
            onward,
            sent.session,
            len(sent.body),
        )

    def abort(self) -> None:
        """Abort the request and its connection."""
        if not self.done:
            self.done = True
            if self.connection is not None:
                self.connection.abort()

    def pause(self) -> None:
        """Stop reading the answer."""
        self.paused = True
        if self.connection is not None:
            self.connection.pause()

    def resume(self) -> None:
        """Continue reading the answer."""
        self.paused = False
        if self.connection is not None:
            self.connection.resume()

    def attach_connection(self, connection: "_UpstreamConnection") -> None:
        """Attach the connection that carries the request; pause it if necessary."""
        self.connection = connection
        if self.paused:
            connection.pause()

    def fail(self, reason: RefusalReason, *, forwarded: bool) -> None:
        """Report that no answer will come."""
        if not self.done:
            self.done = True
            self.sink.on_lost(reason, forwarded=forwarded)


class _UpstreamConnection(asyncio.Protocol):
    """One connection to a server."""

    def __init__(self, pool: UpstreamPool) -> None:
        self.deadline = NEVER
        self._pool = pool
        self._transport: asyncio.Transport | None = None
        self._carried: _PooledRequest | None = None
        self._reply: ReplyParser | None = None  # of a reply that does not come at once
        self._closes = False
        self._used = False  # it carried a message before this one
        self._heard = False  # something came back for this one

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport of the new connection."""
        self._transport = cast(asyncio.Transport, transport)
        self._pool.ticker.add(self)

    def send(self, request: _PooledRequest) -> None:
        """Send a message, and read its answer."""
        self._carried = request
        self._reply = None
        self._heard = False
        self._closes = False
        self.deadline = self._pool.loop.time() + self._pool.limits.first_byte
        head, body = request.build_head(), request.sent.body
        assert self._transport is not None  # noqa: S101 - it is made by now
        if len(body) <= MAX_SINGLE_WRITE:
            self._transport.write(head + body)
        else:
            self._transport.writelines((head, body))
        request.attach_connection(self)

    def data_received(self, data: bytes) -> None:
        """Parse reply bytes, and pass them to the sink of the request."""
        carried = self._carried
        if carried is None:
            # An unsolicited answer would be mistaken for the next one's.
            self.abort()
            return
        self._heard = True
        self.deadline = NEVER
        try:
            whole = parse_whole_reply(data) if self._reply is None else None
            if whole is not None:
                self._deliver_whole_reply(carried, *whole)
                return
            self._reply = self._reply or ReplyParser()
            found = self._reply.feed(data)
        except RequestRefused as refused:
            self._fail_request(refused.why)
            return
        self._deliver_parts(carried, found)

    def connection_lost(self, exc: Exception | None) -> None:
        """Resend a repeatable request, or end the reply or fail it."""
        self._pool.ticker.discard(self)
        self._pool.remove_idle(self)
        self._transport = None
        carried = self._carried
        if carried is None:
            return
        if (
            self._used
            and not self._heard
            and carried.is_repeatable
            and not carried.done
        ):
            self._carried = None
            self._pool.connect(carried)
            return
        try:
            if exc is not None:
                raise RequestRefused(RefusalReason.LOST)
            self._deliver_parts(carried, (self._reply or ReplyParser()).on_close())
        except RequestRefused:
            self._fail_request(RefusalReason.LOST)

    def on_deadline(self) -> None:
        """Close an idle connection, or fail a call whose answer does not begin."""
        self.deadline = NEVER
        if self._carried is None:
            self.close()
        else:
            self._fail_request(RefusalReason.LATE)

    def close(self) -> None:
        """Close the connection after its buffered data is sent."""
        self._pool.remove_idle(self)
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close at once, so that the server stops its work."""
        self._carried = None
        if self._transport is not None:
            self._transport.abort()

    def pause(self) -> None:
        """Stop reading from the server while the client is slower."""
        if self._transport is not None:
            self._transport.pause_reading()

    def resume(self) -> None:
        """Continue reading from the server after a pause."""
        if self._transport is not None:
            self._transport.resume_reading()

    def _deliver_whole_reply(
        self, request: _PooledRequest, reply: UpstreamReply, body: bytes
    ) -> None:
        """Pass a reply that arrived at once to the sink."""
        sink = request.sink
        self._closes = reply.closes
        sink.on_head(reply.returned, reply.length)
        if body and not request.done:
            sink.on_data(body)
        if not request.done:
            self._return_to_pool(request)
            sink.on_end()

    def _deliver_parts(self, request: _PooledRequest, parts: list[ReplyPart]) -> None:
        """Pass parts of a reply to the sink, which may abort meanwhile."""
        sink = request.sink
        for each in parts:
            if request.done:
                return
            if isinstance(each, UpstreamReply):
                self._closes = each.closes
                sink.on_head(each.returned, _reply_body_length(each))
            elif each is ReplyEnd.END:
                self._return_to_pool(request)
                sink.on_end()
            else:
                sink.on_data(each)

    def _return_to_pool(self, request: _PooledRequest) -> None:
        """Return the connection to the pool, or close it if it cannot be reused."""
        request.done = True
        request.connection = None
        self._carried = None
        self._used = True
        transport = self._transport
        if transport is None:
            return
        # A server that answers before it has read the call leaves its rest unread.
        if self._closes or transport.get_write_buffer_size():
            transport.close()
        else:
            if request.paused:
                transport.resume_reading()
            self._pool.add_idle(self)

    def _fail_request(self, reason: RefusalReason) -> None:
        """Close the connection, and fail its request."""
        carried = self._carried
        self.abort()
        if carried is not None:
            carried.fail(reason, forwarded=True)


def _reply_body_length(reply: UpstreamReply) -> int | None:
    """Return the length of a reply's body; None if it is unknown."""
    return reply.length if reply.length > CHUNKED else None


def build_upstream_pools(
    servers: tuple[UpstreamServer, ...],
    limits: WorkerLimits,
    ticker: DeadlineTimer,
    check_identity: ServerIdentityCheck = accept_any_server,
) -> Mapping[str, UpstreamPool]:
    """Build the pools of all servers that are reached by URL.

    Args:
        servers: Servers.
        limits: Timeouts.
        ticker: Timer of the connections' deadlines.
        check_identity: Called with server and identity; tells whether it is unchanged.

    Raises:
        OSError: A certificate or key cannot be read.
    """
    loop = asyncio.get_running_loop()
    return {
        server.name: UpstreamPool(
            parse_endpoint(server),
            limits,
            ticker,
            loop,
            partial(check_identity, server.name),
        )
        for server in servers
        if server.url
    }
