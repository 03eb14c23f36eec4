"""The client's connection as one request sees it, and answers that need no server."""

from typing import Protocol

import msgspec

from answerable.gateway.http.door import Door
from answerable.gateway.http.outlet import Outlet
from answerable.gateway.wire.heads import Heading
from answerable.serving.link import Link
from answerable.serving.wire.place import Served


class Early(msgspec.Struct, frozen=True):
    """An answer that needs no server.

    Attributes:
        heading: Its status and fields.
        body: Its body.
    """

    heading: Heading
    body: bytes = b""


class Line(Outlet, Protocol):
    """The client's connection, as one turn sees it."""

    door: Door
    served: Served
    link: Link

    def identified(self) -> None:
        """The turn knows at last who is calling, or that nobody is known to."""

    def unparked(self) -> None:
        """The body of the turn may come now."""

    def abort(self) -> None:
        """Close at once."""

    def revoke(self, early: Early) -> None:
        """Give this instead of an answer that is not begun; end or cut another."""
