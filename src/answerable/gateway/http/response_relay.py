"""Relay one server's response to one client, checked and without leaked credentials.

The head is rewritten and the body is passed on unchanged. A body is buffered, parsed
while it streams, or split into events, by its type. An ambiguous answer is not passed
on, and neither is one that contains the credential of the server.
"""

from collections.abc import Callable

from answerable.gateway.call_pipeline import CallPipeline
from answerable.gateway.http.event_stream_relay import EventStreamBody
from answerable.gateway.http.reply_body_readers import BodyReader, BufferedBody
from answerable.gateway.http.reply_progress import ReplyProgress
from answerable.gateway.http.reply_writer import ReplyWriter
from answerable.gateway.in_flight_call import InFlightCall
from answerable.gateway.upstream import UpstreamRequest
from answerable.gateway.upstream_credentials.leak_filter import LeakFilter
from answerable.gateway.wire.http_heads import UpstreamHead, build_json_heading
from answerable.model.spool_record import CallOutcome
from answerable.server.mcp.request_metadata import EVENT_STREAM, SESSION
from answerable.server.wire.refusals import RefusalReason, RequestRefused

OK = 200


class ResponseRelay:
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
        exchange: CallPipeline,
        passage: InFlightCall,
        sent: UpstreamRequest,
        outlet: ReplyWriter,
        wrap: Callable[[str, str, str], str],
        stop: Callable[[], None],
    ) -> None:
        self.passage = passage
        self.sent = sent
        self._relayed = ReplyProgress(exchange, passage, sent, outlet)
        self._wrap = wrap
        self._stop = stop
        self._watch = LeakFilter(sent.shown.leaks) if sent.shown else None
        self._body: BodyReader | None = None

    @property
    def has_same_server(self) -> bool:
        """True while the server is configured as it was when the call was allowed."""
        return self._relayed.has_same_server

    def may_send_again(self) -> bool:
        """Return whether to send although the server's identity has changed."""
        return self._relayed.exchange.may_send(self.passage)

    def on_head(self, head: UpstreamHead, length: int | None) -> None:
        """Receive the head of the server's answer, and choose how to relay it."""
        relayed = self._relayed
        relayed.heading = head.heading
        if head.refuses and self.sent.shown is not None:
            status = head.heading.status
            relayed.exchange.report_rejected_credential(
                self.passage, self.sent.shown, status
            )
        try:
            if head.unfit is not None:
                raise RequestRefused(head.unfit)
            if self._watch is not None:
                self._watch.check_head(head)
            relayed.session = self._bind_session_id(head.session)
            self._body = self._choose_body_reader(head.kind, length)
        except RequestRefused as refused:
            self._end_with_error(refused, CallOutcome.UPSTREAM_ERROR)

    def on_data(self, data: bytes) -> None:
        """Receive a piece of the body."""
        body = self._body
        assert body is not None  # noqa: S101 - a head comes first
        try:
            if self._watch is not None:
                data = self._watch.check_body_piece(data)
                if not data:
                    return
            self._body = body.on_data(data)
        except RequestRefused as refused:
            self._end_with_error(refused, CallOutcome.UPSTREAM_ERROR)

    def on_end(self) -> None:
        """Finish the relay at the end of the server's answer."""
        body = self._body
        assert body is not None  # noqa: S101 - a head comes first
        try:
            if self._watch is not None and (rest := self._watch.take_buffered_bytes()):
                self._body = body = body.on_data(rest)
            body.on_end()
        except RequestRefused as refused:
            self._end_with_error(refused, CallOutcome.UPSTREAM_ERROR)

    def on_lost(self, reason: RefusalReason, *, forwarded: bool) -> None:
        """Reply with an error: the answer will not come, or not completely."""
        outcome = CallOutcome.UNKNOWN if forwarded else CallOutcome.UPSTREAM_ERROR
        self._end_with_error(RequestRefused(reason), outcome)

    def end(self, outcome: CallOutcome) -> None:
        """Record the end of the call without an answer."""
        self._relayed.record_call_end(outcome)

    def _end_with_error(self, refusal: RequestRefused, outcome: CallOutcome) -> None:
        """End the call with an error reply, or cut a reply that has begun."""
        self._stop()
        if refusal.why is RefusalReason.CREDENTIAL:
            outcome = CallOutcome.LEAKED
        refusal = refusal.as_bad_gateway()
        relayed = self._relayed
        relayed.record_call_end(outcome)
        if self._body is not None and self._body.on_lost(refusal):
            return
        call = relayed.passage.call
        body = refusal.with_request_id(call.id, call.method).jsonrpc_error()
        relayed.outlet.reply(build_json_heading(refusal.wire.status), body)

    def _bind_session_id(self, session_id: str | None) -> str:
        """Return the client's session id, bound to its caller; empty without one."""
        call = self._relayed.passage.call
        if session_id is None or call.era.is_modern:
            return ""
        if SESSION.fullmatch(session_id) is None:
            raise RequestRefused(RefusalReason.SESSION_ID)
        return self._wrap(
            session_id, call.server, self._relayed.passage.caller.principal
        )

    def _choose_body_reader(self, kind: str, length: int | None) -> BodyReader:
        """Return the reader for an event stream, or for one message."""
        if kind == EVENT_STREAM and self._relayed.heading.status == OK:
            return EventStreamBody(self._relayed)
        return BufferedBody(self._relayed, kind, length)
