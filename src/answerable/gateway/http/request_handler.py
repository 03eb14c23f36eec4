"""Handle one HTTP request: authenticate, decide, record, and send it upstream."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from functools import partial

from answerable.gateway.http.body_turn import BodyTurn
from answerable.gateway.http.fair_queue import QueuedCall
from answerable.gateway.http.request_connection import (
    ImmediateReply,
    RequestConnection,
    build_challenge_reply,
    build_denial_reply,
    build_refusal_reply,
)
from answerable.gateway.http.response_relay import ResponseRelay
from answerable.gateway.in_flight_call import DeniedCall, InFlightCall
from answerable.gateway.upstream import UpstreamRequest, UpstreamTransfer
from answerable.gateway.upstream_credentials.credential import PresentedCredential
from answerable.gateway.upstream_credentials.provider import CredentialProvider
from answerable.gateway.wire.http_heads import build_heading, build_json_heading
from answerable.gateway.wire.mcp_request_head import McpRequestHead, parse_request
from answerable.model.caller import VerifiedCaller
from answerable.model.spool_record import CallOutcome
from answerable.server.authentication.errors import IssuerKeysNeeded, Unauthenticated
from answerable.server.large_body_parser import MIN_SIZE
from answerable.server.mcp.call import McpCall
from answerable.server.mcp.messages import MessageKind
from answerable.server.mcp.request_metadata import VERSION_HEADER
from answerable.server.mcp.server_target_path import find_server_name
from answerable.server.wire.host_check import check_host_and_origin
from answerable.server.wire.refusals import RefusalReason, RequestRefused

OK, UNAVAILABLE = 200, 503
LISTEN = "subscriptions/listen"


class HttpRequestHandler:
    """Handler of one HTTP request.

    Attributes:
        early: Reply that the head alone determined; the body is dropped.
        body: Memory and turn of the body.
        is_refused: The reply is sent without the body, and the connection closes.
    """

    __slots__ = (
        "_expiry",
        "_head",
        "_line",
        "_opening",
        "_over",
        "_paused",
        "_relay",
        "_sending",
        "_server",
        "body",
        "caller",
        "early",
        "is_refused",
        "wants_body",
    )

    def __init__(self, line: RequestConnection, opening: McpRequestHead) -> None:
        self.wants_body = self.is_refused = False
        self.body = BodyTurn(line.http_server, line.on_body_allowed)
        self.early: ImmediateReply | None = None
        self._line, self._server = line, line.http_server
        self._opening, self._head = opening, opening.head
        self.caller: VerifiedCaller | None = None
        self._relay: ResponseRelay | None = None  # its call was let through
        self._sending: UpstreamTransfer | None = None
        self._expiry: asyncio.TimerHandle | None = None  # of a stream
        self._over = self._paused = False

    def start(self) -> None:
        """Authenticate the caller by the head, or determine the reply."""
        head = self._head
        try:
            check_host_and_origin(head, self._line.served)
            if self._opening.described:
                self.early = self._resource_metadata_reply(self._opening.described)
            else:
                self._identify_caller()
        except RequestRefused as refused:
            self.early = self._refusal_reply(refused)
        except IssuerKeysNeeded as needed:
            self._start_background_task(self._fetch_issuer_keys(needed.issuer))
            return
        self.wants_body = True

    def refuse_misdirected(self) -> None:
        """Reply that another worker has to serve the caller, over a new connection."""
        self.early = self._refusal_reply(RequestRefused(RefusalReason.MISDIRECTED))

    def refuse(self, reason: RefusalReason) -> None:
        """Refuse the request before its body arrives."""
        self.early = self._refusal_reply(RequestRefused(reason))
        self.is_refused = True

    def reserve_body_memory(self) -> None:
        """Reserve memory for a large body; wait if the caller's quota is used up."""
        if self.early is None and self.caller is not None:
            self.body.reserve(self.caller.principal, self._head.length)

    def receive_body(self, data: bytes) -> None:
        """Receive the body; handle the call now, or when it is the caller's turn."""
        self.wants_body = False
        if self.early is None and self.caller is not None:
            principal = self.caller.principal
            if self.body.must_wait(principal, len(data)):
                work = partial(self._handle_call, data)
                work = partial(self._run_or_abort, work)
                self.body.wait(principal, len(data), work)
                return
        self._handle_call(data)

    def _handle_call(self, data: bytes) -> None:
        """Handle the call now; a large body is parsed in another process first."""
        queued = self.body.begin()
        if queued is None or len(data) < MIN_SIZE:
            self._finish_call(partial(parse_request, self._opening, data), data)
        else:
            self._server.queue.hand_off(queued)
            self._start_background_task(self._parse_off_loop(queued, data))

    def _start_background_task(self, coroutine: Coroutine[None, None, None]) -> None:
        """Start a background task; if it fails, close the client's connection."""
        self._server.tasks.spawn(coroutine, self._line.abort)

    def _run_or_abort(self, work: Callable[[], None]) -> None:
        """Run a later step; if it fails, close the client's connection."""
        try:
            work()
        except BaseException:
            self._line.abort()
            raise

    async def _parse_off_loop(self, queued: QueuedCall, data: bytes) -> None:
        """Parse the call in another process, and handle it."""
        elsewhere, began = 0.0, time.perf_counter()
        try:
            parsed = await self._server.large_bodies.parse(self._head, data)
            elsewhere, began = parsed.seconds, time.perf_counter()
            if not self._over:
                self._finish_call(parsed.read_call, data)
        finally:
            took = time.perf_counter() - began
            self._server.queue.settle(queued, took, elsewhere)

    def _finish_call(self, read_call: Callable[[], McpCall], data: bytes) -> None:
        """Parse, decide, record, and send the call."""
        if self.early is None:
            try:
                self._get_credential_and_send(read_call(), data)
            except RequestRefused as refused:
                self.early = self._refusal_reply(refused)
        if self.early is not None:
            self._send_reply(self.early)

    def fail_body(self, refusal: RequestRefused) -> None:
        """Reply to a body that cannot be read."""
        self._send_reply(self.early or self._refusal_reply(refusal))

    def on_client_gone(self) -> None:
        """Abort the call of a client that is gone; its outcome is unknown."""
        if self._sending is not None and self._relay is not None:
            self._sending.abort()
            self._relay.end(CallOutcome.UNKNOWN)
        self.close()

    def stop_if_revoked(self) -> None:
        """Stop the call if a revocation now forbids it."""
        relay, exchange = self._relay, self._server.exchange
        if relay is None or self._over:
            return
        key_holds = self._server.callers.has_valid_key(relay.passage.caller)
        if key_holds and exchange.may_continue(relay.passage):
            return
        forwarded = self._sending is not None
        self._abort_upstream()
        relay.end(CallOutcome.UNKNOWN if forwarded else CallOutcome.WITHHELD)
        if not key_holds:  # the caller is no longer authenticated
            self._line.abort()
            return
        sent = relay.sent
        again = exchange.authorize(
            relay.passage.caller, sent.call, sent.body, None, self._line.link.network
        )
        exchange.write_deferred()
        if isinstance(again, DeniedCall):
            self._line.replace_reply(build_denial_reply(sent.call, again))

    def close(self) -> None:
        """Release all resources: the reply is sent, or the client is gone."""
        if not self._over:
            self._over = True
            self.body.release()
            if self._relay is not None:
                self._server.count_finished_call(self._relay.passage.caller.principal)
            if self._expiry is not None:
                self._expiry.cancel()
            # They refer to this handler: a cycle would wait for garbage collection.
            self._relay = self._sending = None

    def pause(self) -> None:
        """Stop reading the answer: the client is slower than the server."""
        self._paused = True
        if self._sending is not None:
            self._sending.pause()

    def resume(self) -> None:
        """Continue reading the answer."""
        self._paused = False
        if self._sending is not None:
            self._sending.resume()

    @property
    def is_open_ended(self) -> bool:
        """Return True for a stream that ends when either side leaves."""
        if self._relay is None:
            return False
        call = self._relay.sent.call
        return call.kind is MessageKind.OPEN or call.method == LISTEN

    def _identify_caller(self) -> None:
        """Authenticate the caller of the request; keep the 401 reply if that fails."""
        try:
            self.caller = self._server.callers.authenticate(
                self._head, self._line.link, self._server.clock()
            )
        except Unauthenticated as who:
            self.early = self._unauthenticated_reply(who)

    def _unauthenticated_reply(self, error: Unauthenticated) -> ImmediateReply:
        """Build the reply that refuses an unauthenticated caller."""
        self._count_refusal(error.reason, "")
        return build_challenge_reply(error)

    def _resource_metadata_reply(self, target: str) -> ImmediateReply:
        """Build the reply with the protected resource metadata (RFC 9728)."""
        body = self._server.callers.build_resource_metadata(target, self._line.link)
        if not body:
            raise RequestRefused(RefusalReason.UNKNOWN_PATH)
        return ImmediateReply(build_json_heading(OK), body)

    async def _fetch_issuer_keys(self, issuer: str) -> None:
        """Fetch the keys of an issuer, and authenticate once more."""
        await self._server.callers.fetch_keys(issuer)
        if self._over:
            return
        try:
            self._identify_caller()
        except IssuerKeysNeeded:
            self.early = ImmediateReply(build_heading(UNAVAILABLE, {}))
        self.wants_body = True
        self._line.on_authentication_done()

    def _get_credential_and_send(self, call: McpCall, data: bytes) -> None:
        """Get the server's credential, at once or later, then authorize and send."""
        exchange, caller = self._server.exchange, self.caller
        assert caller is not None  # noqa: S101 - no body is read without one
        credentials, shown = exchange.credentials, None
        if credentials is not None and credentials.needs_credential(call.server):
            token = self._caller_token(caller)
            shown = credentials.find_credential(caller, call.server, token)
            if shown is None and exchange.would_allow(caller, call):
                fetch = self._fetch_credential(credentials, caller, call, data, token)
                self._start_background_task(fetch)
                return
        self._authorize_and_send(caller, call, data, shown)

    def _caller_token(self, caller: VerifiedCaller) -> str:
        """Return the token that authenticated the caller; empty if its socket did."""
        said = self._head.fields.get("authorization", "") if caller.token_sha256 else ""
        return said.partition(" ")[2]

    async def _fetch_credential(
        self,
        credentials: CredentialProvider,
        caller: VerifiedCaller,
        call: McpCall,
        data: bytes,
        token: str,
    ) -> None:
        """Fetch the credential for the server, then send; without it, deny."""
        await credentials.fetch_credential(caller, call.server, token)
        if self._over:
            return
        try:
            shown = credentials.find_credential(caller, call.server, token)
            self._authorize_and_send(caller, call, data, shown)
        except RequestRefused as refused:
            self.early = self._refusal_reply(refused)
        if self.early is not None:
            self._send_reply(self.early)

    def _authorize_and_send(
        self,
        caller: VerifiedCaller,
        call: McpCall,
        data: bytes,
        credential: PresentedCredential | None,
    ) -> None:
        """Decide, record, and send the call."""
        server = self._server
        fields, principal = self._head.fields, caller.principal
        session = server.sessions.unwrap_session_id(fields, call, principal)
        sent = UpstreamRequest(
            call, data, self._opening.onward, session, principal, credential
        )
        if not server.may_start_call(caller.principal):
            reason = RefusalReason.TOO_MANY_CALLS
            raise RequestRefused(reason, id=call.id, method=call.method)
        network = self._line.link.network
        begun = server.exchange.authorize(caller, call, sent.body, credential, network)
        if isinstance(begun, DeniedCall):
            self.early = build_denial_reply(call, begun)
            return
        try:
            self._send_when_recorded(begun, sent)
        finally:
            server.exchange.write_deferred()

    def _send_when_recorded(self, call: InFlightCall, request: UpstreamRequest) -> None:
        """Send an allowed call, at once or when its record is on disk."""
        server = self._server
        server.count_started_call(call.caller.principal)
        self._relay = relay = ResponseRelay(
            server.exchange,
            call,
            request,
            self._line,
            server.sessions.bind_to_caller,
            self._abort_upstream,
        )
        if call.ticket.durable is None:
            self._send_upstream(relay)
        else:
            call.ticket.durable.add_done_callback(
                lambda done: self._run_or_abort(partial(self._on_recorded, relay, done))
            )

    def _on_recorded(self, relay: ResponseRelay, durable: asyncio.Future[None]) -> None:
        """Send the call when its record is on disk; deny it when writing failed."""
        if durable.cancelled() or durable.exception() is not None:
            denied = self._server.exchange.deny_unrecorded(relay.passage)
            if not self._over:
                self._send_reply(build_denial_reply(relay.sent.call, denied))
        elif self._over:
            relay.end(CallOutcome.WITHHELD)
        else:
            self._send_upstream(relay)

    def _send_upstream(self, relay: ResponseRelay) -> None:
        """Send the call to its server; fail it if a reload removed the server."""
        upstream = self._server.exchange.servers.get(relay.sent.call.server)
        if upstream is None or not relay.has_same_server:  # a reload came meanwhile
            relay.on_lost(RefusalReason.UNREACHABLE, forwarded=False)
            return
        self._sending = upstream.send(relay.sent, relay)
        self._server.exchange.definitions.fetch_stale_list(relay.sent)
        if self._paused:
            self._sending.pause()
        if self.is_open_ended and relay.passage.caller.expires:
            self._end_at_expiry(relay)

    def _end_at_expiry(self, relay: ResponseRelay) -> None:
        """End a stream when the caller's token expires; a call runs to its end."""
        ttl = relay.passage.caller.expires - self._server.clock()
        if ttl > 0:  # also where the clock was set back meanwhile
            self._expiry = self._server.loop.call_later(ttl, self._end_at_expiry, relay)
            return
        self._abort_upstream()
        relay.end(CallOutcome.UNKNOWN)
        who = self._server.callers.build_expired_error(self._head, self._line.link)
        self._line.replace_reply(self._unauthenticated_reply(who))

    def _abort_upstream(self) -> None:
        """Abort the request to the upstream server, if one is in progress."""
        if self._sending is not None:
            self._sending.abort()

    def _send_reply(self, reply: ImmediateReply) -> None:
        """Send a complete reply of the gateway itself to the client."""
        self._line.reply(reply.heading, reply.body)

    def _refusal_reply(self, refusal: RequestRefused) -> ImmediateReply:
        """Build the reply that refuses a malformed request, and count it."""
        self._count_refusal(refusal.why.value, refusal.method)
        return build_refusal_reply(refusal, self._head.fields.get(VERSION_HEADER, ""))

    def _count_refusal(self, reason: str, method: str) -> None:
        """Count a refused request by reason, server and method."""
        exchange = self._server.exchange
        server = find_server_name(self._head.target)
        known = server if server in exchange.servers else ""
        exchange.recorder.count_refused(reason, self.caller, known, method)
