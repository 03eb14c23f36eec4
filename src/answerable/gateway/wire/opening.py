"""The opening of a request: its head, and all that follows from it alone.

A client that keeps its connection sends nearly the same head each time. What stands
here of a head is a function of its bytes, and of nothing else, so the same bytes are
read once. Who sent it is no part of that: a caller is identified with each request.
"""

from collections.abc import Callable

import msgspec

from answerable.gateway.wire.heads import onward
from answerable.gateway.wire.plain import TOOLS_CALL, Plain, plain_call
from answerable.serving.mcp.call import Call, digest, read_call
from answerable.serving.mcp.envelope import (
    METHOD_HEADER,
    NAME_HEADER,
    check_types,
    decoded,
    era_of,
    session_of,
)
from answerable.serving.mcp.place import described_by, server_of
from answerable.serving.wire.head import Head, read_head
from answerable.serving.wire.refusals import Refused

MOST = 1024  # heads that are remembered
MAX_REMEMBERED = 4096  # bytes of one
# What differs from one request to the next: such a head does not come again.
FLEETING = frozenset({"dpop", "last-event-id", "traceparent"})


class Opening(msgspec.Struct, frozen=True):
    """What a head says.

    Attributes:
        head: The head.
        length: Bytes of the body, -1 where it is chunked.
        described: Target whose metadata is asked for, empty mostly.
        onward: Fields of it that go to the server, spelled.
        plain: How its body may be read in short; None where only in full.
    """

    head: Head
    length: int
    described: str
    onward: bytes
    plain: Plain | None

    def __repr__(self) -> str:
        """Show no field: some mirror what is in the body."""
        return f"Opening({self.head!r})"


def read_opening(data: bytes) -> Opening:
    """Read a head, as `read_head` does.

    Raises:
        Refused: As there.
    """
    head = read_head(data)
    return Opening(
        head, head.length, described_by(head), onward(head.fields), _plain(head)
    )


def _plain(head: Head) -> Plain | None:
    """What a body must agree with; None where something else is to be said of it."""
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
    """Read one request of a client over Streamable HTTP, as `read_call` does.

    Args:
        opening: Its head, whose place was checked.
        body: Its body, whole.

    Raises:
        Refused: As there.
    """
    call = None if opening.plain is None else plain_call(body, opening.plain)
    return read_call(opening.head, body) if call is None else call


def remembering(
    read: Callable[[bytes], Opening] = read_opening,
) -> Callable[[bytes], Opening]:
    """Give a reader that reads the same bytes once; what is refused is read again."""
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
