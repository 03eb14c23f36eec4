"""What stands behind the gateway, however it is reached.

A door hands a call to an `Upstream` and is told what comes back through a `Sink`, in
the words of HTTP: a head, pieces of a body, an end. A server that is reached by command
says the same: one message as JSON, several as events.
"""

from typing import Protocol

import msgspec

from answerable.gateway.shown.credential import Credential
from answerable.gateway.wire.heads import Returned
from answerable.serving.mcp.call import Call
from answerable.serving.wire.refusals import Why


class Sent(msgspec.Struct, frozen=True, gc=False):
    """One message on its way to a server.

    Attributes:
        call: As it was read.
        body: The bytes that came, empty for a stream and for the end of a session.
        onward: Fields of the client's head that go on, spelled.
        session: The server's own session id, empty without one.
        principal: Whose it is; a server by command has a process for each.
        shown: What the server is shown, None where that is nothing.
    """

    call: Call
    body: bytes
    onward: bytes = b""
    session: str = ""
    principal: str = ""
    shown: Credential | None = None


class Sink(Protocol):
    """Who is told what a server answers: a head, its body, then one end."""

    def may_go_on(self) -> bool:
        """Say whether the call is still sent, where its server has become another."""

    def on_head(self, returned: Returned, length: int | None) -> None:
        """The answer begins; its length where one was said."""

    def on_data(self, data: bytes) -> None:
        """A piece of its body."""

    def on_end(self) -> None:
        """It is whole."""

    def on_lost(self, why: Why, *, forwarded: bool) -> None:
        """It will not come, or not whole.

        Args:
            why: What was wrong.
            forwarded: The server may have read the call.
        """


class Sending(Protocol):
    """A call under way. Once its sink has its end, none of these does anything."""

    def abort(self) -> None:
        """Give it up; the sink hears nothing more."""

    def pause(self) -> None:
        """Take no more of the answer for now."""

    def resume(self) -> None:
        """Take more of it again."""


class Upstream(Protocol):
    """One server."""

    def send(self, sent: Sent, sink: Sink) -> Sending:
        """Send one message; the sink is called later, never before this returns."""
