"""A list as one caller may see it: items are left out, all other bytes stay.

A caller learns of what it may call, and of nothing else. What it may call is decided
again at the call, so a list protects nobody; it spares a model what it cannot use. In
2026-07-28 such an answer is one caller's own, and is marked so for every cache between
(server/utilities/caching "cacheScope").
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import msgspec

from answerable.gateway.wire.answers import ANSWER_DEPTH
from answerable.model.decision import Target
from answerable.serving.mcp.members import (
    UNREADABLE,
    Span,
    after_white,
    is_object,
    members,
    refuse_lookalikes,
    spellings,
    text,
)
from answerable.serving.mcp.messages import read_message
from answerable.serving.wire.refusals import Refused, Why

MAX_LIST = 4 * 1024 * 1024
SCOPE = "cacheScope"
PRIVATE = b'"private"'
DISCOVER = "server/discover"
INITIALIZE = "initialize"
INSTRUCTIONS = "instructions"
_items = msgspec.json.Decoder(list[msgspec.Raw])

Edit = tuple[Span, bytes]


@dataclass(frozen=True, slots=True)
class Listing:
    """One kind of list.

    Attributes:
        key: Member of the result that holds the items.
        name: Member of an item that names it.
        target: What an item is.
        action: Method that would act on it; a caller that may not has no use for it.
        is_template: An item stands for many, and is not what is acted on.
    """

    key: str
    name: str
    target: Target
    action: str
    is_template: bool = False


LISTS: Mapping[str, Listing] = {
    "tools/list": Listing("tools", "name", Target.TOOL, "tools/call"),
    "resources/list": Listing("resources", "uri", Target.RESOURCE, "resources/read"),
    "resources/templates/list": Listing(
        *("resourceTemplates", "uriTemplate", Target.RESOURCE, "resources/read"),
        is_template=True,
    ),
    "prompts/list": Listing("prompts", "name", Target.PROMPT, "prompts/get"),
    "tasks/list": Listing("tasks", "taskId", Target.TASK, "tasks/get"),
}
FILTERED = LISTS.keys() | {DISCOVER}
# What is read whole before it goes on.
HELD = FILTERED | {INITIALIZE}
UNKNOWN = ""  # an answer on a resumed stream, to whatever was asked before


def for_caller(
    data: bytes,
    method: str,
    may: Callable[[Listing, str], bool],
    *,
    is_modern: bool,
    speaks: bool = True,
) -> bytes:
    """Leave out of an answer what its caller may not act on, or may not read.

    Args:
        data: A response that `read_answer` read.
        method: Of the request, one of HELD, or UNKNOWN.
        may: Says of an item's name whether the caller may act on it.
        is_modern: Mark it as the caller's own.
        speaks: The server's instructions go on.

    Returns:
        `data` itself where nothing changes.

    Raises:
        Refused: The list can be read in more ways than one, or in none.
    """
    span = read_message(data, ANSWER_DEPTH).result
    if span is None:
        return data
    result = members(data, span)
    listings = [each for name, each in LISTS.items() if method in (name, UNKNOWN)]
    known = (SCOPE, INSTRUCTIONS, *(each.key for each in listings))
    refuse_lookalikes(result, spellings(*known))
    edits: list[Edit] = []
    for listing in listings:
        if listing.key in result:
            edits += _left_out(data, result[listing.key], listing, may)
    if not speaks and INSTRUCTIONS in result:
        edits.append((result[INSTRUCTIONS], b'""'))
    if is_modern:
        edits += _marked(data, span, result)
    return _spliced(data, edits)


def _left_out(
    data: bytes, span: Span, listing: Listing, may: Callable[[Listing, str], bool]
) -> list[Edit]:
    items = spans(data, span)
    kept = [item for item in items if _may(data, item, listing, may)]
    if len(kept) == len(items):
        return []
    return [(span, b"[" + b",".join(data[item] for item in kept) + b"]")]


def spans(data: bytes, span: Span) -> list[Span]:
    """Where the items of an array stand.

    Raises:
        Refused: It is none.
    """
    try:
        items = _items.decode(memoryview(data)[span])
    except UNREADABLE:
        raise Refused(Why.EVENT_TYPE) from None
    found = []
    at = span.start
    for raw in items:
        # Before the first item stands `[`, before the others `,`.
        at = after_white(data, after_white(data, at) + 1)
        end = at + len(memoryview(raw))
        found.append(slice(at, end))
        at = end
    return found


def _may(
    data: bytes, item: Span, listing: Listing, may: Callable[[Listing, str], bool]
) -> bool:
    """Say whether the caller may act on an item; what cannot be read, nobody may."""
    if not is_object(data, item):
        return False
    try:
        found = members(data, item)
        refuse_lookalikes(found, spellings(listing.name))
    except Refused:
        return False
    name = text(data, found.get(listing.name))
    return name is not None and may(listing, name)


def _marked(data: bytes, span: Span, result: Mapping[str, Span]) -> list[Edit]:
    if SCOPE in result:
        is_private = data[result[SCOPE]] == PRIVATE
        return [] if is_private else [(result[SCOPE], PRIVATE)]
    at = span.start + 1
    member = b'"%b":%b' % (SCOPE.encode(), PRIVATE)
    return [(slice(at, at), member + (b"," if result else b""))]


def _spliced(data: bytes, edits: list[Edit]) -> bytes:
    for span, piece in sorted(edits, key=lambda edit: edit[0].start, reverse=True):
        data = data[: span.start] + piece + data[span.stop :]
    return data
