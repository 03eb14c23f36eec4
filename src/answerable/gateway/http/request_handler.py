"""Handler of one request: authenticates, decides, records, and sends the call."""

import asyncio
from functools import partial

from answerable.gateway.http.fair_queue import LARGE
from answerable.gateway.http.request_connection import Early, Line
from answerable.gateway.http.response_relay import Relay
from answerable.gateway.in_flight_call import Denied, Passage
from answerable.gateway.upstream import Sending, Sent
from answerable.gateway.upstream_credentials.credential import Credential
from answerable.gateway.upstream_credentials.provider import Credentials
from answerable.gateway.wire.http_heads import heading, json_heading
from answerable.gateway.wire.mcp_request_head import Opening, read_request
from answerable.model.caller import Caller
from answerable.model.spool_record import Ending
from answerable.server.authentication.errors import KeysNeeded, Unidentified
from answerable.server.mcp.call import Call
from answerable.server.mcp.messages import Kind
from answerable.server.mcp.methods import Era
from answerable.server.mcp.request_metadata import VERSION_HEADER, session_of
from answerable.server.mcp.server_path import server_of
from answerable.server.wire.host_check import check_place
from answerable.server.wire.refusals import Refused, Why
from answerable.server.wire.request_head import MAX_BODY

OK = 200
ACCEPTED = 202
DENIED = 200  # the TypeScript SDK loses the error of a 403, in every revision
FORBIDDEN = 403
UNAVAILABLE = 503
LISTEN = "subscriptions/listen"


class Turn:
    """Handler of one HTTP request.

    Attributes:
        early: Reply that the head alone determined; the body is dropped.
        is_parked: The body is not read until other calls of the caller have ended.
        is_refused: The reply is sent without the body, and the connection closes.
    """

    __slots__ = (
        "_door", "_expiry", "_head", "_held", "_line", "_opening", "_over", "_paused", "_relay",
        "_sending", "caller", "early", "is_parked", "is_refused", "wants_body",
    )  # fmt: skip

    def __init__(self, line: Line, opening: Opening) -> None:
        self.wants_body = self.is_refused = self.is_parked = False
        self.early: Early | None = None
        self._line = line
        self._door = line.door
        self._opening = opening
        self._head = opening.head
        self.caller: Caller | None = None
        self._relay: Relay | None = None  # its call was let through
        self._sending: Sending | None = None
        self._expiry: asyncio.TimerHandle | None = None  # of a stream
        self._over = False
        self._paused = False
        self._held = 0  # bytes of its body, where that is large

    def start(self) -> None:
        """Authenticate the caller by the head, or determine the reply."""
        head = self._head
        try:
            check_place(head, self._line.served)
            if self._opening.described:
                self.early = self._metadata(self._opening.described)
            else:
                self._identify()
        except Refused as refused:
            self.early = self._refusal(refused)
        except KeysNeeded as needed:
            self._door.spawn(self._fetch(needed.issuer))
            return
        self.wants_body = True

    def misdirect(self) -> None:
        """Reply that another worker has to serve the caller, over a new connection."""
        self.early = self._refusal(Refused(Why.MISDIRECTED))

    def refuse(self, why: Why) -> None:
        """Refuse the request before its body arrives."""
        self.early = self._refusal(Refused(why))
        self.is_refused = True

    def hold(self) -> None:
        """Reserve the bytes of a large body; wait where the caller has no more."""
        caller, size = self.caller, self._head.length
        if self.early is not None or caller is None or 0 <= size <= LARGE:
            return
        size = MAX_BODY if size < 0 else size
        self.is_parked = not self._door.hold(caller.principal, size)
        if self.is_parked:
            self._door.wait_for_bytes(caller.principal, self._hold_again)
        else:
            self._held = size

    def _hold_again(self) -> None:
        """Retry the reservation after other calls have released bytes."""
        if not self._over:
            self.hold()
            if not self.is_parked:
                self._line.unparked()

    def body(self, data: bytes) -> None:
        """Take the body: process it at once, or when it is the caller's turn."""
        self.wants_body = False
        door, caller = self._door, self.caller
        if self.early is None and caller is not None:
            under_way = door.in_flight.get(caller.principal, 0)
            if door.queue.defers(caller.principal, len(data), under_way):
                work = partial(self._take, data)
                door.queue.add(caller.principal, len(data), work)
                return
        self._take(data)

    def _take(self, data: bytes) -> None:
        """Parse, decide, record, and send the call."""
        if self._over:
            return
        if self.early is None:
            try:
                call = read_request(self._opening, data)
                self._begin(call, data)
            except Refused as refused:
                self.early = self._refusal(refused)
        if self.early is not None:
            self._answer(self.early)

    def broken(self, refused: Refused) -> None:
        """Reply to a body that cannot be read."""
        self._answer(self.early or self._refusal(refused))

    def gone(self) -> None:
        """Abort the call of a client that is gone; its outcome is unknown."""
        if self._sending is not None and self._relay is not None:
            self._sending.abort()
            self._relay.end(Ending.UNKNOWN)
        self.over()

    def recheck(self) -> None:
        """Cut the call where a revocation forbids it."""
        relay = self._relay
        exchange = self._door.exchange
        if relay is None or self._over:
            return
        key_holds = self._door.callers.may_go_on(relay.passage.caller)
        if key_holds and exchange.may_go_on(relay.passage):
            return
        forwarded = self._sending is not None
        self._stop()
        relay.end(Ending.UNKNOWN if forwarded else Ending.WITHHELD)
        if not key_holds:  # the caller is no longer authenticated
            self._line.abort()
            return
        sent = relay.sent
        again = exchange.begin(
            relay.passage.caller, sent.call, sent.body, None, self._line.link.network
        )
        exchange.settle()
        if isinstance(again, Denied):
            self._line.revoke(self._denial(sent.call, again))

    def over(self) -> None:
        """Release everything: the reply is sent, or the client is gone."""
        if not self._over:
            self._over = True
            if self._held and self.caller is not None:
                self._door.release(self.caller.principal, self._held)
            if self._relay is not None:
                self._door.left(self._relay.passage.caller.principal)
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
        """True for a stream that ends when either side leaves."""
        if self._relay is None:
            return False
        call = self._relay.sent.call
        return call.kind is Kind.OPEN or call.method == LISTEN

    def _identify(self) -> None:
        try:
            self.caller = self._door.callers.identify(
                self._head, self._line.link, self._door.clock()
            )
        except Unidentified as who:
            self.early = self._unidentified(who)

    def _unidentified(self, who: Unidentified) -> Early:
        self._record(who.reason, "")
        fields = {"www-authenticate": who.challenge, "dpop-nonce": who.nonce}
        said = {name: value for name, value in fields.items() if value}
        return Early(heading(who.status, said))

    def _metadata(self, target: str) -> Early:
        body = self._door.callers.metadata(target, self._line.link)
        if not body:
            raise Refused(Why.UNKNOWN_PATH)
        return Early(json_heading(OK), body)

    async def _fetch(self, issuer: str) -> None:
        """Fetch the keys of an issuer, and authenticate once more."""
        await self._door.callers.fetch(issuer)
        if self._over:
            return
        try:
            self._identify()
        except KeysNeeded:
            self.early = Early(heading(UNAVAILABLE, {}))
        self.wants_body = True
        self._line.identified()

    def _session(self, call: Call, principal: str) -> str:
        """Return the server's own session id, which only its caller can name."""
        said = session_of(self._head.fields, call.era)
        if not said:
            return ""
        session = self._door.sessions.unwrap(said, call.server, principal)
        if session is None:
            raise Refused(Why.UNKNOWN_SESSION, id=call.id, method=call.method)
        return session

    def _begin(self, call: Call, data: bytes) -> None:
        exchange, caller = self._door.exchange, self.caller
        assert caller is not None  # noqa: S101 - no body is read without one
        credentials, shown = exchange.credentials, None
        if credentials is not None and credentials.needs(call.server):
            token = self._token(caller)
            shown = credentials.find(caller, call.server, token)
            if shown is None and exchange.would_pass(caller, call):
                self._door.spawn(self._get(credentials, caller, call, data, token))
                return
        self._pass(caller, call, data, shown)

    def _token(self, caller: Caller) -> str:
        """Return the token that authenticated the caller; empty without one.

        A process that is known by its socket may send anybody's token.
        """
        said = self._head.fields.get("authorization", "") if caller.token_sha256 else ""
        return said.partition(" ")[2]

    async def _get(
        self,
        credentials: Credentials,
        caller: Caller,
        call: Call,
        data: bytes,
        token: str,
    ) -> None:
        """Fetch the credential for the server, then send; without it, deny."""
        await credentials.get(caller, call.server, token)
        if self._over:
            return
        try:
            shown = credentials.find(caller, call.server, token)
            self._pass(caller, call, data, shown)
        except Refused as refused:
            self.early = self._refusal(refused)
        if self.early is not None:
            self._answer(self.early)

    def _pass(
        self, caller: Caller, call: Call, data: bytes, shown: Credential | None
    ) -> None:
        """Decide, record, and send the call."""
        door = self._door
        session = self._session(call, caller.principal)
        sent = Sent(call, data, self._opening.onward, session, caller.principal, shown)
        if not door.may_enter(caller.principal):
            raise Refused(Why.TOO_MANY_CALLS, id=call.id, method=call.method)
        begun = door.exchange.begin(
            caller, call, sent.body, shown, self._line.link.network
        )
        if isinstance(begun, Denied):
            self.early = self._denial(call, begun)
            return
        try:
            self._go_on(begun, sent)
        finally:
            door.exchange.settle()

    def _go_on(self, begun: Passage, sent: Sent) -> None:
        """Send an allowed call, at once or when its record is on disk."""
        door = self._door
        door.entered(begun.caller.principal)
        relay = Relay(
            door.exchange, begun, sent, self._line, door.sessions.wrap, self._stop
        )
        self._relay = relay
        if begun.ticket.durable is None:
            self._forward(relay)
        else:
            begun.ticket.durable.add_done_callback(partial(self._recorded, relay))

    def _recorded(self, relay: Relay, durable: asyncio.Future[None]) -> None:
        """Send the call when its record is on disk; deny it when writing failed."""
        if durable.cancelled() or durable.exception() is not None:
            denied = self._door.exchange.unrecorded(relay.passage)
            if not self._over:
                self._answer(self._denial(relay.sent.call, denied))
        elif self._over:
            relay.end(Ending.WITHHELD)
        else:
            self._forward(relay)

    def _forward(self, relay: Relay) -> None:
        upstream = self._door.exchange.servers.get(relay.sent.call.server)
        if upstream is None or not relay.leads_there:  # a reload came meanwhile
            relay.on_lost(Why.UNREACHABLE, forwarded=False)
            return
        self._sending = upstream.send(relay.sent, relay)
        self._door.exchange.definitions.look(relay.sent)
        if self._paused:
            self._sending.pause()
        if self.is_open_ended and relay.passage.caller.expires:
            self._end_with_token(relay)

    def _end_with_token(self, relay: Relay) -> None:
        """End a stream when the caller's token expires; a call runs to its end."""
        left = relay.passage.caller.expires - self._door.clock()
        if left > 0:  # also where the clock was set back meanwhile
            self._expiry = self._door.loop.call_later(left, self._end_with_token, relay)
            return
        self._stop()
        relay.end(Ending.UNKNOWN)
        who = self._door.callers.expired(self._head, self._line.link)
        self._line.revoke(self._unidentified(who))

    def _stop(self) -> None:
        if self._sending is not None:
            self._sending.abort()

    def _answer(self, early: Early) -> None:
        self._line.answer(early.heading, early.body)

    def _denial(self, call: Call, denied: Denied) -> Early:
        if denied.quiet:
            return Early(heading(ACCEPTED, {}))
        status = DENIED if call.kind is Kind.REQUEST else FORBIDDEN
        if denied.is_unknown_task:
            unknown = Refused(Why.UNKNOWN_TASK, id=call.id)
            status = unknown.status(in_a_session=not call.era.is_modern)
        return Early(json_heading(status), denied.body(call.id))

    def _refusal(self, refused: Refused) -> Early:
        self._record(refused.why.value, refused.method)
        said = self._head.fields.get(VERSION_HEADER, "")
        body = refused.body(said)
        status = refused.status(in_a_session=said != Era.V2026_07_28)
        return Early(json_heading(status) if body else heading(status, {}), body)

    def _record(self, why: str, method: str) -> None:
        try:
            server = server_of(self._head.target)
        except Refused:
            server = ""
        exchange = self._door.exchange
        known = server if server in exchange.servers else ""
        exchange.recorder.refused(why, self.caller, known, method)
