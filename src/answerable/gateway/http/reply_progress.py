"""Track one reply in progress: byte count, digest, and outcome."""

import hashlib

import msgspec

from answerable.gateway.call_pipeline import CallPipeline
from answerable.gateway.http.reply_writer import ReplyWriter
from answerable.gateway.in_flight_call import InFlightCall, MessageOutcome, RecordFuture
from answerable.gateway.upstream import UpstreamRequest
from answerable.gateway.wire.http_heads import ReplyHeading, UpstreamHead
from answerable.model.decision import TargetKind
from answerable.model.definition_pin import DefinitionKind as Item
from answerable.model.spool_record import CallOutcome
from answerable.server.mcp.call import McpCall
from answerable.server.mcp.messages import MessageKind
from answerable.server.wire.refusals import RefusalReason

NO_HEADING = ReplyHeading(0, {}, b"")


class ReplyProgress:
    """State that the body readers of an answer share.

    Args:
        exchange: Pipeline that judges the answer.
        passage: The call that is answered.
        sent: The call as it was sent.
        outlet: Writer of the reply.

    Attributes:
        heading: Head of the reply.
        server: Configuration of the server when the call was allowed.
        session: Session id for the client.
    """

    __slots__ = (
        "_digest",
        "_size",
        "exchange",
        "heading",
        "outlet",
        "passage",
        "sent",
        "server",
        "session",
    )

    def __init__(
        self,
        exchange: CallPipeline,
        passage: InFlightCall,
        sent: UpstreamRequest,
        outlet: ReplyWriter,
    ) -> None:
        self.exchange = exchange
        self.passage = passage
        self.sent = sent
        self.outlet = outlet
        self.heading = NO_HEADING
        self.server = exchange.get_server(passage.call.server)
        self.session = ""
        self._size = 0
        self._digest: hashlib._Hash | None = None

    @property
    def has_same_server(self) -> bool:
        """Return True while the server's configuration is that of the decision."""
        now = self.exchange.get_server(self.passage.call.server)
        return now is self.server or now == self.server

    def refetch_definitions(self, changed_kind: Item) -> None:
        """Request the list that the server announced as changed."""
        sent = self._with_current_credential()
        if sent is not None:
            self.exchange.definitions.fetch_stale_list(sent, changed_kind)

    def count_bytes(self, data: bytes) -> None:
        """Add bytes sent to the client to the reply's size and SHA-256."""
        self._size += len(data)
        if self._digest is None:
            self._digest = hashlib.sha256(data)
        else:
            self._digest.update(data)

    def record_complete_reply(self, data: bytes) -> None:
        """Count the bytes of a complete reply, and record the end of the call."""
        self.count_bytes(data)
        self.record_call_end()

    def record_call_end(self, outcome: CallOutcome | None = None) -> None:
        """Record the end of the call; None derives the outcome from the answer."""
        self.exchange.record_call_end(
            self.passage,
            self._derive_outcome() if outcome is None else outcome,
            status=self.heading.status,
            size=self._size,
            sha256=self._digest.hexdigest() if self._digest and self._size else "",
        )

    def answer_server_request(self, data: bytes) -> None:
        """Send the server an answer to its request, in the client's place."""
        call, sent = self.passage.call, self._with_current_credential()
        upstream = self.exchange.servers.get(call.server)
        if sent is None or upstream is None:
            return
        answer = McpCall(
            call.era, MessageKind.RESPONSE, "", None, call.server, TargetKind.REQUEST
        )
        upstream.send(
            msgspec.structs.replace(sent, call=answer, body=data), DiscardingSink()
        )

    def _with_current_credential(self) -> UpstreamRequest | None:
        """Return the call with the current credential; None where nothing may follow.

        An answer may take hours: meanwhile its server may have changed, and the
        credential may be withdrawn, rotated or expired.
        """
        exchange, sent = self.exchange, self.sent
        if not self.has_same_server:
            return None
        if exchange.credentials is None or sent.shown is None or not sent.shown.field:
            return sent
        passage = self.passage
        shown = exchange.credentials.get_cached_credential(
            passage.caller, passage.call.server
        )
        return None if shown is None else msgspec.structs.replace(sent, shown=shown)

    def _derive_outcome(self) -> CallOutcome:
        """Derive the outcome of the call from its answer or HTTP status."""
        answer = self.passage.answer
        if answer is None:
            # A notification has no answer but its status.
            is_request = self.passage.call.kind is MessageKind.REQUEST
            took_it = not is_request and self.heading.status < 400
            return CallOutcome.COMPLETED if took_it else CallOutcome.FAILED
        failed = answer.failed or answer.code != 0
        return CallOutcome.FAILED if failed else CallOutcome.COMPLETED


def outcome_after_recording(
    outcome: MessageOutcome, recorded: RecordFuture
) -> MessageOutcome:
    """Return the outcome of a message whose records are now on disk, or failed."""
    failed = recorded.cancelled() or recorded.exception() is not None
    return outcome.instead or MessageOutcome(None) if failed else outcome


class DiscardingSink:
    """Response sink that ignores the answer."""

    def may_send_again(self) -> bool:
        """Return False: a server whose identity has changed gets no message."""
        return False

    def on_head(self, head: UpstreamHead, length: int | None) -> None:
        """Ignore the head of the answer."""

    def on_data(self, data: bytes) -> None:
        """Ignore the body of the answer."""

    def on_end(self) -> None:
        """Ignore the end of the answer."""

    def on_lost(self, reason: RefusalReason, *, forwarded: bool) -> None:
        """Ignore that no answer comes."""
