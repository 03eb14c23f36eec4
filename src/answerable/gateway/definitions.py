"""What servers define, learned as their answers pass, and asked for where nobody asks.

No client need list anything: with the first call of a tool or prompt, and then once a
minute, the gateway asks the server itself what it has, beside the call, as the caller
does. A server that says that its list has changed is asked at once.
"""

import secrets
from collections.abc import Callable, Mapping

import msgspec

from answerable.gateway.passage import Passage
from answerable.gateway.shown.leaks import NONE, Watch
from answerable.gateway.upstreams import Sent, Upstream
from answerable.gateway.wire.answers import read_answer
from answerable.gateway.wire.defined import KINDS, Defined, defined
from answerable.gateway.wire.events import Event, Events
from answerable.gateway.wire.heads import Returned
from answerable.gateway.wire.lists import MAX_LIST, UNKNOWN
from answerable.model.decision import Mode, Target
from answerable.model.pin import Kind as Item
from answerable.serving.mcp.call import Call
from answerable.serving.mcp.envelope import (
    CAPABILITIES_KEY,
    EVENTS,
    METHOD_HEADER,
    NAME_HEADER,
    VERSION_KEY,
)
from answerable.serving.mcp.messages import Kind
from answerable.serving.pins.keeper import PinKeeper
from answerable.serving.wire.head import MCP_PREFIX
from answerable.serving.wire.refusals import Refused, Why

MOST_PAGES = 32
OK = 200
CLIENT_INFO = "io.modelcontextprotocol/clientInfo"
METHODS = {item: method for method, item in KINDS.items()}
USES: Mapping[str, Item] = {"tools/call": Item.TOOL, "prompts/get": Item.PROMPT}
CHANGES: Mapping[str, Item] = {
    "notifications/tools/list_changed": Item.TOOL,
    "notifications/prompts/list_changed": Item.PROMPT,
}
_MIRRORS = (f"{MCP_PREFIX}param-", METHOD_HEADER, NAME_HEADER, "last-event-id")


class Definitions:
    """Learns what the servers of one worker define.

    Args:
        servers: The servers by name.
        pins: What they are held to; None where that is nothing.
    """

    def __init__(
        self, servers: Mapping[str, Upstream], pins: PinKeeper | None = None
    ) -> None:
        self._servers, self._pins = servers, pins

    def hear(self, call: Call, method: str, data: bytes) -> None:
        """Take an answer on its way to a client.

        Args:
            call: What it answers.
            method: Of the request; UNKNOWN for what came without being asked.
            data: The answer.

        Raises:
            Refused: It can be read in more ways than one, or in none.
        """
        if self._pins is not None and self._pins.holds(call.server):
            for each in defined(data, method):
                self._learn(call.server, each, is_asked=method != UNKNOWN)

    def withholds(self, passage: Passage, item: Item, name: str = "") -> bool:
        """Say whether something that is read, not called, is held back."""
        return (
            self._pins is not None
            and passage.decision.mode is Mode.ENFORCE
            and self._pins.withholds(passage.call.server, item, name)
        )

    def look(self, sent: Sent, changed: Item | None = None) -> None:
        """Ask the server of a message what it has, where that is not known.

        Args:
            sent: A message that was sent, or its server answers.
            changed: What the server says has changed; None where it says nothing.
        """
        server, pins = sent.call.server, self._pins
        if pins is None:
            return
        item = USES.get(sent.call.method) if changed is None else changed
        if item is None or not (changed or pins.is_stale(server, item)):
            return
        upstream = self._servers.get(server)
        if upstream is not None and pins.holds(server):
            pins.looking(server, item)
            _Asking(upstream, sent, item, self._learn).ask("")

    def _learn(self, server: str, found: Defined, *, is_asked: bool = True) -> None:
        if self._pins is None:
            return
        self._pins.listed(
            server,
            found.kind,
            found.items,
            is_last=not found.cursor,
            is_asked=is_asked,
        )


class _Asking:
    """One list that the gateway asks for, page by page; the `Sink` of each answer."""

    def __init__(
        self,
        upstream: Upstream,
        sent: Sent,
        item: Item,
        learn: Callable[[str, Defined], None],
    ) -> None:
        self._upstream, self._sent, self._learn = upstream, sent, learn
        self._method = METHODS[item]
        self._pages = MOST_PAGES
        self._id = ""
        self._parts: list[bytes] = []
        self._room = MAX_LIST
        self._events: Events | None = None
        self._watch = Watch(sent.shown.leaks if sent.shown else NONE)
        self._failed = False

    def ask(self, cursor: str) -> None:
        """Ask for the page at a cursor."""
        was = self._sent.call
        self._pages -= 1
        # Nobody else can know it, so that no other answer is taken for this one's.
        self._id = f"answerable-{secrets.token_hex(8)}"
        self._parts, self._room, self._events = [], MAX_LIST, None
        self._failed = False
        call = Call(
            was.era, Kind.REQUEST, self._method, self._id, was.server, Target.LIST,
            session=was.session,
        )  # fmt: skip
        onward = _onward(self._sent.onward, self._method, is_modern=was.era.is_modern)
        body = _body(call, cursor)
        sent = msgspec.structs.replace(self._sent, call=call, body=body, onward=onward)
        self._upstream.send(sent, self)

    def may_go_on(self) -> bool:
        """Nobody is asked that has become another one."""
        return False

    def on_head(self, returned: Returned, length: int | None) -> None:
        """The answer begins."""
        if returned.kind == EVENTS and returned.heading.status == OK:
            self._events = Events(MAX_LIST)

    def on_data(self, data: bytes) -> None:
        """Take a piece of it, as far as a list may be long."""
        try:
            data = self._watch.feed(data)
        except Refused:
            self._failed = True  # what it was shown is kept nowhere
        self._keep(data)

    def _keep(self, data: bytes) -> None:
        self._room -= len(data)
        if self._failed or self._room < 0:
            self._failed, self._parts = True, []
        elif self._events is None:
            self._parts.append(data)
        else:
            for event in self._events.feed(data):
                if isinstance(event, Event) and event.data:
                    self._hear(event.data)

    def on_end(self) -> None:
        """It is whole."""
        rest = self._watch.rest()
        if rest:
            self._keep(rest)
        if self._events is None and self._parts:
            self._hear(b"".join(self._parts))

    def on_lost(self, why: Why, *, forwarded: bool) -> None:
        """Leave it: a call that comes a little later asks again."""

    def _hear(self, data: bytes) -> None:
        """Learn from one message; what cannot be read defines nothing."""
        try:
            answer = read_answer(data)
            if answer.kind is not Kind.RESPONSE or answer.id != self._id:
                return
            found = defined(data, self._method)
        except Refused:
            return
        for each in found:
            self._learn(self._sent.call.server, each)
            if each.cursor and self._pages:
                self.ask(each.cursor)


def _onward(onward: bytes, method: str, *, is_modern: bool) -> bytes:
    """Spell the fields of a head that are the caller's, with those of our own message."""
    lines = onward.decode("latin-1").splitlines(keepends=True)
    kept = [line for line in lines if not line.lower().startswith(_MIRRORS)]
    if is_modern and onward:
        kept.append(f"{METHOD_HEADER}: {method}\r\n")
    return "".join(kept).encode("latin-1")


def _body(call: Call, cursor: str) -> bytes:
    params: dict[str, object] = {"cursor": cursor} if cursor else {}
    if call.era.is_modern:
        params["_meta"] = {
            VERSION_KEY: call.era.value,
            CLIENT_INFO: {"name": "answerable", "version": "1"},
            CAPABILITIES_KEY: {},
        }
    message = {"jsonrpc": "2.0", "id": call.id, "method": call.method}
    return msgspec.json.encode(message | ({"params": params} if params else {}))
