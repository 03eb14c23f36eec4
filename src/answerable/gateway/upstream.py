"""Interfaces to upstream servers, reached over HTTP or started by command.

A transport passes a call to an `Upstream` and gets the answer through a `ResponseSink`, in HTTP
terms: a head, pieces of a body, an end. A server by command does the same: one message
as JSON, several as events.
"""

from typing import Protocol

import msgspec

from answerable.gateway.upstream_credentials.credential import PresentedCredential
from answerable.gateway.wire.http_heads import UpstreamHead
from answerable.server.mcp.call import McpCall
from answerable.server.wire.refusals import RefusalReason


class UpstreamRequest(msgspec.Struct, frozen=True, gc=False):
    """Message on its way to a server.

    Attributes:
        body: Its bytes; empty for a stream and for the end of a session.
        onward: Fields of the client's head that are forwarded, encoded.
        session: The server's own session id, empty without one.
        principal: Principal of the caller; a server by command has a process for each.
        shown: Credential for the server; None where it gets none.
    """

    call: McpCall
    body: bytes
    onward: bytes = b""
    session: str = ""
    principal: str = ""
    shown: PresentedCredential | None = None


class ResponseSink(Protocol):
    """Receiver of one answer: a head, its body, then one end."""

    def may_send_again(self) -> bool:
        """Return whether to send although the server's identity has changed."""

    def on_head(self, head: UpstreamHead, length: int | None) -> None:
        """Receive the head, and the length of the body if it is known."""

    def on_data(self, data: bytes) -> None:
        """Receive a piece of the body."""

    def on_end(self) -> None:
        """Receive the end of a complete answer."""

    def on_lost(self, reason: RefusalReason, *, forwarded: bool) -> None:
        """Receive a failure: the answer will not come, or not completely.

        Args:
            reason: Reason of the failure.
            forwarded: The server may have read the call.
        """


class UpstreamTransfer(Protocol):
    """Handle of a call under way; after its end no method has an effect."""

    def abort(self) -> None:
        """Abort the call; its sink gets nothing more."""

    def pause(self) -> None:
        """Stop reading the answer for now."""

    def resume(self) -> None:
        """Continue reading the answer."""


class Upstream(Protocol):
    """One upstream server."""

    def send(self, request: UpstreamRequest, sink: ResponseSink) -> UpstreamTransfer:
        """Send one message; its sink is called later, never before this returns."""
