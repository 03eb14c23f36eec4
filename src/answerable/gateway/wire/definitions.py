"""Definitions in a server's answer: the items of its lists, and its instructions."""

from collections.abc import Mapping

import msgspec

from answerable.gateway.wire.list_filter import (
    DISCOVER,
    INITIALIZE,
    INSTRUCTIONS,
    LISTS,
    UNKNOWN,
    spans,
)
from answerable.gateway.wire.server_messages import ANSWER_DEPTH
from answerable.model.pin import Kind
from answerable.server.mcp.json_members import (
    Span,
    is_object,
    members,
    refuse_lookalikes,
    spellings,
    text,
)
from answerable.server.mcp.messages import is_null, read_message
from answerable.server.wire.refusals import Refused

NEXT = "nextCursor"
KINDS: Mapping[str, Kind] = {
    "tools/list": Kind.TOOL,
    "prompts/list": Kind.PROMPT,
    "resources/templates/list": Kind.TEMPLATE,
}
# The kind of an unsolicited result is known by its members.
SPEAKS = frozenset({DISCOVER, INITIALIZE, UNKNOWN})


class Defined(msgspec.Struct, frozen=True):
    """Definitions of one kind in an answer.

    Attributes:
        items: Pairs (name, JSON).
        cursor: Cursor of the next page; empty for the last one.
    """

    kind: Kind
    items: tuple[tuple[str, bytes], ...]
    cursor: str = ""


def defined(data: bytes, method: str) -> list[Defined]:
    """Find the definitions in an answer.

    Args:
        data: A response that `read_answer` has parsed.
        method: Method of the request; UNKNOWN for an unsolicited message.

    Raises:
        Refused: It is ambiguous or malformed.
    """
    span = read_message(data, ANSWER_DEPTH).result
    if span is None:
        return []
    result = members(data, span)
    found = []
    for name, kind in KINDS.items():
        listing = LISTS[name]
        if method in (name, UNKNOWN) and listing.key in result:
            refuse_lookalikes(result, spellings(listing.key, NEXT))
            items = tuple(_items(data, result[listing.key], listing.name))
            cursor = text(data, result.get(NEXT)) or ""
            found.append(Defined(kind, items, cursor))
    if method in SPEAKS:
        refuse_lookalikes(result, spellings(INSTRUCTIONS))
        found += _instructions(data, result, method)
    return found


def _instructions(
    data: bytes, result: Mapping[str, Span], method: str
) -> list[Defined]:
    span = result.get(INSTRUCTIONS)
    if span is None or is_null(data, span):
        # The absence of instructions is pinned, too.
        return [] if method == UNKNOWN else [Defined(Kind.INSTRUCTIONS, ())]
    return [Defined(Kind.INSTRUCTIONS, (("", data[span]),))]


def _items(data: bytes, span: Span, key: str) -> list[tuple[str, bytes]]:
    """List the items with a name; an item without one is removed from the list."""
    found = []
    for item in spans(data, span):
        name = _name(data, item, key) if is_object(data, item) else None
        if name is not None:
            found.append((name, data[item]))
    return found


def _name(data: bytes, item: Span, key: str) -> str | None:
    try:
        return text(data, members(data, item).get(key))
    except Refused:
        return None
