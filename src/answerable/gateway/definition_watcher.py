"""Definitions of servers (tools, prompts, templates), learned from answers.

Clients need not list anything: at the first call of a tool or prompt, and then once a
minute, the gateway itself requests the server's list, as the caller does. A server that
announces a changed list is queried at once.
"""

import secrets
from collections.abc import Callable, Mapping

import msgspec

from answerable.gateway.in_flight_call import Passage
from answerable.gateway.upstream import Sent, Upstream
from answerable.gateway.upstream_credentials.leak_filter import NONE, Watch
from answerable.gateway.wire.definitions import KINDS, Defined, defined
from answerable.gateway.wire.event_stream import Event, Events
from answerable.gateway.wire.http_heads import Returned
from answerable.gateway.wire.list_filter import MAX_LIST, UNKNOWN
from answerable.gateway.wire.server_messages import read_answer
from answerable.model.decision import Mode, Target
from answerable.model.pin import Kind as Item
from answerable.server.mcp.call import Call
from answerable.server.mcp.messages import Kind
from answerable.server.mcp.request_metadata import (
    CAPABILITIES_KEY,
    EVENTS,
    METHOD_HEADER,
    NAME_HEADER,
    VERSION_KEY,
)
from answerable.server.pins.pin_enforcer import PinKeeper
from answerable.server.wire.refusals import Refused, Why
from answerable.server.wire.request_head import MCP_PREFIX

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
    """Learns the definitions of the servers of one worker.

    Args:
        pins: Pinned definitions; None where nothing is pinned.
    """

    def __init__(
        self, servers: Mapping[str, Upstream], pins: PinKeeper | None = None
    ) -> None:
        self._servers, self._pins = servers, pins

    def hear(self, call: Call, method: str, data: bytes) -> None:
        """Learn the definitions in an answer on its way to a client.

        Args:
            call: The call that it answers.
            method: Method of the request; UNKNOWN for an unsolicited message.
            data: The message.

        Raises:
            Refused: The message is ambiguous or malformed.
        """
        if self._pins is not None and self._pins.holds(call.server):
            for each in defined(data, method):
                self._learn(call.server, each, is_asked=method != UNKNOWN)

    def withholds(self, passage: Passage, item: Item, name: str = "") -> bool:
        """Tell whether a listed item is in quarantine and its agent's mode enforces."""
        return (
            self._pins is not None
            and passage.decision.mode is Mode.ENFORCE
            and self._pins.withholds(passage.call.server, item, name)
        )

    def look(self, sent: Sent, changed: Item | None = None) -> None:
        """Request the list of a server where it is stale or has changed.

        Args:
            sent: A message to that server, or one that it answers.
            changed: Kind of list that the server announced as changed, or None.
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
    """Fetch of one list, page by page; the response sink of each page."""

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
        """Request the page at a cursor."""
        was = self._sent.call
        self._pages -= 1
        # Unguessable, so that no other answer is mistaken for this one's.
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
        """Refuse to send to a server whose identity has changed."""
        return False

    def on_head(self, returned: Returned, length: int | None) -> None:
        """Take the head of the answer."""
        if returned.kind == EVENTS and returned.heading.status == OK:
            self._events = Events(MAX_LIST)

    def on_data(self, data: bytes) -> None:
        """Take a piece of the body, up to the size limit of a list."""
        try:
            data = self._watch.feed(data)
        except Refused:
            self._failed = True  # a leaked credential is stored nowhere
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
        """Learn from the complete answer."""
        rest = self._watch.rest()
        if rest:
            self._keep(rest)
        if self._events is None and self._parts:
            self._hear(b"".join(self._parts))

    def on_lost(self, why: Why, *, forwarded: bool) -> None:
        """Ignore the failure: a later call requests the list again."""

    def _hear(self, data: bytes) -> None:
        """Learn from one message; an unreadable one defines nothing."""
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
    """Keep the caller's forwarded fields and replace those that mirror the message."""
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
