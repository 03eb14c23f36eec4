"""Ids in a message, and their replacement; every other byte stays.

Several clients may share a process, which distinguishes their requests by id. So an id
is replaced where another open request has the same one, and only there.
"""

from collections.abc import Iterable, Mapping

import msgspec

from answerable.server.mcp.json_members import Span, is_object, members
from answerable.server.mcp.messages import read_id
from answerable.server.wire.refusals import Refused

Id = str | int
Place = tuple[str, ...]

ID: Place = ("id",)
TOKEN: Place = ("params", "_meta", "progressToken")
PROGRESS_OF: Place = ("params", "progressToken")
ABOUT: Place = ("params", "requestId")
# 2026-07-28 basic/patterns/subscriptions: the id of the request that listens.
_SUBSCRIPTION = "io.modelcontextprotocol/subscriptionId"
SUBSCRIPTION: Place = ("params", "_meta", _SUBSCRIPTION)
SUBSCRIPTION_ENDED: Place = ("result", "_meta", _SUBSCRIPTION)


def id_at(body: bytes, place: Place) -> Id | None:
    """Find the id at a path; None where there is none."""
    try:
        span = _span(body, place)
        return None if span is None else read_id(body, span)
    except Refused:
        return None


def with_ids(body: bytes, ids: Mapping[Place, Id]) -> bytes:
    """Replace the ids at some paths; a missing one is not added.

    Args:
        body: A message that `read_message` has parsed.
        ids: New id by path.
    """
    edits = [(_span(body, place), spelled(id)) for place, id in ids.items()]
    for span, piece in _last_first(edits):
        body = body[: span.start] + piece + body[span.stop :]
    return body


def spelled(id: Id) -> bytes:
    """Encode an id as JSON."""
    return msgspec.json.encode(id)


def _last_first(
    edits: Iterable[tuple[Span | None, bytes]],
) -> list[tuple[Span, bytes]]:
    there = [(span, piece) for span, piece in edits if span is not None]
    return sorted(there, key=lambda edit: edit[0].start, reverse=True)


def _span(body: bytes, place: Place) -> Span | None:
    span: Span | None = None
    for key in place:
        if span is not None and not is_object(body, span):
            return None
        span = members(body, span).get(key)
        if span is None:
            return None
    return span
