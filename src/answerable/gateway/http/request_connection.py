"""Interface of the client connection to one request; replies that need no server."""

from typing import Protocol

import msgspec

from answerable.gateway.http.reply_writer import ReplyWriter
from answerable.gateway.http.server import GatewayHttpServer
from answerable.gateway.in_flight_call import DeniedCall
from answerable.gateway.wire.http_heads import (
    ReplyHeading,
    build_heading,
    build_json_heading,
)
from answerable.server.authentication.errors import Unauthenticated
from answerable.server.connection_info import ConnectionInfo
from answerable.server.mcp.call import McpCall
from answerable.server.mcp.messages import MessageKind
from answerable.server.mcp.methods import McpRevision
from answerable.server.wire.host_check import ServedNames
from answerable.server.wire.refusals import RefusalReason, RequestRefused

ACCEPTED = 202
DENIED = 200  # the TypeScript SDK loses the error of a 403, in every revision
FORBIDDEN = 403


class ImmediateReply(msgspec.Struct, frozen=True):
    """Reply that needs no server.

    Attributes:
        heading: Its status and fields.
    """

    heading: ReplyHeading
    body: bytes = b""


class RequestConnection(ReplyWriter, Protocol):
    """Client connection, as one request sees it."""

    http_server: GatewayHttpServer
    served: ServedNames
    link: ConnectionInfo

    def on_authentication_done(self) -> None:
        """Continue after authentication, whether it succeeded or failed."""

    def on_body_allowed(self) -> None:
        """Continue reading: the body may arrive now."""

    def abort(self) -> None:
        """Close the connection immediately, without flushing."""

    def replace_reply(self, reply: ImmediateReply) -> None:
        """Send this reply if none has begun; else end or truncate the begun one."""


def build_challenge_reply(error: Unauthenticated) -> ImmediateReply:
    """Build the reply that refuses an unauthenticated caller."""
    fields = {"www-authenticate": error.challenge, "dpop-nonce": error.nonce}
    said = {name: value for name, value in fields.items() if value}
    return ImmediateReply(build_heading(error.status, said))


def build_refusal_reply(refusal: RequestRefused, version: str) -> ImmediateReply:
    """Build the reply that refuses a malformed request.

    Args:
        refusal: The refusal.
        version: Protocol revision that the head names; empty without one.
    """
    body = refusal.jsonrpc_error(version)
    status = refusal.http_status(has_session=version != McpRevision.V2026_07_28)
    heading = build_json_heading(status) if body else build_heading(status, {})
    return ImmediateReply(heading, body)


def build_denial_reply(call: McpCall, denied: DeniedCall) -> ImmediateReply:
    """Build the reply to a call that a decision denied."""
    if denied.quiet:
        return ImmediateReply(build_heading(ACCEPTED, {}))
    status = DENIED if call.kind is MessageKind.REQUEST else FORBIDDEN
    if denied.is_unknown_task:
        unknown = RequestRefused(RefusalReason.UNKNOWN_TASK, id=call.id)
        status = unknown.http_status(has_session=not call.era.is_modern)
    return ImmediateReply(build_json_heading(status), denied.jsonrpc_error(call.id))
