"""One answer under way: what is known of it, counted and digested as it passes."""

import hashlib

import msgspec

from answerable.gateway.exchange import Exchange
from answerable.gateway.http.outlet import Outlet
from answerable.gateway.passage import Heard, Passage, Waits
from answerable.gateway.upstreams import Sent
from answerable.gateway.wire.heads import Heading, Returned
from answerable.model.decision import Target
from answerable.model.pin import Kind as Item
from answerable.model.record import Ending
from answerable.serving.mcp.call import Call
from answerable.serving.mcp.messages import Kind
from answerable.serving.wire.refusals import Why

NO_HEADING = Heading(0, {}, b"")


class Relayed:
    """What the readers of a body share.

    Args:
        exchange: Judges what comes.
        passage: The call that is answered.
        sent: As it went out.
        outlet: The client.

    Attributes:
        heading: What the client gets of the server's head.
        server: As it was configured when the call was let through.
        session: Its session id, as the client is to use it.
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
        """Whether its server is still the one that the call was let through to."""
        now = self.exchange.configured(self.passage.call.server)
        return now is self.server or now == self.server

    def look(self, changed: Item) -> None:
        """Ask the server what it has, now that it says that this has changed."""
        sent = self._anew()
        if sent is not None:
            self.exchange.definitions.look(sent, changed)

    def count(self, data: bytes) -> None:
        """Take note of bytes that go to the client."""
        self._size += len(data)
        if self._digest is None:
            self._digest = hashlib.sha256(data)
        else:
            self._digest.update(data)

    def given(self, data: bytes) -> None:
        """Take note of a whole answer that went to the client, and record the end."""
        self.count(data)
        self.end()

    def end(self, outcome: Ending | None = None) -> None:
        """Record how the call ended; None is as its answer says."""
        self.exchange.end(
            self.passage,
            self._outcome() if outcome is None else outcome,
            status=self.heading.status,
            size=self._size,
            sha256=self._digest.hexdigest() if self._digest and self._size else "",
        )

    def send_back(self, data: bytes) -> None:
        """Answer a question of the server, in the client's stead."""
        call, sent = self.passage.call, self._anew()
        upstream = self.exchange.servers.get(call.server)
        if sent is None or upstream is None:
            return
        answer = Call(call.era, Kind.RESPONSE, "", None, call.server, Target.REQUEST)
        upstream.send(msgspec.structs.replace(sent, call=answer, body=data), Unheard())

    def _anew(self) -> Sent | None:
        """Give what went out with what is shown by now; None where nothing may follow.

        An answer may take hours: its server may be another one since, and what it was
        shown withdrawn, rotated or over.
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
    """What becomes of a message that waited, once that is over."""
    failed = until.cancelled() or until.exception() is not None
    return heard.instead or Heard(None) if failed else heard


class Unheard:
    """The `Sink` of what nobody waits for."""

    def may_go_on(self) -> bool:
        """Leave it to a server that is still the same."""
        return False

    def on_head(self, returned: Returned, length: int | None) -> None:
        """Leave it."""

    def on_data(self, data: bytes) -> None:
        """Leave it."""

    def on_end(self) -> None:
        """Leave it."""

    def on_lost(self, why: Why, *, forwarded: bool) -> None:
        """Leave it."""
