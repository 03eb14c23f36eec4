"""Writer of the reply to one request."""

from collections.abc import Callable
from typing import Protocol

from answerable.gateway.wire.http_heads import Heading


def nothing() -> None:
    """Do nothing."""


class Outlet(Protocol):
    """Writer of one reply: complete, or a head, pieces and an end."""

    def answer(
        self,
        heading: Heading,
        body: bytes,
        session: str = "",
        then: Callable[[], None] = nothing,
    ) -> None:
        """Send a complete reply.

        Args:
            heading: Its status and fields.
            body: Its body.
            session: Session id for the client, empty without one.
            then: Called once it is sent, before the next request.
        """

    def begin(self, heading: Heading, session: str, length: int | None) -> None:
        """Send the head; pieces follow, chunked where the length is None."""

    def write(self, data: bytes) -> None:
        """Send a piece of the body."""

    def done(self) -> None:
        """End the reply."""

    def cut(self) -> None:
        """Truncate the reply, so that the client sees that it is incomplete."""
