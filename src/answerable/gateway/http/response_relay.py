"""Relay of one server's answer to one client.

The head is rewritten and the body is passed on unchanged. A body is buffered, parsed
while it streams, or split into events, by its type. An ambiguous answer is not passed
on, and neither is one that contains the credential of the server.
"""

from collections.abc import Callable

from answerable.gateway.call_pipeline import Exchange
from answerable.gateway.http.event_stream_body import Stream
from answerable.gateway.http.message_body import Body, Whole
from answerable.gateway.http.reply_progress import Relayed
from answerable.gateway.http.reply_writer import Outlet
from answerable.gateway.in_flight_call import Passage
from answerable.gateway.upstream import Sent
from answerable.gateway.upstream_credentials.leak_filter import Watch
from answerable.gateway.wire.http_heads import Returned, json_heading
from answerable.model.spool_record import Ending
from answerable.server.mcp.request_metadata import EVENTS, SESSION
from answerable.server.wire.refusals import Refused, Why

OK = 200


class Relay:
    """Response sink that relays one answer to one client.

    Args:
        exchange: Pipeline that judges the answer.
        passage: The call that it answers.
        sent: The call as it was sent.
        outlet: Writer of the reply.
        wrap: Binds a session id of the server to its caller.
        stop: Aborts the transfer from the server.

    Attributes:
        passage: The call that it answers.
        sent: The call as it was sent.
    """

    __slots__ = ("_body", "_relayed", "_stop", "_watch", "_wrap", "passage", "sent")

    def __init__(
        self,
        exchange: Exchange,
        passage: Passage,
        sent: Sent,
        outlet: Outlet,
        wrap: Callable[[str, str, str], str],
        stop: Callable[[], None],
    ) -> None:
        self.passage = passage
        self.sent = sent
        self._relayed = Relayed(exchange, passage, sent, outlet)
        self._wrap = wrap
        self._stop = stop
        self._watch = Watch(sent.shown.leaks) if sent.shown else None
        self._body: Body | None = None

    @property
    def leads_there(self) -> bool:
        """True while the server is configured as it was when the call was allowed."""
        return self._relayed.leads_there

    def may_go_on(self) -> bool:
        """Tell whether to send although the server's identity has changed."""
        return self._relayed.exchange.may_be_sent(self.passage)

    def on_head(self, returned: Returned, length: int | None) -> None:
        """Take the head of the answer."""
        relayed = self._relayed
        relayed.heading = returned.heading
        if returned.refuses and self.sent.shown is not None:
            status = returned.heading.status
            relayed.exchange.refused(self.passage, self.sent.shown, status)
        try:
            if returned.unfit is not None:
                raise Refused(returned.unfit)
            if self._watch is not None:
                self._watch.head(returned)
            relayed.session = self._session(returned.session)
            self._body = self._kind(returned.kind, length)
        except Refused as refused:
            self._fail(refused, Ending.UPSTREAM_ERROR)

    def on_data(self, data: bytes) -> None:
        """Take a piece of the body."""
        body = self._body
        assert body is not None  # noqa: S101 - a head comes first
        try:
            if self._watch is not None:
                data = self._watch.feed(data)
                if not data:
                    return
            self._body = body.on_data(data)
        except Refused as refused:
            self._fail(refused, Ending.UPSTREAM_ERROR)

    def on_end(self) -> None:
        """Take the end of the answer."""
        body = self._body
        assert body is not None  # noqa: S101 - a head comes first
        try:
            if self._watch is not None and (rest := self._watch.rest()):
                self._body = body = body.on_data(rest)
            body.on_end()
        except Refused as refused:
            self._fail(refused, Ending.UPSTREAM_ERROR)

    def on_lost(self, why: Why, *, forwarded: bool) -> None:
        """Reply with an error: the answer will not come, or not completely."""
        outcome = Ending.UNKNOWN if forwarded else Ending.UPSTREAM_ERROR
        self._fail(Refused(why), outcome)

    def end(self, outcome: Ending) -> None:
        """Record the end of the call without an answer."""
        self._relayed.end(outcome)

    def _fail(self, refused: Refused, outcome: Ending) -> None:
        self._stop()
        if refused.why is Why.CREDENTIAL:
            outcome = Ending.LEAKED
        refused = refused.of_a_reply()
        relayed = self._relayed
        relayed.end(outcome)
        if self._body is not None and self._body.on_lost(refused):
            return
        call = relayed.passage.call
        body = refused.of(call.id, call.method).body()
        relayed.outlet.answer(json_heading(refused.wire.status), body)

    def _session(self, said: str | None) -> str:
        """Return the session id for the client, empty without one."""
        call = self._relayed.passage.call
        if said is None or call.era.is_modern:
            return ""
        if SESSION.fullmatch(said) is None:
            raise Refused(Why.SESSION_ID)
        return self._wrap(said, call.server, self._relayed.passage.caller.principal)

    def _kind(self, kind: str, length: int | None) -> Body:
        if kind == EVENTS and self._relayed.heading.status == OK:
            return Stream(self._relayed)
        return Whole(self._relayed, kind, length)
