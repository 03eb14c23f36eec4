"""State of one answer under way: byte count, digest, and outcome."""

import hashlib

import msgspec

from answerable.gateway.call_pipeline import Exchange
from answerable.gateway.http.reply_writer import Outlet
from answerable.gateway.in_flight_call import Heard, Passage, Waits
from answerable.gateway.upstream import Sent
from answerable.gateway.wire.http_heads import Heading, Returned
from answerable.model.decision import Target
from answerable.model.pin import Kind as Item
from answerable.model.spool_record import Ending
from answerable.server.mcp.call import Call
from answerable.server.mcp.messages import Kind
from answerable.server.wire.refusals import Why

NO_HEADING = Heading(0, {}, b"")


class Relayed:
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
        "_digest", "_size", "exchange", "heading", "outlet", "passage", "sent",
        "server", "session",
    )  # fmt: skip

    def __init__(
        self, exchange: Exchange, passage: Passage, sent: Sent, outlet: Outlet
    ) -> None:
        self.exchange = exchange
        self.passage = passage
        self.sent = sent
        self.outlet = outlet
        self.heading = NO_HEADING
        self.server = exchange.configured(passage.call.server)
        self.session = ""
        self._size = 0
        self._digest: hashlib._Hash | None = None

    @property
    def leads_there(self) -> bool:
        """True while the server is configured as it was when the call was allowed."""
        now = self.exchange.configured(self.passage.call.server)
        return now is self.server or now == self.server

    def look(self, changed: Item) -> None:
        """Request the list that the server announced as changed."""
        sent = self._anew()
        if sent is not None:
            self.exchange.definitions.look(sent, changed)

    def count(self, data: bytes) -> None:
        """Count and digest bytes for the client."""
        self._size += len(data)
        if self._digest is None:
            self._digest = hashlib.sha256(data)
        else:
            self._digest.update(data)

    def given(self, data: bytes) -> None:
        """Count a complete reply, and record the end of the call."""
        self.count(data)
        self.end()

    def end(self, outcome: Ending | None = None) -> None:
        """Record the end of the call; None derives the outcome from the answer."""
        self.exchange.end(
            self.passage,
            self._outcome() if outcome is None else outcome,
            status=self.heading.status,
            size=self._size,
            sha256=self._digest.hexdigest() if self._digest and self._size else "",
        )

    def send_back(self, data: bytes) -> None:
        """Answer a request of the server in the client's place."""
        call, sent = self.passage.call, self._anew()
        upstream = self.exchange.servers.get(call.server)
        if sent is None or upstream is None:
            return
        answer = Call(call.era, Kind.RESPONSE, "", None, call.server, Target.REQUEST)
        upstream.send(msgspec.structs.replace(sent, call=answer, body=data), Unheard())

    def _anew(self) -> Sent | None:
        """Return the call with the current credential; None where nothing may follow.

        An answer may take hours: meanwhile its server may have changed, and the
        credential may be withdrawn, rotated or expired.
        """
        exchange, sent = self.exchange, self.sent
        if not self.leads_there:
            return None
        if exchange.credentials is None or sent.shown is None or not sent.shown.field:
            return sent
        passage = self.passage
        shown = exchange.credentials.in_force(passage.caller, passage.call.server)
        return None if shown is None else msgspec.structs.replace(sent, shown=shown)

    def _outcome(self) -> Ending:
        answer = self.passage.answer
        if answer is None:
            # A notification has no answer but its status.
            is_request = self.passage.call.kind is Kind.REQUEST
            took_it = not is_request and self.heading.status < 400
            return Ending.COMPLETED if took_it else Ending.FAILED
        failed = answer.failed or answer.code != 0
        return Ending.FAILED if failed else Ending.COMPLETED


def settled(heard: Heard, until: Waits) -> Heard:
    """Return the outcome of a message that waited for its records."""
    failed = until.cancelled() or until.exception() is not None
    return heard.instead or Heard(None) if failed else heard


class Unheard:
    """Response sink that ignores the answer."""

    def may_go_on(self) -> bool:
        """Refuse to send where the server's identity has changed."""
        return False

    def on_head(self, returned: Returned, length: int | None) -> None:
        """Ignore the head."""

    def on_data(self, data: bytes) -> None:
        """Ignore the body."""

    def on_end(self) -> None:
        """Ignore the end."""

    def on_lost(self, why: Why, *, forwarded: bool) -> None:
        """Ignore the failure."""
