"""Handle one message of a stdio client: decide, record, send, and answer.

As over HTTP it is decided, recorded, and sent; the answer goes through a `ResponseRelay`, which
judges it, and is written as lines here.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

import msgspec

from answerable.gateway.call_pipeline import CallPipeline
from answerable.gateway.http.reply_writer import ReplyWriter, do_nothing
from answerable.gateway.http.response_relay import ResponseRelay
from answerable.gateway.in_flight_call import DeniedCall, InFlightCall
from answerable.gateway.stdio.upstream_process import MAX_LINE
from answerable.gateway.upstream import Upstream, UpstreamRequest, UpstreamTransfer
from answerable.gateway.upstream_credentials.credential import PresentedCredential
from answerable.gateway.upstream_credentials.provider import CredentialProvider
from answerable.gateway.wire.event_stream import SseEvent, SseParser
from answerable.gateway.wire.http_heads import ReplyHeading
from answerable.gateway.wire.server_messages import parse_server_message
from answerable.model.caller import VerifiedCaller
from answerable.model.spool_record import CallOutcome
from answerable.server.background_tasks import BackgroundTasks
from answerable.server.client_network import LOCAL
from answerable.server.mcp.messages import MessageKind, to_one_line
from answerable.server.mcp.request_metadata import EVENT_STREAM, JSON
from answerable.server.wire.refusals import RefusalReason, RequestRefused


class MessageClient(Protocol):
    """Client, as the handler of one message sees it."""

    exchange: CallPipeline
    upstream: Upstream
    caller: VerifiedCaller
    given: PresentedCredential | None
    paused: bool
    tasks: BackgroundTasks

    def write_message(self, message: bytes) -> None:
        """Write one JSON-RPC message to the client."""

    def store_session_id(self, session: str) -> None:
        """Store the session id of the server."""

    def on_message_sent(self, handler: "StdioRequestHandler") -> None:
        """Note that a delayed message was sent."""

    def on_message_finished(self, handler: "StdioRequestHandler") -> None:
        """Drop the state of a client message that is answered."""


class StdioRequestHandler(ReplyWriter):
    """Handler of one message, and writer of its answer.

    Attributes:
        waits: It is not sent yet: its record or its credential is missing.
        last: Last message that the client got for it.
    """

    def __init__(self, client: MessageClient, sent: UpstreamRequest) -> None:
        self.sent = sent
        self.waits = False
        self.last = b""
        self._client = client
        self._relay: ResponseRelay | None = None
        self._sending: UpstreamTransfer | None = None
        self._events: SseParser | None = None
        self._parts: list[bytes] = []
        self._size = 0
        self._cancelled = False
        self._quiet = False  # nothing more is said

    def start(self) -> None:
        """Decide, record, and send the message, once its credential is there."""
        client, call = self._client, self.sent.call
        shown, credentials = client.given, client.exchange.credentials
        if (
            shown is None
            and credentials is not None
            and credentials.needs_credential(call.server)
        ):
            shown = credentials.find_credential(client.caller, call.server, "")
            if shown is None and client.exchange.would_allow(client.caller, call):
                self.waits = True
                work = self._fetch_credential(credentials)
                client.tasks.spawn(work, self._give_up)
                return
        self._decide_and_send(shown)

    async def _fetch_credential(self, credentials: CredentialProvider) -> None:
        """Fetch the credential for the server, then send; without it, deny."""
        client, call = self._client, self.sent.call
        await credentials.fetch_credential(client.caller, call.server, "")
        if self._quiet:
            return
        self.waits = False
        self._decide_and_send(
            credentials.find_credential(client.caller, call.server, "")
        )
        if self._sending is not None:
            client.on_message_sent(self)

    def _give_up(self) -> None:
        """Answer with an error: the message could not be sent."""
        if self.sent.call.kind is MessageKind.REQUEST:
            self._write_message(self._encode_refusal_error(RefusalReason.UNREACHABLE))
        self.abandon()

    def _decide_and_send(self, credential: PresentedCredential | None) -> None:
        """Decide and record the message; send it, or answer with the denial."""
        exchange = self._client.exchange
        self.sent = msgspec.structs.replace(self.sent, shown=credential)
        begun = exchange.authorize(
            self._client.caller, self.sent.call, self.sent.body, credential, LOCAL
        )
        if isinstance(begun, DeniedCall):
            self._reply_denied(begun)
            return
        try:
            self._send_when_recorded(begun)
        finally:
            exchange.write_deferred()

    def _send_when_recorded(self, in_flight: InFlightCall) -> None:
        """Send an allowed message, at once or when its record is on disk."""
        exchange = self._client.exchange
        relay = ResponseRelay(
            exchange, in_flight, self.sent, self, _keep_session_id, self._abort_upstream
        )
        self._relay = relay
        if in_flight.ticket.durable is None:
            self._send_upstream(relay)
        else:
            self.waits = True
            in_flight.ticket.durable.add_done_callback(self._send_after_recording)

    def pause(self) -> None:
        """Stop reading the answer: the client is slower than the server."""
        if self._sending is not None:
            self._sending.pause()

    def resume(self) -> None:
        """Continue reading the answer."""
        if self._sending is not None:
            self._sending.resume()

    def stop_if_revoked(self) -> None:
        """Stop the call if a revocation forbids it, and answer with the denial."""
        relay, exchange = self._relay, self._client.exchange
        if relay is None or self._quiet or exchange.may_continue(relay.passage):
            return
        self.abandon()
        again = exchange.authorize(
            self._client.caller, self.sent.call, self.sent.body, None, LOCAL
        )
        exchange.write_deferred()
        if isinstance(again, DeniedCall) and self.sent.call.kind is MessageKind.REQUEST:
            self._client.write_message(again.jsonrpc_error(self.sent.call.id))

    def abandon(self) -> None:
        """Abandon the message: no client waits for it."""
        if self._quiet:
            return
        relay, forwarded = self._relay, self._sending is not None
        self._abort_upstream()
        if relay is not None:
            relay.end(CallOutcome.UNKNOWN if forwarded else CallOutcome.WITHHELD)
        self._close_message()

    def on_cancelled(self) -> None:
        """Record that the client has cancelled the request."""
        self._cancelled = True
        if self.waits:
            self.abandon()

    def reply(
        self,
        heading: ReplyHeading,
        body: bytes,
        session: str = "",
        on_sent: Callable[[], None] = do_nothing,
    ) -> None:
        """Write a complete answer; one that is no message becomes an error."""
        if session:
            self._client.store_session_id(session)
        if self.sent.call.kind is MessageKind.REQUEST:
            is_message = body and heading.fields.get("content-type", "").startswith(
                JSON
            )
            self._write_message(
                body
                if is_message
                else self._encode_refusal_error(RefusalReason.REPLY_TYPE)
            )
        on_sent()
        self._close_message()

    def begin_reply(
        self, heading: ReplyHeading, session: str, length: int | None
    ) -> None:
        """Begin an answer: events, or one message in pieces."""
        if session:
            self._client.store_session_id(session)
        if heading.fields.get("content-type", "").startswith(EVENT_STREAM):
            self._events = SseParser()

    def write_body(self, data: bytes) -> None:
        """Receive a piece: write events at once, other messages when complete."""
        if self._events is not None:
            for event in self._events.feed(data):
                if isinstance(event, SseEvent) and event.data:
                    self._write_message(event.data)
            return
        self._parts.append(data)
        self._size += len(data)
        if self._size > MAX_LINE:
            self._parts = []
            self._write_message(
                self._encode_refusal_error(RefusalReason.EVENT_TOO_LARGE)
            )
            self.abandon()

    def finish_reply(self) -> None:
        """Finish the answer."""
        if self._events is None:
            self._write_message(b"".join(self._parts))
        elif not self._is_answered:
            self._write_message(self._encode_refusal_error(RefusalReason.LOST))
        self._close_message()

    def truncate_reply(self) -> None:
        """Answer with an error: no part of an incomplete message was written."""
        if self.sent.call.kind is MessageKind.REQUEST:
            self._write_message(self._encode_refusal_error(RefusalReason.LOST))
        self._close_message()

    @property
    def _is_answered(self) -> bool:
        """True where no answer is expected, or the last message is one."""
        if self._cancelled or self.sent.call.kind is not MessageKind.REQUEST:
            return True
        return (
            bool(self.last)
            and parse_server_message(self.last).kind is MessageKind.RESPONSE
        )

    def _send_after_recording(self, durable: asyncio.Future[None]) -> None:
        """Send the message when its record is on disk; deny it when writing failed."""
        self.waits = False
        relay = self._relay
        if relay is None or self._quiet:
            return
        if durable.cancelled() or durable.exception() is not None:
            self._reply_denied(self._client.exchange.deny_unrecorded(relay.passage))
        else:
            self._send_upstream(relay)
            self._client.on_message_sent(self)

    def _send_upstream(self, relay: ResponseRelay) -> None:
        """Send the message to the server."""
        self._sending = self._client.upstream.send(self.sent, relay)
        self._client.exchange.definitions.fetch_stale_list(self.sent)
        if self._client.paused:
            self._sending.pause()

    def _reply_denied(self, denied: DeniedCall) -> None:
        """Answer a denied request with its error, and close the message."""
        if self.sent.call.kind is MessageKind.REQUEST:
            self._write_message(denied.jsonrpc_error(self.sent.call.id))
        self._close_message()

    def _encode_refusal_error(self, reason: RefusalReason) -> bytes:
        """Build the JSON-RPC error for a refusal."""
        call = self.sent.call
        return (
            RequestRefused(reason).with_request_id(call.id, call.method).jsonrpc_error()
        )

    def _write_message(self, message: bytes) -> None:
        """Write one message to the client, unless it is abandoned."""
        if not self._quiet:
            self.last = message
            self._client.write_message(to_one_line(message))

    def _abort_upstream(self) -> None:
        """Abort the transfer to the server, if there is one."""
        if self._sending is not None:
            self._sending.abort()

    def _close_message(self) -> None:
        """Release the message, and report it as finished."""
        if not self._quiet:
            self._quiet = True
            # They refer to this handler: a cycle would wait for garbage collection.
            self._relay = self._sending = None
            self._client.on_message_finished(self)


def _keep_session_id(session: str, server: str, principal: str) -> str:
    """Keep the session id: there is only one client."""
    return session
