"""Learn the definitions of tools, prompts and templates from servers' responses.

Clients need not call `tools/list`: at the first call of a tool or prompt, and then once a
minute, the gateway itself requests the server's list, as the caller does. A server that
announces a changed list is queried at once.
"""

import secrets
from collections.abc import Callable, Mapping

import msgspec

from answerable.gateway.in_flight_call import InFlightCall
from answerable.gateway.upstream import Upstream, UpstreamRequest
from answerable.gateway.upstream_credentials.leak_filter import NO_SECRETS, LeakFilter
from answerable.gateway.wire.event_stream import SseEvent, SseParser
from answerable.gateway.wire.http_heads import UpstreamHead
from answerable.gateway.wire.list_filter import MAX_LIST, UNKNOWN
from answerable.gateway.wire.listed_definitions import (
    KINDS,
    DefinedItems,
    find_definitions,
)
from answerable.gateway.wire.server_messages import parse_server_message
from answerable.model.decision import EnforcementMode, TargetKind
from answerable.model.definition_pin import DefinitionKind as Item
from answerable.server.mcp.call import McpCall
from answerable.server.mcp.messages import MessageKind
from answerable.server.mcp.request_metadata import (
    CAPABILITIES_KEY,
    EVENT_STREAM,
    METHOD_HEADER,
    NAME_HEADER,
    VERSION_KEY,
)
from answerable.server.pins.pin_enforcer import PinEnforcer
from answerable.server.wire.refusals import RefusalReason, RequestRefused
from answerable.server.wire.request_head import MCP_PREFIX

MAX_PAGES = 32
HTTP_OK = 200
CLIENT_INFO = "io.modelcontextprotocol/clientInfo"
LIST_METHODS = {item: method for method, item in KINDS.items()}
ITEM_BY_METHOD: Mapping[str, Item] = {
    "tools/call": Item.TOOL,
    "prompts/get": Item.PROMPT,
}
ITEM_BY_NOTIFICATION: Mapping[str, Item] = {
    "notifications/tools/list_changed": Item.TOOL,
    "notifications/prompts/list_changed": Item.PROMPT,
}
_MIRRORED_HEADERS = (f"{MCP_PREFIX}param-", METHOD_HEADER, NAME_HEADER, "last-event-id")


class DefinitionWatcher:
    """Learns the definitions of the servers of one worker.

    Args:
        pins: Pinned definitions; None where nothing is pinned.
    """

    def __init__(
        self, servers: Mapping[str, Upstream], pins: PinEnforcer | None = None
    ) -> None:
        self._servers, self._pins = servers, pins

    def learn_from_answer(self, call: McpCall, method: str, data: bytes) -> None:
        """Compare the definitions in an answer to a client with the pinned ones.

        Args:
            call: The call that it answers.
            method: Method of the request; UNKNOWN for an unsolicited message.
            data: The message.

        Raises:
            Refused: The message is ambiguous or malformed.
        """
        if self._pins is not None and self._pins.is_pinned(call.server):
            for each in find_definitions(data, method):
                self._compare_with_pins(
                    call.server, each, is_solicited=method != UNKNOWN
                )

    def is_quarantined_item(
        self, in_flight: InFlightCall, item: Item, name: str = ""
    ) -> bool:
        """Return whether a listed item is in quarantine and its agent's mode enforces."""
        return (
            self._pins is not None
            and in_flight.decision.mode is EnforcementMode.ENFORCE
            and self._pins.is_quarantined(in_flight.call.server, item, name)
        )

    def fetch_stale_list(
        self, request: UpstreamRequest, changed_kind: Item | None = None
    ) -> None:
        """Request the list of a server where it is stale or has changed.

        Args:
            request: A message to that server, or one that it answers.
            changed_kind: Kind of list that the server announced as changed, or None.
        """
        server, pins = request.call.server, self._pins
        if pins is None:
            return
        item = (
            ITEM_BY_METHOD.get(request.call.method)
            if changed_kind is None
            else changed_kind
        )
        if item is None or not (changed_kind or pins.is_list_stale(server, item)):
            return
        upstream = self._servers.get(server)
        if upstream is not None and pins.is_pinned(server):
            pins.mark_list_requested(server, item)
            _DefinitionFetch(
                upstream, request, item, self._compare_with_pins
            ).fetch_page("")

    def _compare_with_pins(
        self, server: str, items: DefinedItems, *, is_solicited: bool = True
    ) -> None:
        """Compare the items of a list with the server's pins."""
        if self._pins is None:
            return
        self._pins.compare_list(
            server,
            items.kind,
            items.items,
            is_last=not items.cursor,
            is_requested=is_solicited,
        )


class _DefinitionFetch:
    """Fetch of one list, page by page; the response sink of each page."""

    def __init__(
        self,
        upstream: Upstream,
        sent: UpstreamRequest,
        item: Item,
        learn: Callable[[str, DefinedItems], None],
    ) -> None:
        self._upstream, self._sent, self._learn = upstream, sent, learn
        self._method = LIST_METHODS[item]
        self._pages = MAX_PAGES
        self._id = ""
        self._parts: list[bytes] = []
        self._room = MAX_LIST
        self._events: SseParser | None = None
        self._watch = LeakFilter(sent.shown.leaks if sent.shown else NO_SECRETS)
        self._failed = False

    def fetch_page(self, cursor: str) -> None:
        """Request one page of the server's tool list, from a cursor."""
        was = self._sent.call
        self._pages -= 1
        # Unguessable, so that no other answer is mistaken for this one's.
        self._id = f"answerable-{secrets.token_hex(8)}"
        self._parts, self._room, self._events = [], MAX_LIST, None
        self._failed = False
        call = McpCall(
            was.era,
            MessageKind.REQUEST,
            self._method,
            self._id,
            was.server,
            TargetKind.LIST,
            session=was.session,
        )
        onward = _build_forwarded_headers(
            self._sent.onward, self._method, is_modern=was.era.is_modern
        )
        body = _build_list_request(call, cursor)
        sent = msgspec.structs.replace(self._sent, call=call, body=body, onward=onward)
        self._upstream.send(sent, self)

    def may_send_again(self) -> bool:
        """Return False: a server whose identity has changed gets no request."""
        return False

    def on_head(self, head: UpstreamHead, length: int | None) -> None:
        """Receive the head of the server's answer to the list request."""
        if head.kind == EVENT_STREAM and head.heading.status == HTTP_OK:
            self._events = SseParser(MAX_LIST)

    def on_data(self, data: bytes) -> None:
        """Receive a piece of the body, up to the size limit of a list."""
        try:
            data = self._watch.check_body_piece(data)
        except RequestRefused:
            self._failed = True  # a leaked credential is stored nowhere
        self._buffer_data(data)

    def _buffer_data(self, data: bytes) -> None:
        """Buffer a piece of the body, or learn from the events that it completes."""
        self._room -= len(data)
        if self._failed or self._room < 0:
            self._failed, self._parts = True, []
        elif self._events is None:
            self._parts.append(data)
        else:
            for event in self._events.feed(data):
                if isinstance(event, SseEvent) and event.data:
                    self._learn_from_message(event.data)

    def on_end(self) -> None:
        """Learn from the complete answer; request the next page, if there is one."""
        rest = self._watch.take_buffered_bytes()
        if rest:
            self._buffer_data(rest)
        if self._events is None and self._parts:
            self._learn_from_message(b"".join(self._parts))

    def on_lost(self, reason: RefusalReason, *, forwarded: bool) -> None:
        """Ignore the failure: a later call requests the list again."""

    def _learn_from_message(self, data: bytes) -> None:
        """Learn from one message; an unreadable one defines nothing."""
        try:
            answer = parse_server_message(data)
            if answer.kind is not MessageKind.RESPONSE or answer.id != self._id:
                return
            found = find_definitions(data, self._method)
        except RequestRefused:
            return
        for each in found:
            self._learn(self._sent.call.server, each)
            if each.cursor and self._pages:
                self.fetch_page(each.cursor)


def _build_forwarded_headers(headers: bytes, method: str, *, is_modern: bool) -> bytes:
    """Keep the caller's forwarded fields and replace those that mirror the message."""
    lines = headers.decode("latin-1").splitlines(keepends=True)
    kept = [line for line in lines if not line.lower().startswith(_MIRRORED_HEADERS)]
    if is_modern and headers:
        kept.append(f"{METHOD_HEADER}: {method}\r\n")
    return "".join(kept).encode("latin-1")


def _build_list_request(call: McpCall, cursor: str) -> bytes:
    """Build the JSON-RPC request for one page of a list."""
    params: dict[str, object] = {"cursor": cursor} if cursor else {}
    if call.era.is_modern:
        params["_meta"] = {
            VERSION_KEY: call.era.value,
            CLIENT_INFO: {"name": "answerable", "version": "1"},
            CAPABILITIES_KEY: {},
        }
    message = {"jsonrpc": "2.0", "id": call.id, "method": call.method}
    return msgspec.json.encode(message | ({"params": params} if params else {}))
