"""Serve health, readiness and metrics over HTTP: one GET per connection.

The answers are small, public to every client that may connect, and polled every few
seconds.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import cast

import msgspec

from answerable.server.admission import (
    AdmissionControl,
    ConnectionSlot,
    get_quota_address,
)
from answerable.server.wire.host_check import ServedNames, check_host_and_origin
from answerable.server.wire.refusals import RequestRefused
from answerable.server.wire.request_head import HttpRequestHead, parse_head
from answerable.server.wire.request_parser import RequestParser
from answerable.server.wire.response_head import encode_response

REQUEST_TIMEOUT = 10  # seconds for one request and its answer
TEXT_TYPE = "text/plain; charset=utf-8"
JSON_TYPE = "application/json"


@dataclass(frozen=True, slots=True)
class StatusPage:
    """HTTP answer, which is never cached."""

    status: int
    kind: str
    body: bytes

    @property
    def header_fields(self) -> dict[str, str]:
        """Header fields, except the length."""
        return {"content-type": self.kind, "cache-control": "no-store"}


StatusPages = Mapping[str, Callable[[], Awaitable[StatusPage]]]


def json_page(status: int, content: object) -> StatusPage:
    """Build an answer in JSON."""
    return StatusPage(status, JSON_TYPE, msgspec.json.encode(content) + b"\n")


class StatusConnection(asyncio.Protocol):
    """One connection of the status listener.

    Args:
        pages: Path -> function that builds its answer.
        served: Accepted values of Host; requests from web pages are refused.
        admission: Quotas for the connections of this listener alone.
    """

    def __init__(
        self, pages: StatusPages, served: ServedNames, admission: AdmissionControl
    ) -> None:
        self._pages, self._served, self._admission = pages, served, admission
        self._slot: ConnectionSlot | None = None
        self._intake = RequestParser(parse_head)
        self._transport: asyncio.Transport | None = None
        self._answering: asyncio.Task[None] | None = None
        self._late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Admit the client and start its timeout for the first byte."""
        transport = cast(asyncio.Transport, transport)
        self._slot = self._admission.admit(self, get_quota_address(transport))
        if self._slot is None:
            transport.abort()
            return
        self._transport = transport
        self._restart_timer(self._admission.limits.first_request)

    @property
    def is_busy(self) -> bool:
        """True while a request is being answered."""
        return self._answering is not None

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    def _restart_timer(self, seconds: float) -> None:
        """Restart the timeout after which the connection is closed."""
        if self._late is not None:
            self._late.cancel()
        self._late = asyncio.get_running_loop().call_later(seconds, self.abort)

    def data_received(self, data: bytes) -> None:
        """Answer the first request; later ones are ignored."""
        if self._answering is not None or self._transport is None:
            return
        if self._intake.is_between_requests:
            self._restart_timer(REQUEST_TIMEOUT)
        arrived = self._intake.feed(data)
        if not arrived:
            return
        first = arrived[0]
        if isinstance(first, HttpRequestHead):
            self._answering = asyncio.create_task(self._answer_request(first))
        elif isinstance(first, RequestRefused):
            self._send_page(StatusPage(first.wire.status, TEXT_TYPE, b""))

    def connection_lost(self, exc: Exception | None) -> None:
        """Release the connection's slot."""
        if self._late is not None:
            self._late.cancel()
        if self._slot is not None:
            self._slot.release_places()
        self._transport = None
        if self._answering is not None:
            self._answering.cancel()

    async def _answer_request(self, head: HttpRequestHead) -> None:
        """Answer a GET with its status page (`/healthz`...), or 404 or 405."""
        try:
            check_host_and_origin(head, self._served)
        except RequestRefused as refused:
            self._send_page(StatusPage(refused.wire.status, TEXT_TYPE, b""))
            return
        page = self._pages.get(head.target)
        if page is None:
            self._send_page(StatusPage(404, TEXT_TYPE, b""))
        elif head.method != "GET":
            self._send_page(StatusPage(405, TEXT_TYPE, b""))
        else:
            self._send_page(await page())

    def _send_page(self, page: StatusPage) -> None:
        """Send a page, and close the connection."""
        if self._transport is not None:
            reply = encode_response(
                page.status, page.header_fields, page.body, closes=True
            )
            self._transport.write(reply)
            self._transport.close()
