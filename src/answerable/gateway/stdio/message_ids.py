"""Replace JSON-RPC ids in a message, with every other byte unchanged.

Several clients may share a process, which distinguishes their requests by id. So an id
is replaced where another open request has the same one, and only there.
"""

from collections.abc import Iterable, Mapping

import msgspec

from answerable.server.mcp.json_members import Span, find_object_members, is_object
from answerable.server.mcp.messages import parse_jsonrpc_id
from answerable.server.wire.refusals import RequestRefused

MessageId = str | int
IdPath = tuple[str, ...]

ID: IdPath = ("id",)
TOKEN: IdPath = ("params", "_meta", "progressToken")
PROGRESS_OF: IdPath = ("params", "progressToken")
ABOUT: IdPath = ("params", "requestId")
# 2026-07-28 basic/patterns/subscriptions: the id of the request that listens.
_SUBSCRIPTION = "io.modelcontextprotocol/subscriptionId"
SUBSCRIPTION: IdPath = ("params", "_meta", _SUBSCRIPTION)
SUBSCRIPTION_ENDED: IdPath = ("result", "_meta", _SUBSCRIPTION)


def find_id_at_path(body: bytes, path: IdPath) -> MessageId | None:
    """Find the id at a path; None where there is none."""
    try:
        span = _find_member_span(body, path)
        return None if span is None else parse_jsonrpc_id(body, span)
    except RequestRefused:
        return None


def replace_ids(body: bytes, ids: Mapping[IdPath, MessageId]) -> bytes:
    """Replace the ids at some paths; a missing one is not added.

    Args:
        body: A message that `read_message` has parsed.
        ids: New id by path.
    """
    edits = [
        (_find_member_span(body, place), msgspec.json.encode(id))
        for place, id in ids.items()
    ]
    for span, piece in _sort_byte_edits(edits):
        body = body[: span.start] + piece + body[span.stop :]
    return body


def _sort_byte_edits(
    edits: Iterable[tuple[Span | None, bytes]],
) -> list[tuple[Span, bytes]]:
    """Drop edits without a span, and sort the others from last to first."""
    there = [(span, piece) for span, piece in edits if span is not None]
    return sorted(there, key=lambda edit: edit[0].start, reverse=True)


def _find_member_span(body: bytes, path: IdPath) -> Span | None:
    """Find the bytes of a member at a path; None if it is missing."""
    span: Span | None = None
    for key in path:
        if span is not None and not is_object(body, span):
            return None
        span = find_object_members(body, span).get(key)
        if span is None:
            return None
    return span
