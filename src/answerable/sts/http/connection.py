"""Connection of a client to the token service: its requests are answered in order.

While one request is answered, at most the next one is read. If the client disconnects,
the current request is still finished and recorded.
"""

import asyncio
import socket

from answerable.server.connection_info import ConnectionInfo
from answerable.server.http_connection import HttpServerConnection
from answerable.server.wire.connection_deadlines import ConnectionWait
from answerable.server.wire.host_check import ServedNames, check_host_and_origin
from answerable.server.wire.refusals import RefusalReason, RequestRefused
from answerable.server.wire.request_head import HttpRequestHead, parse_head
from answerable.server.wire.request_parser import ParsedItem, RequestBody, RequestParser
from answerable.server.wire.response_head import encode_response
from answerable.sts.http.responses import (
    CONTINUE_LINE,
    StsResponse,
    empty_response,
)
from answerable.sts.http.server import StsHttpServer
from answerable.sts.http.tls_terminator import build_request

MAX_BODY = 64 * 1024  # bytes: two tokens of 16 KiB, escaped


class StsConnection(HttpServerConnection[HttpRequestHead]):
    """Server side of one connection to the token service.

    Args:
        served: Host names of the listener.
        url: Public scheme and authority of the listener.
    """

    def __init__(
        self, http_server: StsHttpServer, served: ServedNames, url: str
    ) -> None:
        intake = RequestParser(parse_head, MAX_BODY)
        super().__init__(http_server, served, ConnectionInfo(url=url), intake)
        self._http_server = http_server
        self._socket: socket.socket | None = None
        self._head: HttpRequestHead | None = None  # whose body is still to come
        self._answering = self._posted = False

    @property
    def is_busy(self) -> bool:
        """Return whether a request is being answered."""
        return self._answering

    def count_refused_peer(self, reason: str) -> None:
        """Count a connection whose peer could not be identified."""
        self._http_server.count_refused(reason)

    def find_wait(self) -> ConnectionWait | None:
        """Return what an open request waits for; None between requests."""
        if self._answering:
            return ConnectionWait.ANSWER
        return None if self._head is None else ConnectionWait.BODY

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the socket of a local process, which attests each request."""
        super().connection_made(transport)
        if self._transport is not None and self.link.peer is not None:
            self._socket = transport.get_extra_info("socket")

    def connection_lost(self, exc: Exception | None) -> None:
        """Release the slot of a closed connection."""
        self._socket = None
        self._forget_transport()
        if self._slot is not None:
            self._slot.release_places()

    def on_deadline(self) -> None:
        """Close a connection that is too slow in its present state."""
        if self._head is None and self._intake.is_between_requests:
            self.abort()
        else:
            self._reject_request(RequestRefused(RefusalReason.SLOW))

    def drain(self) -> None:
        """Finish the current request, then close."""
        self._closes = True
        if not self._answering and self._transport is not None:
            self._transport.close()

    def send_answer(self, answer: StsResponse) -> None:
        """Send the response to the current request of the token service."""
        self._answering = False
        transport = self._transport
        if transport is None:
            return
        closes = (
            self._closes
            or self._http_server.draining
            or self._exceeds_address_quota(answer)
        )
        transport.write(
            encode_response(answer.status, answer.fields, answer.body, closes=closes)
        )
        if closes:
            self._closes = True
            transport.close()
        else:
            self.process_parsed_items()

    def _exceeds_address_quota(self, answer: StsResponse) -> bool:
        """Count an address after its first token; return whether it is over its quota."""
        slot = self._slot
        if slot is None or slot.caller or not self._posted or answer.status != 200:
            return False
        return not self._http_server.admission.count_for_caller(slot, slot.address)

    # Requests.

    def process_parsed_items(self) -> None:
        """Process the parsed heads and bodies until a request has to be answered."""
        if self._advancing:
            return
        self._advancing = True
        while self._arrived and not self._answering and self._transport is not None:
            self._process_item(self._arrived.popleft())
        self._advancing = False
        self._pause_or_resume_reading()
        self._set_deadline()

    def _process_item(self, item: ParsedItem[HttpRequestHead]) -> None:
        """Process one parsed head or body; reject an invalid request."""
        try:
            if isinstance(item, RequestRefused):
                raise item
            if isinstance(item, RequestBody):
                self._dispatch_request(item.data)
            else:
                self._begin_request(item)
        except RequestRefused as refused:
            self._reject_request(refused)

    def _begin_request(self, head: HttpRequestHead) -> None:
        """Check the head of a request; send 100 Continue if it waits for that."""
        check_host_and_origin(head, self.served)
        self._head = head
        self._closes = self._closes or head.closes
        if head.expects and not self._arrived and self._transport is not None:
            self._transport.write(CONTINUE_LINE)

    def _dispatch_request(self, body: bytes) -> None:
        """Pass a complete request to its handler."""
        head, self._head = self._head, None
        if head is None:
            return
        asked = build_request(
            head, body, self.link, self._socket, self._http_server.terminator
        )
        self._answering = True
        self._posted = head.method == "POST"
        self._http_server.dispatch(asked, self)

    def _reject_request(self, refusal: RequestRefused) -> None:
        """Answer an invalid request and stop reading."""
        self._closes = True
        self._arrived.clear()
        self._head = None
        self._http_server.count_refused(refusal.why.value)
        self.send_answer(empty_response(refusal.wire.status))
