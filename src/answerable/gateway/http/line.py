"""Client connection as one request sees it, and replies that need no server."""

from typing import Protocol

import msgspec

from answerable.gateway.http.door import Door
from answerable.gateway.http.outlet import Outlet
from answerable.gateway.wire.heads import Heading
from answerable.serving.link import Link
from answerable.serving.wire.place import Served


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
