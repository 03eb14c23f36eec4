"""Connection pool of one upstream server.

A call has a connection to itself until its answer is complete. A server may close an
idle connection at the moment it is used again; only a call without side effects is then
repeated, over a new one. A tool is never called twice for one call.
"""

import asyncio
import contextlib
from collections.abc import Mapping
from functools import partial
from typing import cast

from answerable.gateway.http.upstream_endpoint import Endpoint, endpoint
from answerable.gateway.server_identity import (
    Met,
    MetAt,
    anybody,
    key_identity,
    nowhere,
)
from answerable.gateway.upstream import Sending, Sent, Sink
from answerable.gateway.wire.http_heads import request_head
from answerable.gateway.wire.list_filter import FILTERED
from answerable.gateway.wire.upstream_replies import (
    CHUNKED,
    End,
    Replied,
    Reply,
    ReplyIntake,
    whole_reply,
)
from answerable.model.config import Server
from answerable.model.worker_limits import Limits
from answerable.server.deadline_timer import NEVER, Ticker
from answerable.server.mcp.messages import Kind
from answerable.server.wire.refusals import Refused, Why

METHODS = {Kind.OPEN: "GET", Kind.CLOSE: "DELETE"}
READS = FILTERED | {"completion/complete", "ping", "prompts/get", "resources/read"}
# Servers close what is idle for 5 s (uvicorn, Node); a call on such a one is lost.
MAX_IDLE = 4.0
# One write for a head and a small body costs less than two, and than copying more.
JOINED = 64 * 1024


class Pool:
    """Upstream server over HTTP.

    Args:
        endpoint: Endpoint of the server.
        ticker: Timer of the connections' deadlines.
        loop: Event loop of the worker.
        met: Called with the identity of the server; tells whether it is unchanged.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        limits: Limits,
        ticker: Ticker,
        loop: asyncio.AbstractEventLoop,
        met: Met = anybody,
    ) -> None:
        self.endpoint = endpoint
        self.limits = limits
        self.ticker = ticker
        self.loop = loop
        self._met = met
        self._idle: list[_Connection] = []
        self._connecting: set[asyncio.Task[None]] = set()

    def send(self, sent: Sent, sink: Sink) -> Sending:
        """Send one message, over an idle connection if there is one."""
        carried = _Carried(self, sent, sink)
        if self._idle:
            self._idle.pop().carry(carried)
        else:
            self.connect(carried)
        return carried

    def connect(self, carried: "_Carried") -> None:
        """Send a message over a new connection."""
        task = self.loop.create_task(self._connect(carried))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    def keep(self, connection: "_Connection") -> None:
        """Keep an idle connection for another call."""
        connection.deadline = self.loop.time() + MAX_IDLE
        self._idle.append(connection)

    def forget(self, connection: "_Connection") -> None:
        """Remove a connection from the idle ones."""
        with contextlib.suppress(ValueError):
            self._idle.remove(connection)

    def close(self) -> None:
        """Close the idle connections."""
        for connection in self._idle[:]:
            connection.close()

    async def _connect(self, carried: "_Carried") -> None:
        where = self.endpoint
        try:
            async with asyncio.timeout(self.limits.connect):
                transport, connection = await self.loop.create_connection(
                    lambda: _Connection(self), where.host, where.port, ssl=where.tls
                )
        except (OSError, TimeoutError):
            carried.lost(Why.UNREACHABLE, forwarded=False)
            return
        if not carried.done and not self._is_known(transport, carried):
            connection.close()
            carried.lost(Why.UNREACHABLE, forwarded=False)
        elif carried.done:
            self.keep(connection)
        else:
            connection.carry(carried)

    def _is_known(self, transport: asyncio.Transport, carried: "_Carried") -> bool:
        """Tell whether a message may go to the server behind a connection."""
        tls = transport.get_extra_info("ssl_object")
        identity = self.endpoint.url if tls is None else key_identity(tls)
        return self._met(identity) or carried.sink.may_go_on()


class _Carried:
    """Message under way over a pooled connection; its transfer handle."""

    __slots__ = ("connection", "done", "paused", "pool", "sent", "sink")

    def __init__(self, pool: Pool, sent: Sent, sink: Sink) -> None:
        self.pool = pool
        self.sent = sent
        self.sink = sink
        self.done = False
        self.connection: _Connection | None = None
        self.paused = False

    @property
    def may_repeat(self) -> bool:
        """True for a message without side effects, which may be sent twice."""
        call = self.sent.call
        return call.kind is Kind.REQUEST and call.method in READS

    def head(self) -> bytes:
        """Build the head of the request."""
        sent, where = self.sent, self.pool.endpoint
        onward = sent.onward + sent.shown.field if sent.shown else sent.onward
        return request_head(
            METHODS.get(sent.call.kind, "POST"),
            where.target,
            where.authority,
            onward,
            sent.session,
            len(sent.body),
        )

    def abort(self) -> None:
        if not self.done:
            self.done = True
            if self.connection is not None:
                self.connection.abort()

    def pause(self) -> None:
        self.paused = True
        if self.connection is not None:
            self.connection.pause()

    def resume(self) -> None:
        self.paused = False
        if self.connection is not None:
            self.connection.resume()

    def carried_by(self, connection: "_Connection") -> None:
        """Attach the connection, paused where the answer has to wait."""
        self.connection = connection
        if self.paused:
            connection.pause()

    def lost(self, why: Why, *, forwarded: bool) -> None:
        """Report that no answer will come."""
        if not self.done:
            self.done = True
            self.sink.on_lost(why, forwarded=forwarded)


class _Connection(asyncio.Protocol):
    """One connection to a server."""

    def __init__(self, pool: Pool) -> None:
        self.deadline = NEVER
        self._pool = pool
        self._transport: asyncio.Transport | None = None
        self._carried: _Carried | None = None
        self._reply: ReplyIntake | None = None  # of a reply that does not come at once
        self._closes = False
        self._used = False  # it carried a message before this one
        self._heard = False  # something came back for this one

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._pool.ticker.add(self)

    def carry(self, carried: _Carried) -> None:
        """Send a message, and read its answer."""
        self._carried = carried
        self._reply = None
        self._heard = False
        self._closes = False
        self.deadline = self._pool.loop.time() + self._pool.limits.first_byte
        head, body = carried.head(), carried.sent.body
        assert self._transport is not None  # noqa: S101 - it is made by now
        if len(body) <= JOINED:
            self._transport.write(head + body)
        else:
            self._transport.writelines((head, body))
        carried.carried_by(self)

    def data_received(self, data: bytes) -> None:
        carried = self._carried
        if carried is None:
            # An unsolicited answer would be mistaken for the next one's.
            self.abort()
            return
        self._heard = True
        self.deadline = NEVER
        try:
            whole = whole_reply(data) if self._reply is None else None
            if whole is not None:
                self._tell_all(carried, *whole)
                return
            self._reply = self._reply or ReplyIntake()
            found = self._reply.feed(data)
        except Refused as refused:
            self._give_up(refused.why)
            return
        self._tell(carried, found)

    def connection_lost(self, exc: Exception | None) -> None:
        self._pool.ticker.discard(self)
        self._pool.forget(self)
        self._transport = None
        carried = self._carried
        if carried is None:
            return
        if self._used and not self._heard and carried.may_repeat and not carried.done:
            self._carried = None
            self._pool.connect(carried)
            return
        try:
            if exc is not None:
                raise Refused(Why.LOST)
            self._tell(carried, (self._reply or ReplyIntake()).close())
        except Refused:
            self._give_up(Why.LOST)

    def late(self) -> None:
        """Close an idle connection, or fail a call whose answer does not begin."""
        self.deadline = NEVER
        if self._carried is None:
            self.close()
        else:
            self._give_up(Why.LATE)

    def close(self) -> None:
        """Close in order."""
        self._pool.forget(self)
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close at once, so that the server stops its work."""
        self._carried = None
        if self._transport is not None:
            self._transport.abort()

    def pause(self) -> None:
        """Stop reading."""
        if self._transport is not None:
            self._transport.pause_reading()

    def resume(self) -> None:
        """Continue reading."""
        if self._transport is not None:
            self._transport.resume_reading()

    def _tell_all(self, carried: _Carried, reply: Reply, body: bytes) -> None:
        """Pass a reply that arrived at once to the sink."""
        sink = carried.sink
        self._closes = reply.closes
        sink.on_head(reply.returned, reply.length)
        if body and not carried.done:
            sink.on_data(body)
        if not carried.done:
            self._finish(carried)
            sink.on_end()

    def _tell(self, carried: _Carried, found: list[Replied]) -> None:
        """Pass parts of a reply to the sink, which may abort meanwhile."""
        sink = carried.sink
        for each in found:
            if carried.done:
                return
            if isinstance(each, Reply):
                self._closes = each.closes
                sink.on_head(each.returned, _length(each))
            elif each is End.END:
                self._finish(carried)
                sink.on_end()
            else:
                sink.on_data(each)

    def _finish(self, carried: _Carried) -> None:
        """Return the connection to the pool where that is safe."""
        carried.done = True
        carried.connection = None
        self._carried = None
        self._used = True
        transport = self._transport
        if transport is None:
            return
        # A server that answers before it has read the call leaves its rest unread.
        if self._closes or transport.get_write_buffer_size():
            transport.close()
        else:
            if carried.paused:
                transport.resume_reading()
            self._pool.keep(self)

    def _give_up(self, why: Why) -> None:
        carried = self._carried
        self.abort()
        if carried is not None:
            carried.lost(why, forwarded=True)


def _length(reply: Reply) -> int | None:
    return reply.length if reply.length > CHUNKED else None


def pools(
    servers: tuple[Server, ...], limits: Limits, ticker: Ticker, met: MetAt = nowhere
) -> Mapping[str, Pool]:
    """Build the pools of all servers that are reached by URL.

    Args:
        servers: Servers.
        limits: Timeouts.
        ticker: Timer of the connections' deadlines.
        met: Called with server and identity; tells whether it is unchanged.

    Raises:
        OSError: A certificate or key cannot be read.
    """
    loop = asyncio.get_running_loop()
    return {
        server.name: Pool(
            endpoint(server), limits, ticker, loop, partial(met, server.name)
        )
        for server in servers
        if server.url
    }
