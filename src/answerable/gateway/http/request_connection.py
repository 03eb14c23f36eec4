"""Client connection as one request sees it, and replies that need no server."""

from typing import Protocol

import msgspec

from answerable.gateway.http.reply_writer import Outlet
from answerable.gateway.http.server import Door
from answerable.gateway.wire.http_heads import Heading
from answerable.server.connection_info import Link
from answerable.server.wire.host_check import Served


class Early(msgspec.Struct, frozen=True):
    """Reply that needs no server.

    Attributes:
        heading: Its status and fields.
    """

    heading: Heading
    body: bytes = b""


class Line(Outlet, Protocol):
    """Client connection, as one request sees it."""

    door: Door
    served: Served
    link: Link

    def identified(self) -> None:
        """Continue after the caller is authenticated, or is not."""

    def unparked(self) -> None:
        """Continue reading: the body may arrive now."""

    def abort(self) -> None:
        """Close at once."""

    def revoke(self, early: Early) -> None:
        """Replace a reply that has not begun; end or truncate another one."""
