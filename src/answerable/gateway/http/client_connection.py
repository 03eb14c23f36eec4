"""Serve one client's HTTP connection: parse requests, answer them in order.

A request is answered by its `HttpRequestHandler`; the next one waits for its end. Backpressure stops
reading from the faster side. A client that half-closes the connection is treated as
gone.
"""

import asyncio
from collections.abc import Callable

from answerable.gateway.http.reply_writer import do_nothing
from answerable.gateway.http.request_connection import ImmediateReply
from answerable.gateway.http.request_handler import HttpRequestHandler
from answerable.gateway.http.server import GatewayHttpServer
from answerable.gateway.wire.http_heads import (
    CONTINUE,
    LAST_CHUNK,
    ReplyHeading,
    build_heading,
    encode_chunk,
    write_reply_head,
)
from answerable.gateway.wire.mcp_request_head import McpRequestHead
from answerable.server.connection_info import ConnectionInfo
from answerable.server.http_connection import HttpServerConnection
from answerable.server.wire.connection_deadlines import ConnectionWait
from answerable.server.wire.host_check import ServedNames
from answerable.server.wire.refusals import RefusalReason, RequestRefused
from answerable.server.wire.request_parser import ParsedItem, RequestBody, RequestParser

# One write for a head and a small body costs less than two, and than copying more.
MAX_SINGLE_WRITE = 64 * 1024


class ClientConnection(HttpServerConnection[McpRequestHead]):
    """Protocol of one client connection.

    Args:
        link: Transport facts, where another worker relays the connection.
    """

    def __init__(
        self,
        http_server: GatewayHttpServer,
        served: ServedNames,
        url: str,
        *,
        link: ConnectionInfo | None = None,
    ) -> None:
        known = ConnectionInfo(url=url) if link is None else link
        super().__init__(http_server, served, known, RequestParser(http_server.read))
        self.http_server = http_server
        self._is_relayed = link is not None
        self._turn: HttpRequestHandler | None = None
        self._is_ours = link is not None  # it stays with this worker
        # What another worker would have to read again.
        self._received: list[bytes] | None = None if http_server.peers is None else []
        self._chunked: bool | None = None  # None: the answer is not begun

    def count_refused_peer(self, reason: str) -> None:
        """Count a connection whose peer could not be identified."""
        self.http_server.exchange.recorder.count_refused(reason, None, "", "")

    def find_wait(self) -> ConnectionWait | None:
        """Return what an open request waits for; None between requests."""
        turn = self._turn
        if turn is None:
            return None
        reads = turn.wants_body and not turn.body.is_parked
        return ConnectionWait.BODY if reads else ConnectionWait.ANSWER

    @property
    def is_busy(self) -> bool:
        """Return True while a request of an authenticated caller is answered."""
        return self._turn is not None and self._turn.caller is not None

    def data_received(self, data: bytes) -> None:
        """Parse received bytes; keep those that another worker may have to read."""
        received = self._received
        if received is not None and not self._closes and self._transport is not None:
            received.append(data)
        super().data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Abort the open request of a client that is gone."""
        turn = self._turn
        self._detach_transport()
        if self._slot is not None:
            self._slot.release_places()
        if turn is not None:
            turn.on_client_gone()

    def pause_writing(self) -> None:
        """Stop reading the answer of the server: the client is slower."""
        if self._turn is not None:
            self._turn.pause()

    def resume_writing(self) -> None:
        """Continue reading the answer of the server."""
        if self._turn is not None:
            self._turn.resume()

    def on_deadline(self) -> None:
        """Refuse a request that arrives too slowly, or close an idle connection."""
        turn = self._turn
        is_idle = self._wait in (ConnectionWait.FIRST, ConnectionWait.REQUEST)
        if is_idle or self._transport is None:
            self.abort()
            return
        slow = RequestRefused(RefusalReason.SLOW)
        self._closes = True
        if turn is None:
            self._reply_malformed(slow)
        else:
            turn.fail_body(slow)

    def drain(self) -> None:
        """Finish the open request; end a session stream now."""
        if self._turn is None:
            self._closes = True
            if self._transport is not None:
                self._transport.close()
        elif self._turn.is_open_ended:
            self._turn.on_client_gone()
            self.finish_reply()
        else:
            self._closes = True

    def stop_if_revoked(self) -> None:
        """Stop the open request if a revocation now forbids it."""
        if self._turn is not None:
            self._turn.stop_if_revoked()

    def reply(
        self,
        heading: ReplyHeading,
        body: bytes,
        session: str = "",
        on_sent: Callable[[], None] = do_nothing,
    ) -> None:
        """Send a complete reply; a reply already begun is truncated."""
        if self._chunked is not None:
            self.truncate_reply()
            return
        closes = self._closes_after_reply()
        head = write_reply_head(heading, session, length=len(body), closes=closes)
        try:
            if len(body) <= MAX_SINGLE_WRITE:
                self._write_bytes(head + body)
            else:
                self._write_bytes(head)
                self._write_bytes(body)
        finally:
            on_sent()
        self._finish_request()

    def begin_reply(
        self, heading: ReplyHeading, session: str, length: int | None
    ) -> None:
        """Send status line and fields; the body follows, chunked if length is None."""
        self._chunked = length is None
        closes = self._closes_after_reply()
        self._write_bytes(
            write_reply_head(heading, session, length=length, closes=closes)
        )

    def write_body(self, data: bytes) -> None:
        """Send a piece of the reply's body, chunked if its length is unknown."""
        self._write_bytes(encode_chunk(data) if self._chunked else data)

    def finish_reply(self) -> None:
        """End the HTTP response to the client."""
        if self._chunked:
            self._write_bytes(LAST_CHUNK)
        self._finish_request()

    def truncate_reply(self) -> None:
        """Truncate the reply, so that the client sees that it is incomplete."""
        self.abort()

    def replace_reply(self, reply: ImmediateReply) -> None:
        """Send this reply if none has begun; else end or truncate the begun one."""
        if self._chunked is None:
            self.reply(reply.heading, reply.body)
        elif self._chunked:
            self._closes = True
            self.finish_reply()
        else:
            self.truncate_reply()

    def process_parsed_items(self) -> None:
        """Handle the parsed requests and body pieces in order."""
        if self._advancing:
            return
        self._advancing = True
        arrived = self._arrived
        while arrived and self._transport is not None:
            turn = self._turn
            if turn is None:
                self._start_request(arrived.popleft())
            elif turn.wants_body and not turn.body.is_parked:
                self._pass_body_to_request(turn, arrived.popleft())
            else:
                break
        self._advancing = False
        if self._held or arrived:
            self._pause_or_resume_reading()
        self._set_deadline()

    def _start_request(self, item: ParsedItem[McpRequestHead]) -> None:
        """Start handling a request after its header section was parsed."""
        if isinstance(item, McpRequestHead):
            self._authenticate_request(item)
        else:
            assert isinstance(item, RequestRefused)  # noqa: S101 - a head comes first
            self._closes = True
            self._reply_malformed(item)

    def _pass_body_to_request(
        self, handler: HttpRequestHandler, item: ParsedItem[McpRequestHead]
    ) -> None:
        """Pass received body bytes to the handler of the current request."""
        if isinstance(item, RequestBody):
            handler.receive_body(item.data)
        else:
            assert isinstance(item, RequestRefused)  # noqa: S101 - a body comes first
            self._closes = True
            handler.fail_body(item)

    def _authenticate_request(self, request_head: McpRequestHead) -> None:
        """Authenticate a request by its head, and choose what follows."""
        head = request_head.head
        self._closes = self._closes or head.closes
        turn = self._turn = HttpRequestHandler(self, request_head)
        turn.start()
        if turn.caller is not None:
            self._keep_or_relay(turn, turn.caller.principal)
        if turn.early is not None:
            self._intake.discard_body()
        expects = head.expects and not self._arrived and self._transport is not None
        if turn.is_refused or (expects and turn.early is not None):
            self._reply_without_body(turn)
        elif expects:
            self._write_bytes(CONTINUE)

    def _reply_without_body(self, handler: HttpRequestHandler) -> None:
        """Send a refusal before the request body is read."""
        self._closes = True
        self._arrived.clear()
        handler.receive_body(b"")

    def on_authentication_done(self) -> None:
        """Continue after authentication, whether it succeeded or failed."""
        turn = self._turn
        if turn is not None and turn.caller is not None:
            self._keep_or_relay(turn, turn.caller.principal)
            if turn.is_refused:
                self._reply_without_body(turn)
        self.process_parsed_items()

    def on_body_allowed(self) -> None:
        """Continue reading: the body may arrive now."""
        if self._transport is not None and not self._held:
            self._transport.resume_reading()
        self.process_parsed_items()

    def _keep_or_relay(self, handler: HttpRequestHandler, principal: str) -> None:
        """Keep the connection, or relay it to the worker that owns its caller."""
        slot = self._slot
        if slot is not None and not self.http_server.admission.count_for_caller(
            slot, principal
        ):
            handler.refuse(RefusalReason.TOO_MANY_CONNECTIONS)
            return
        peers = self.http_server.peers
        received, self._received = self._received, None
        if peers is None or peers.owns_principal(principal):
            self._is_ours = True
            handler.reserve_body_memory()
            if handler.body.is_parked and self._transport is not None:
                self._transport.pause_reading()
        elif self._is_ours or received is None:
            # One hop, and one worker for all requests of a connection.
            self._closes = True
            handler.refuse_misdirected()
        else:
            transport = self._detach_transport()
            if transport is not None:
                self._slot, data = None, b"".join(received)
                peers.relay_to_owner(
                    transport, principal, self.link, self.served, data, slot
                )

    def _detach_transport(self) -> asyncio.Transport | None:
        """Detach the transport, and forget the connection."""
        self._turn = None
        return self._forget_transport()

    def _reply_malformed(self, refusal: RequestRefused) -> None:
        """Reply to bytes that are not a valid HTTP request."""
        self.http_server.exchange.recorder.count_refused(
            refusal.why.value, None, "", ""
        )
        self.reply(build_heading(refusal.wire.status, {}), b"")

    def _finish_request(self) -> None:
        """Release the answered request; process the next one, or close."""
        turn, self._turn = self._turn, None
        self._chunked = None
        if turn is not None:
            turn.close()
        if self._closes_after_reply():
            self._closes = True
            if self._transport is not None:
                self._transport.close()
        elif self._arrived or self._held:
            self.process_parsed_items()
        else:
            self._set_deadline()

    def _closes_after_reply(self) -> bool:
        """Return whether to close after this reply: asked for, or draining."""
        # The received bytes begin with an answered request without a caller: the
        # connection cannot be relayed any more.
        return self._closes or self.http_server.draining or self._received is not None

    def _write_bytes(self, data: bytes) -> None:
        """Write bytes, if the client is still connected."""
        if self._transport is not None:
            self._transport.write(data)
