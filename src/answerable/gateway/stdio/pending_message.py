"""Message on its way through a process, and its answer in HTTP terms.

The answer of a process is one message as JSON, or several as events. The first message
determines which: an answer, or something else before it.
"""

from functools import cached_property, lru_cache
from typing import Protocol

import msgspec

from answerable.gateway.stdio.message_ids import (
    ID,
    SUBSCRIPTION_ENDED,
    TOKEN,
    Id,
    id_at,
    with_ids,
)
from answerable.gateway.upstream import Sent, Sink
from answerable.gateway.wire.http_heads import Returned, returned
from answerable.server.mcp.messages import Kind, one_line
from answerable.server.mcp.request_metadata import EVENTS, JSON
from answerable.server.wire.refusals import (
    HEADER_MISMATCH,
    METHOD_NOT_FOUND,
    MISSING_CAPABILITY,
    UNSUPPORTED_VERSION,
    Why,
)

OK = 200
ACCEPTED = 202
INITIALIZE = "initialize"
# 2026-07-28 basic/transports/streamable-http "Sending Messages": HTTP statuses of
# JSON-RPC errors.
STATUS = {
    METHOD_NOT_FOUND: 404,
    HEADER_MISMATCH: 400,
    MISSING_CAPABILITY: 400,
    UNSUPPORTED_VERSION: 400,
}


class Carrier(Protocol):
    """Carrier of messages to a process."""

    session: str

    def forget(self, under_way: "UnderWay") -> None:
        """Cancel a message that no client waits for."""

    def hold(self, under_way: "UnderWay") -> None:
        """Pause the output: the client of this message is slower."""

    def release(self, under_way: "UnderWay") -> None:
        """Resume the output: its client has caught up."""


class UnderWay:
    """Message under way to a process; its transfer handle.

    Args:
        carrier: Carrier of the message.
        sent: The message as it came.
        sink: Receiver of the answer.

    Attributes:
        id: Id that the process knows it by.
        done: The answer is complete.
    """

    def __init__(self, carrier: Carrier, sent: Sent, sink: Sink) -> None:
        self.call = sent.call
        self.id = sent.call.id
        self.done = False
        self._carrier = carrier
        self._sent = sent
        self._sink = sink
        self._token: Id | None = None  # replacement for the client's own token
        self._begun = False

    @cached_property
    def own_token(self) -> Id | None:
        """Progress token of the client, None without one."""
        return id_at(self._sent.body, TOKEN)

    @property
    def token(self) -> Id | None:
        """Progress token that the process knows, None without one."""
        return self.own_token if self._token is None else self._token

    @property
    def is_request(self) -> bool:
        """True where it is answered."""
        return self.call.kind is Kind.REQUEST

    @property
    def is_modern(self) -> bool:
        """True where it is of 2026-07-28, without a session."""
        return self.call.era.is_modern

    def rename(self, id: Id, token: Id) -> bytes:
        """Assign another id and progress token; return the changed bytes."""
        self.id, self._token = id, token
        return with_ids(self._sent.body, {ID: id, TOKEN: token})

    def event(self, line: bytes) -> None:
        """Deliver a message that is not the answer."""
        if not self.done:
            self.begin()
            self._sink.on_data(b"data: %b\n\n" % one_line(line))

    def answer(self, line: bytes, code: int) -> None:
        """Deliver the answer.

        Args:
            line: The answer.
            code: Code of its error, 0 without one.
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
        """Report the end of a complete answer."""
        if not self.done:
            self.done = True
            self._sink.on_end()

    def close(self) -> None:
        """End without an answer: it was cancelled, or has none."""
        self.begin()
        self.finish()

    def reply(self, status: int) -> None:
        """Answer with a status alone."""
        if not self.done:
            self._sink.on_head(_returned(status), 0)
            self.finish()

    def lose(self, why: Why, *, forwarded: bool) -> None:
        """Report that no answer will come."""
        if not self.done:
            self.done = True
            self._sink.on_lost(why, forwarded=forwarded)

    def abort(self) -> None:
        """Abort the message."""
        if not self.done:
            self.done = True
            self._carrier.release(self)
            self._carrier.forget(self)

    def pause(self) -> None:
        """Stop reading the answer."""
        if not self.done:
            self._carrier.hold(self)

    def resume(self) -> None:
        """Continue reading the answer."""
        self._carrier.release(self)

    def _returned(self, status: int, kind: str) -> Returned:
        said = _returned(status, kind)
        if self.call.method == INITIALIZE and self._carrier.session:
            return msgspec.structs.replace(said, session=self._carrier.session)
        return said


@lru_cache(maxsize=64)
def _returned(status: int, kind: str = "") -> Returned:
    """Build the head that the answer would have over HTTP."""
    return returned(status, {"content-type": kind} if kind else {})
