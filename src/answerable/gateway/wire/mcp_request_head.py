"""Head of an MCP request, with everything that follows from it alone.

A client that keeps its connection sends nearly the same head each time. A parsed head
is a function of its bytes alone, so equal bytes are parsed once. The caller is no part
of it, and is authenticated with each request.
"""

from collections.abc import Callable

import msgspec

from answerable.gateway.wire.fast_path import TOOLS_CALL, Plain, plain_call
from answerable.gateway.wire.http_heads import onward
from answerable.server.mcp.call import Call, digest, read_call
from answerable.server.mcp.request_metadata import (
    METHOD_HEADER,
    NAME_HEADER,
    check_types,
    decoded,
    era_of,
    session_of,
)
from answerable.server.mcp.server_path import described_by, server_of
from answerable.server.wire.refusals import Refused
from answerable.server.wire.request_head import Head, read_head

MOST = 1024  # cached heads
MAX_REMEMBERED = 4096  # bytes of one
# Fields that differ in each request: such a head is not cached.
FLEETING = frozenset({"dpop", "last-event-id", "traceparent"})


class Opening(msgspec.Struct, frozen=True):
    """Parsed head of a request.

    Attributes:
        length: Bytes of the body, -1 where it is chunked.
        described: Target of a request for metadata, else empty.
        onward: Fields that are forwarded to the server, encoded.
        plain: Expected call for the fast parser; None for the full parser.
    """

    head: Head
    length: int
    described: str
    onward: bytes
    plain: Plain | None

    def __repr__(self) -> str:
        """Show no field: some mirror the body."""
        return f"Opening({self.head!r})"


def read_opening(data: bytes) -> Opening:
    """Parse a head, as `read_head` does.

    Raises:
        Refused: As there.
    """
    head = read_head(data)
    return Opening(
        head, head.length, described_by(head), onward(head.fields), _plain(head)
    )


def _plain(head: Head) -> Plain | None:
    """Return the call that the head announces; None unless it is a plain tool call."""
    if head.method != "POST":
        return None
    try:
        server, era = server_of(head.target), era_of(head.fields)
        check_types(head)
        session = session_of(head.fields, era)
    except Refused:
        return None
    method = head.fields.get(METHOD_HEADER)
    name = head.fields.get(NAME_HEADER)
    named = None if name is None else decoded(name)
    if method != TOOLS_CALL and (era.is_modern or method is not None):
        return None
    if named is None and (era.is_modern or name is not None):
        return None
    return Plain(era, server, named, digest(session) if session else "")


def read_request(opening: Opening, body: bytes) -> Call:
    """Parse one request of a client over Streamable HTTP, as `read_call` does.

    Args:
        opening: Its head, whose place was checked.
        body: Its complete body.

    Raises:
        Refused: As there.
    """
    call = None if opening.plain is None else plain_call(body, opening.plain)
    return read_call(opening.head, body) if call is None else call


def remembering(
    read: Callable[[bytes], Opening] = read_opening,
) -> Callable[[bytes], Opening]:
    """Return a parser that caches its results; a refused head is parsed again."""
    known: dict[bytes, Opening] = {}

    def remember(data: bytes) -> Opening:
        found = known.get(data)
        if found is None:
            found = read(data)
            comes_again = FLEETING.isdisjoint(found.head.fields)
            if comes_again and len(data) <= MAX_REMEMBERED:
                if len(known) >= MOST:
                    known.clear()
                known[data] = found
        return found

    return remember
