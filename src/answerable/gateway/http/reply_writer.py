"""Interface to write the reply to one request."""

from collections.abc import Callable
from typing import Protocol

from answerable.gateway.wire.http_heads import ReplyHeading


def do_nothing() -> None:
    """Do nothing: the default callback after a reply is sent."""


class ReplyWriter(Protocol):
    """Writer of one reply: complete, or a head, pieces and an end."""

    def reply(
        self,
        heading: ReplyHeading,
        body: bytes,
        session: str = "",
        on_sent: Callable[[], None] = do_nothing,
    ) -> None:
        """Send a complete reply.

        Args:
            heading: Its status and fields.
            body: Its body.
            session: Session id for the client, empty without one.
            on_sent: Called once it is sent, before the next request.
        """

    def begin_reply(
        self, heading: ReplyHeading, session: str, length: int | None
    ) -> None:
        """Send status line and fields; the body follows, chunked if length is None."""

    def write_body(self, data: bytes) -> None:
        """Send a part of the response body to the client."""

    def finish_reply(self) -> None:
        """End the HTTP response to the client."""

    def truncate_reply(self) -> None:
        """Truncate the reply, so that the client sees that it is incomplete."""
