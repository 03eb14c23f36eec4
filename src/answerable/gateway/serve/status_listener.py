"""HTTP listener for health, readiness and metrics: one GET per connection, then closed.

It uses the request parser of the gateway: the answers are small, public to every client
that may connect, and polled every few seconds.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import cast

import msgspec

from answerable.gateway.wire.http_heads import heading, reply_head
from answerable.server.admission import AdmissionControl, Slot, address_of
from answerable.server.wire.host_check import Served, check_place
from answerable.server.wire.refusals import Refused
from answerable.server.wire.request_head import Head, read_head
from answerable.server.wire.request_parser import Intake

PATIENCE = 10  # seconds for one request and its answer
TEXT = "text/plain; version=0.0.4; charset=utf-8"
JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Page:
    """HTTP answer."""

    status: int
    kind: str
    body: bytes


Pages = Mapping[str, Callable[[], Awaitable[Page]]]


def json_page(status: int, content: object) -> Page:
    """Build an answer in JSON."""
    return Page(status, JSON, msgspec.json.encode(content) + b"\n")


class Api(asyncio.Protocol):
    """One connection of the status listener.

    Args:
        pages: Path -> function that builds its answer.
        served: Accepted values of Host; requests from web pages are refused.
        admission: Quotas for the connections of this listener alone.
    """

    def __init__(
        self, pages: Pages, served: Served, admission: AdmissionControl
    ) -> None:
        self._pages, self._served, self._admission = pages, served, admission
        self._slot: Slot | None = None
        self._intake = Intake(read_head)
        self._transport: asyncio.Transport | None = None
        self._answering: asyncio.Task[None] | None = None
        self._late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Admit the client and start its timeout for the first byte."""
        transport = cast(asyncio.Transport, transport)
        self._slot = self._admission.admit(self, address_of(transport))
        if self._slot is None:
            transport.abort()
            return
        self._transport = transport
        self._wait(self._admission.limits.first_request)

    @property
    def is_busy(self) -> bool:
        """True while a request is being answered."""
        return self._answering is not None

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    def _wait(self, seconds: float) -> None:
        if self._late is not None:
            self._late.cancel()
        self._late = asyncio.get_running_loop().call_later(seconds, self.abort)

    def data_received(self, data: bytes) -> None:
        """Answer the first request; later ones are ignored."""
        if self._answering is not None or self._transport is None:
            return
        if self._intake.is_between:
            self._wait(PATIENCE)
        arrived = self._intake.feed(data)
        if not arrived:
            return
        first = arrived[0]
        if isinstance(first, Head):
            self._answering = asyncio.create_task(self._answer(first))
        elif isinstance(first, Refused):
            self._give(Page(first.wire.status, TEXT, b""))

    def connection_lost(self, exc: Exception | None) -> None:
        """Release the connection's slot."""
        if self._late is not None:
            self._late.cancel()
        if self._slot is not None:
            self._slot.release()
        self._transport = None
        if self._answering is not None:
            self._answering.cancel()

    async def _answer(self, head: Head) -> None:
        try:
            check_place(head, self._served)
        except Refused as refused:
            self._give(Page(refused.wire.status, TEXT, b""))
            return
        page = self._pages.get(head.target)
        if page is None:
            self._give(Page(404, TEXT, b""))
        elif head.method != "GET":
            self._give(Page(405, TEXT, b""))
        else:
            self._give(await page())

    def _give(self, page: Page) -> None:
        if self._transport is not None:
            fields = {"content-type": page.kind, "cache-control": "no-store"}
            length = len(page.body)
            said = heading(page.status, fields)
            head = reply_head(said, length=length, closes=True)
            self._transport.write(head + page.body)
            self._transport.close()
