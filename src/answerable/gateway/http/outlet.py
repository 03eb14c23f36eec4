"""Where the answer to one request goes: the connection of its client."""

from collections.abc import Callable
from typing import Protocol

from answerable.gateway.wire.heads import Heading


def nothing() -> None:
    """Do nothing."""


class Outlet(Protocol):
    """Takes one answer: whole, or a head, pieces and an end."""

    def answer(
        self,
        heading: Heading,
        body: bytes,
        session: str = "",
        then: Callable[[], None] = nothing,
    ) -> None:
        """Give a whole answer.

        Args:
            heading: Its status and fields.
            body: Its body.
            session: The session id that the client is to use, empty without one.
            then: What is left to do of it: once it is given, and before any other.
        """

    def begin(self, heading: Heading, session: str, length: int | None) -> None:
        """Give the head; pieces follow, in chunks where the length is None."""

    def write(self, data: bytes) -> None:
        """Give a piece."""

    def done(self) -> None:
        """It is whole."""

    def cut(self) -> None:
        """It never will be, and the client must see that."""
