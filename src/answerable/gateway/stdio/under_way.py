"""One message on its way through a process, and what is said of its answer.

What a process answers is told in the words of HTTP: one message as JSON, several as
events. Which it is shows with the first: an answer, or something else before it.
"""

from functools import cached_property, lru_cache
from typing import Protocol

import msgspec

from answerable.gateway.stdio.ids import (
    ID,
    SUBSCRIPTION_ENDED,
    TOKEN,
    Id,
    id_at,
    with_ids,
)
from answerable.gateway.upstreams import Sent, Sink
from answerable.gateway.wire.heads import Returned, returned
from answerable.serving.mcp.envelope import EVENTS, JSON
from answerable.serving.mcp.messages import Kind, one_line
from answerable.serving.wire.refusals import (
    HEADER_MISMATCH,
    METHOD_NOT_FOUND,
    MISSING_CAPABILITY,
    UNSUPPORTED_VERSION,
    Why,
)

OK = 200
ACCEPTED = 202
INITIALIZE = "initialize"
# 2026-07-28 basic/transports/streamable-http "Sending Messages": an error that the
# server's transport would have told by its status, had it been HTTP.
STATUS = {
    METHOD_NOT_FOUND: 404,
    HEADER_MISMATCH: 400,
    MISSING_CAPABILITY: 400,
    UNSUPPORTED_VERSION: 400,
}


class Carrier(Protocol):
    """Who carries messages to a process."""

    session: str

    def forget(self, under_way: "UnderWay") -> None:
        """Nobody waits for it any more."""

    def hold(self, under_way: "UnderWay") -> None:
        """Take no output for now, since this one's client is slow."""

    def release(self, under_way: "UnderWay") -> None:
        """Its client is not slow any more."""


class UnderWay:
    """One message; the `Sending` of its door.

    Args:
        carrier: Who carries it.
        sent: As it came.
        sink: Who is told.

    Attributes:
        call: As it was read.
        id: What the process knows it by.
        done: Its sink has heard everything.
    """

    def __init__(self, carrier: Carrier, sent: Sent, sink: Sink) -> None:
        self.call = sent.call
        self.id = sent.call.id
        self.done = False
        self._carrier = carrier
        self._sent = sent
        self._sink = sink
        self._token: Id | None = None  # where another one stands for the client's own
        self._begun = False

    @cached_property
    def own_token(self) -> Id | None:
        """The progress token that the client chose, None without one."""
        return id_at(self._sent.body, TOKEN)

    @property
    def token(self) -> Id | None:
        """What the process knows its progress by, None without one."""
        return self.own_token if self._token is None else self._token

    @property
    def is_request(self) -> bool:
        """It is answered."""
        return self.call.kind is Kind.REQUEST

    @property
    def is_modern(self) -> bool:
        """It stands alone, without a session."""
        return self.call.era.is_modern

    def rename(self, id: Id, token: Id) -> bytes:
        """Have the process know it and its progress by others; its bytes then."""
        self.id, self._token = id, token
        return with_ids(self._sent.body, {ID: id, TOKEN: token})

    def event(self, line: bytes) -> None:
        """Tell of a message that is not its answer."""
        if not self.done:
            self.begin()
            self._sink.on_data(b"data: %b\n\n" % one_line(line))

    def answer(self, line: bytes, code: int) -> None:
        """Tell of its answer.

        Args:
            line: It.
            code: That of its error, 0 where it is none.
        """
        if self.done:
            return
        if self.id != self.call.id and self.call.id is not None:
            own = self.call.id
            line = with_ids(line, {ID: own, SUBSCRIPTION_ENDED: own})
        if self._begun:
            self.event(line)
        else:
            status = STATUS.get(code, OK) if self.is_modern else OK
            self._sink.on_head(self._returned(status, JSON), len(line))
            self._sink.on_data(line)
        self.finish()

    def begin(self) -> None:
        """Begin a stream of events."""
        if not self._begun and not self.done:
            self._begun = True
            self._sink.on_head(self._returned(OK, EVENTS), None)

    def finish(self) -> None:
        """Say that nothing more comes, and that this is how it should be."""
        if not self.done:
            self.done = True
            self._sink.on_end()

    def close(self) -> None:
        """End it without an answer: it was cancelled, or nothing is asked."""
        self.begin()
        self.finish()

    def reply(self, status: int) -> None:
        """Answer by a status alone."""
        if not self.done:
            self._sink.on_head(_returned(status), 0)
            self.finish()

    def lose(self, why: Why, *, forwarded: bool) -> None:
        """Say that its answer will not come."""
        if not self.done:
            self.done = True
            self._sink.on_lost(why, forwarded=forwarded)

    def abort(self) -> None:
        """Give it up."""
        if not self.done:
            self.done = True
            self._carrier.release(self)
            self._carrier.forget(self)

    def pause(self) -> None:
        """Take no more of its answer for now."""
        if not self.done:
            self._carrier.hold(self)

    def resume(self) -> None:
        """Take more of it again."""
        self._carrier.release(self)

    def _returned(self, status: int, kind: str) -> Returned:
        said = _returned(status, kind)
        if self.call.method == INITIALIZE and self._carrier.session:
            return msgspec.structs.replace(said, session=self._carrier.session)
        return said


@lru_cache(maxsize=64)
def _returned(status: int, kind: str = "") -> Returned:
    """The head that an answer would have, had it come over HTTP."""
    return returned(status, {"content-type": kind} if kind else {})
