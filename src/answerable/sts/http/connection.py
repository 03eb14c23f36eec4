"""Handle one client connection: parse its requests, and answer them in order.

While one request is answered, at most the next one is read. If the client disconnects,
the current request is still finished and recorded.
"""

import asyncio
import socket
from collections import deque
from typing import cast

from answerable.server.admission import ConnectionSlot, quota_address
from answerable.server.connection_info import ConnectionInfo
from answerable.server.connection_info_reader import read_connection_info
from answerable.server.deadline_timer import NEVER
from answerable.server.processes.pidfd_process import ProcessGone
from answerable.server.wire.connection_deadlines import ConnectionWait, compute_deadline
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


class StsConnection(asyncio.Protocol):
    """Server side of one HTTP/1.1 connection.

    Args:
        served: Host names of the listener.
        url: Public scheme and authority of the listener.

    Attributes:
        deadline: Loop time of the current timeout.
    """

    def __init__(
        self, http_server: StsHttpServer, served: ServedNames, url: str
    ) -> None:
        self.deadline = NEVER
        self._http_server, self._served = http_server, served
        self._link = ConnectionInfo(url=url)
        self._socket: socket.socket | None = None
        self._transport: asyncio.Transport | None = None
        self._slot: ConnectionSlot | None = None
        self._is_new = True  # nothing was received
        self._intake = RequestParser(parse_head, MAX_BODY)
        self._arrived: deque[ParsedItem[HttpRequestHead]] = deque()
        self._head: HttpRequestHead | None = None  # whose body is still to come
        self._answering = self._advancing = self._posted = False
        self._wait = ConnectionWait.ANSWER
        self._held = False  # the client sent ahead, and is not read from
        self._closes = False  # after the present answer

    @property
    def is_busy(self) -> bool:
        """Tell whether a request is being answered."""
        return self._answering

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Read the transport facts about the peer, and claim a connection slot."""
        transport = cast(asyncio.Transport, transport)
        http_server = self._http_server
        try:
            self._link = read_connection_info(transport, self._link.url)
        except ProcessGone as gone:
            http_server.count_refused(gone.reason)
            transport.abort()
            return
        if http_server.draining or not self._claim_slot(transport):
            transport.abort()
            return
        if self._link.peer is not None:
            self._socket = transport.get_extra_info("socket")
        self._transport = transport
        http_server.connections.add(self)
        http_server.ticker.add(self)
        self._set_deadline()

    def _claim_slot(self, transport: asyncio.Transport) -> bool:
        """Claim a slot in the connection quotas; False if they are full."""
        admission, peer = self._http_server.admission, self._link.peer
        if peer is None:
            self._slot = admission.admit(self, quota_address(transport))
        else:
            self._slot = admission.admit_unix_socket(self, peer.uid)
        return self._slot is not None

    def data_received(self, data: bytes) -> None:
        """Parse received bytes into requests."""
        if self._transport is None or self._closes:
            return
        self._is_new = False
        self._arrived.extend(self._intake.feed(data))
        self._process_parsed_items()

    def eof_received(self) -> bool:
        """Handle the end of the client's input: let the transport close."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Release the slot of a closed connection."""
        self._transport = self._socket = None
        self._http_server.connections.discard(self)
        self._http_server.ticker.discard(self)
        if self._slot is not None:
            self._slot.release_places()
        self._arrived.clear()

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

    def abort(self) -> None:
        """Close the client's connection at once."""
        if self._transport is not None:
            self._transport.abort()

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
            self._process_parsed_items()

    def _exceeds_address_quota(self, answer: StsResponse) -> bool:
        """Count an address after its first token; return whether it is over its quota."""
        slot = self._slot
        if slot is None or slot.caller or not self._posted or answer.status != 200:
            return False
        return not self._http_server.admission.count_for_caller(slot, slot.address)

    # Requests.

    def _process_parsed_items(self) -> None:
        """Process the parsed heads and bodies until a request has to be answered."""
        if self._advancing:
            return
        self._advancing = True
        while self._arrived and not self._answering and self._transport is not None:
            self._process_item(self._arrived.popleft())
        self._advancing = False
        self._apply_backpressure()
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
        check_host_and_origin(head, self._served)
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
            head, body, self._link, self._socket, self._http_server.terminator
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

    def _apply_backpressure(self) -> None:
        """Pause reading from the socket while parsed items wait."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if self._held is not bool(self._arrived):
            self._held = bool(self._arrived)
            if self._held:
                transport.pause_reading()
            else:
                transport.resume_reading()

    def _set_deadline(self) -> None:
        """Set the deadline for the current state, once for each state."""
        if self._answering:
            wait = ConnectionWait.ANSWER
        elif self._head is not None:
            wait = ConnectionWait.BODY
        elif not self._intake.is_between_requests:
            wait = ConnectionWait.HEAD
        else:
            wait = ConnectionWait.FIRST if self._is_new else ConnectionWait.REQUEST
        if wait is self._wait:
            return
        self._wait = wait
        self.deadline = compute_deadline(
            wait, self._http_server.loop.time(), self._http_server.limits
        )
