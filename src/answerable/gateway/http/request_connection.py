"""Client connection as one request sees it, and replies that need no server."""

from typing import Protocol

import msgspec

from answerable.gateway.http.reply_writer import ReplyWriter
from answerable.gateway.http.server import GatewayHttpServer
from answerable.gateway.wire.http_heads import ReplyHeading
from answerable.server.connection_info import ConnectionInfo
from answerable.server.wire.host_check import ServedNames


class ImmediateReply(msgspec.Struct, frozen=True):
    """Reply that needs no server.

    Attributes:
        heading: Its status and fields.
    """

    heading: ReplyHeading
    body: bytes = b""


class RequestConnection(ReplyWriter, Protocol):
    """Client connection, as one request sees it."""

    door: GatewayHttpServer
    served: ServedNames
    link: ConnectionInfo

    def on_identified(self) -> None:
        """Continue after the caller is authenticated, or is not."""

    def on_body_allowed(self) -> None:
        """Continue reading: the body may arrive now."""

    def abort(self) -> None:
        """Close at once."""

    def replace_reply(self, early: ImmediateReply) -> None:
        """Replace a reply that has not begun; end or truncate another one."""
