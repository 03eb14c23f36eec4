"""Remove items from a list that the caller may not use; keep all other bytes.

A caller sees what it may call, and nothing else. Each call is decided again, so a
filtered list protects nothing; it spares a model useless tools. In 2026-07-28 such an
answer is private to one caller, and is marked so for caches (server/utilities/caching
"cacheScope").
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import msgspec

from answerable.gateway.wire.server_messages import ANSWER_DEPTH
from answerable.model.decision import TargetKind
from answerable.server.mcp.json_members import (
    DECODE_ERRORS,
    Span,
    build_known_keys,
    find_object_members,
    is_object,
    read_string,
    refuse_lookalike_keys,
    skip_whitespace,
)
from answerable.server.mcp.messages import parse_message
from answerable.server.wire.refusals import RefusalReason, RequestRefused

MAX_LIST = 4 * 1024 * 1024
SCOPE = "cacheScope"
PRIVATE = b'"private"'
DISCOVER = "server/discover"
INITIALIZE = "initialize"
INSTRUCTIONS = "instructions"
_items = msgspec.json.Decoder(list[msgspec.Raw])

SpanEdit = tuple[Span, bytes]


@dataclass(frozen=True, slots=True)
class ListKind:
    """Kind of list.

    Attributes:
        key: Member of the result that holds the items.
        name: Member of an item that holds its name.
        target: Kind of object of an item.
        action: Method that uses an item; an item without permission for it is removed.
        is_template: An item stands for many objects.
    """

    key: str
    name: str
    target: TargetKind
    action: str
    is_template: bool = False


LISTS: Mapping[str, ListKind] = {
    "tools/list": ListKind("tools", "name", TargetKind.TOOL, "tools/call"),
    "resources/list": ListKind(
        "resources", "uri", TargetKind.RESOURCE, "resources/read"
    ),
    "resources/templates/list": ListKind(
        "resourceTemplates",
        "uriTemplate",
        TargetKind.RESOURCE,
        "resources/read",
        is_template=True,
    ),
    "prompts/list": ListKind("prompts", "name", TargetKind.PROMPT, "prompts/get"),
    "tasks/list": ListKind("tasks", "taskId", TargetKind.TASK, "tasks/get"),
}
FILTERED_METHODS = LISTS.keys() | {DISCOVER}
# Answers that are buffered before they are passed on.
BUFFERED_METHODS = FILTERED_METHODS | {INITIALIZE}
UNKNOWN = ""  # an answer on a resumed stream, to an unknown request


def filter_list_for_caller(
    data: bytes,
    method: str,
    is_allowed: Callable[[ListKind, str], bool],
    *,
    is_modern: bool,
    keep_instructions: bool = True,
) -> bytes:
    """Remove from an answer what its caller may not use or read.

    Args:
        data: A response that `read_answer` has parsed.
        method: Method of the request, one of HELD, or UNKNOWN.
        is_allowed: Tells whether the caller may use the item of a name.
        is_modern: Mark it as private to the caller.
        keep_instructions: Keep the server's instructions.

    Returns:
        `data` itself where nothing changes.

    Raises:
        Refused: The list is ambiguous or malformed.
    """
    span = parse_message(data, ANSWER_DEPTH).result
    if span is None:
        return data
    result = find_object_members(data, span)
    listings = [each for name, each in LISTS.items() if method in (name, UNKNOWN)]
    known = (SCOPE, INSTRUCTIONS, *(each.key for each in listings))
    refuse_lookalike_keys(result, build_known_keys(*known))
    edits: list[SpanEdit] = []
    for listing in listings:
        if listing.key in result:
            edits += _filter_items(data, result[listing.key], listing, is_allowed)
    if not keep_instructions and INSTRUCTIONS in result:
        edits.append((result[INSTRUCTIONS], b'""'))
    if is_modern:
        edits += _set_private_cache_scope(data, span, result)
    return _replace_byte_spans(data, edits)


def _filter_items(
    data: bytes,
    span: Span,
    listing: ListKind,
    is_allowed: Callable[[ListKind, str], bool],
) -> list[SpanEdit]:
    """Return the edit that removes forbidden items; none if all may stay."""
    items = find_item_spans(data, span)
    kept = [
        item for item in items if _may_use_list_item(data, item, listing, is_allowed)
    ]
    if len(kept) == len(items):
        return []
    return [(span, b"[" + b",".join(data[item] for item in kept) + b"]")]


def find_item_spans(data: bytes, span: Span) -> list[Span]:
    """Find the byte range of each item of a JSON array.

    Raises:
        Refused: It is no array.
    """
    try:
        items = _items.decode(memoryview(data)[span])
    except DECODE_ERRORS:
        raise RequestRefused(RefusalReason.EVENT_TYPE) from None
    found = []
    at = span.start
    for raw in items:
        # Before the first item stands `[`, before the others `,`.
        at = skip_whitespace(data, skip_whitespace(data, at) + 1)
        end = at + len(memoryview(raw))
        found.append(slice(at, end))
        at = end
    return found


def _may_use_list_item(
    data: bytes,
    item: Span,
    listing: ListKind,
    is_allowed: Callable[[ListKind, str], bool],
) -> bool:
    """Return whether the caller may use an item; a malformed one it may not."""
    if not is_object(data, item):
        return False
    try:
        found = find_object_members(data, item)
        refuse_lookalike_keys(found, build_known_keys(listing.name))
    except RequestRefused:
        return False
    name = read_string(data, found.get(listing.name))
    return name is not None and is_allowed(listing, name)


def _set_private_cache_scope(
    data: bytes, span: Span, result_members: Mapping[str, Span]
) -> list[SpanEdit]:
    """Return the edit that marks the filtered list as not cacheable for others."""
    if SCOPE in result_members:
        is_private = data[result_members[SCOPE]] == PRIVATE
        return [] if is_private else [(result_members[SCOPE], PRIVATE)]
    at = span.start + 1
    member = b'"%b":%b' % (SCOPE.encode(), PRIVATE)
    return [(slice(at, at), member + (b"," if result_members else b""))]


def _replace_byte_spans(data: bytes, edits: list[SpanEdit]) -> bytes:
    """Replace byte spans, from the last to the first."""
    for span, piece in sorted(edits, key=lambda edit: edit[0].start, reverse=True):
        data = data[: span.start] + piece + data[span.stop :]
    return data
