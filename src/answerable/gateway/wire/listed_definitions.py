"""Find the definitions in a server's response: listed items, and instructions."""

from collections.abc import Mapping

import msgspec

from answerable.gateway.wire.list_filter import (
    DISCOVER,
    INITIALIZE,
    INSTRUCTIONS,
    LISTS,
    UNKNOWN,
    find_item_spans,
)
from answerable.gateway.wire.server_messages import ANSWER_DEPTH
from answerable.model.definition_pin import DefinitionKind
from answerable.server.mcp.json_members import (
    Span,
    build_known_keys,
    find_object_members,
    is_object,
    read_string,
    refuse_lookalike_keys,
)
from answerable.server.mcp.messages import is_null, parse_message
from answerable.server.wire.refusals import RequestRefused

NEXT = "nextCursor"
KINDS: Mapping[str, DefinitionKind] = {
    "tools/list": DefinitionKind.TOOL,
    "prompts/list": DefinitionKind.PROMPT,
    "resources/templates/list": DefinitionKind.TEMPLATE,
}
# The kind of an unsolicited result is known by its members.
SPEAKS = frozenset({DISCOVER, INITIALIZE, UNKNOWN})


class DefinedItems(msgspec.Struct, frozen=True):
    """Definitions of one kind in an answer.

    Attributes:
        items: Pairs (name, JSON).
        cursor: Cursor of the next page; empty for the last one.
    """

    kind: DefinitionKind
    items: tuple[tuple[str, bytes], ...]
    cursor: str = ""


def find_definitions(data: bytes, method: str) -> list[DefinedItems]:
    """Find the tool, prompt or resource definitions in a list answer.

    Args:
        data: A response that `read_answer` has parsed.
        method: Method of the request; UNKNOWN for an unsolicited message.

    Raises:
        Refused: It is ambiguous or malformed.
    """
    span = parse_message(data, ANSWER_DEPTH).result
    if span is None:
        return []
    result = find_object_members(data, span)
    found = []
    for name, kind in KINDS.items():
        listing = LISTS[name]
        if method in (name, UNKNOWN) and listing.key in result:
            refuse_lookalike_keys(result, build_known_keys(listing.key, NEXT))
            items = tuple(_list_named_items(data, result[listing.key], listing.name))
            cursor = read_string(data, result.get(NEXT)) or ""
            found.append(DefinedItems(kind, items, cursor))
    if method in SPEAKS:
        refuse_lookalike_keys(result, build_known_keys(INSTRUCTIONS))
        found += _find_instructions(data, result, method)
    return found


def _find_instructions(
    data: bytes, result: Mapping[str, Span], method: str
) -> list[DefinedItems]:
    """Find the server's `instructions` text in an `initialize` answer."""
    span = result.get(INSTRUCTIONS)
    if span is None or is_null(data, span):
        # The absence of instructions is pinned, too.
        return (
            [] if method == UNKNOWN else [DefinedItems(DefinitionKind.INSTRUCTIONS, ())]
        )
    return [DefinedItems(DefinitionKind.INSTRUCTIONS, (("", data[span]),))]


def _list_named_items(data: bytes, span: Span, key: str) -> list[tuple[str, bytes]]:
    """List the items with a name; an item without one is removed from the list."""
    found = []
    for item in find_item_spans(data, span):
        name = _read_item_name(data, item, key) if is_object(data, item) else None
        if name is not None:
            found.append((name, data[item]))
    return found


def _read_item_name(data: bytes, item: Span, key: str) -> str | None:
    """Read the name of an item; None if it is malformed."""
    try:
        return read_string(data, find_object_members(data, item).get(key))
    except RequestRefused:
        return None
