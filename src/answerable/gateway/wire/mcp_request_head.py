"""Parse the head of an MCP request over HTTP, with a cache of equal heads.

A client that keeps its connection sends nearly the same head each time. A parsed head
is a function of its bytes alone, so equal bytes are parsed once. The caller is no part
of it, and is authenticated with each request.
"""

from collections.abc import Callable

import msgspec

from answerable.gateway.wire.fast_message_parser import (
    TOOLS_CALL,
    ExpectedCall,
    parse_plain_tool_call,
)
from answerable.gateway.wire.http_heads import encode_forwarded_fields
from answerable.server.mcp.call import McpCall, parse_http_call, sha256_hex
from answerable.server.mcp.request_metadata import (
    METHOD_HEADER,
    NAME_HEADER,
    check_media_types,
    decode_mirrored_header,
    parse_revision,
    parse_session_id,
)
from answerable.server.mcp.server_target_path import (
    parse_metadata_target,
    parse_server_name,
)
from answerable.server.wire.refusals import RequestRefused
from answerable.server.wire.request_head import HttpRequestHead, parse_head

MAX_CACHED = 1024  # cached heads
MAX_SEEN = 4096  # hashes of heads that came once
MAX_CACHED_BYTES = 4096  # bytes of one
MAX_TOTAL_BYTES = 1 << 20  # bytes of all
# Fields that differ in each request: such a head is not cached.
UNCACHED_FIELDS = frozenset({"dpop", "last-event-id", "traceparent"})


class McpRequestHead(msgspec.Struct, frozen=True):
    """Parsed head of a request.

    Attributes:
        length: Bytes of the body, -1 where it is chunked.
        described: Target of a request for metadata, else empty.
        onward: Fields that are forwarded to the server, encoded.
        plain: Expected call for the fast parser; None for the full parser.
    """

    head: HttpRequestHead
    length: int
    described: str
    onward: bytes
    plain: ExpectedCall | None

    def __repr__(self) -> str:
        """Show no field: some mirror the body."""
        return f"Opening({self.head!r})"


def parse_request_head(data: bytes) -> McpRequestHead:
    """Parse an HTTP request head, and the MCP server and call it names.

    Raises:
        Refused: As there.
    """
    head = parse_head(data)
    return McpRequestHead(
        head,
        head.length,
        parse_metadata_target(head),
        encode_forwarded_fields(head.fields),
        _build_expected_call(head),
    )


def _build_expected_call(head: HttpRequestHead) -> ExpectedCall | None:
    """Return the call that the head announces; None unless it is a plain tool call."""
    if head.method != "POST":
        return None
    try:
        server, era = parse_server_name(head.target), parse_revision(head.fields)
        check_media_types(head)
        session = parse_session_id(head.fields, era)
    except RequestRefused:
        return None
    method = head.fields.get(METHOD_HEADER)
    name = head.fields.get(NAME_HEADER)
    named = None if name is None else decode_mirrored_header(name)
    if method != TOOLS_CALL and (era.is_modern or method is not None):
        return None
    if named is None and (era.is_modern or name is not None):
        return None
    return ExpectedCall(era, server, named, sha256_hex(session) if session else "")


def parse_request(request_head: McpRequestHead, body: bytes) -> McpCall:
    """Parse one request of a client over Streamable HTTP, as `parse_http_call` does.

    Args:
        request_head: Its head, whose place was checked.
        body: Its complete body.

    Raises:
        Refused: As there.
    """
    call = (
        None
        if request_head.plain is None
        else parse_plain_tool_call(body, request_head.plain)
    )
    return parse_http_call(request_head.head, body) if call is None else call


def cache_repeated_heads(
    parse: Callable[[bytes], McpRequestHead] = parse_request_head,
) -> Callable[[bytes], McpRequestHead]:
    """Return a parser that caches heads that come a second time.

    A flood of heads that never come again takes no room; a refused head is parsed again.
    """
    known: dict[bytes, McpRequestHead] = {}
    seen: set[int] = set()
    total = 0  # bytes of the cached heads

    def is_repeated(data: bytes) -> bool:
        """Return whether a head came before; note it if not."""
        mark = hash(data)
        if mark in seen:
            return True
        if len(seen) >= MAX_SEEN:
            seen.clear()
        seen.add(mark)
        return False

    def remember(data: bytes) -> McpRequestHead:
        nonlocal total
        found = known.get(data)
        if found is None:
            found = parse(data)
            may_repeat = UNCACHED_FIELDS.isdisjoint(found.head.fields)
            if may_repeat and len(data) <= MAX_CACHED_BYTES and is_repeated(data):
                if len(known) >= MAX_CACHED or total + len(data) > MAX_TOTAL_BYTES:
                    known.clear()
                    total = 0
                known[data] = found
                total += len(data)
        return found

    return remember
