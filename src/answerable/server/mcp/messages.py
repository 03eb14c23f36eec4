"""JSON-RPC message: its kind, and the spans of its parts.

Only the words that a decision needs are decoded. `arguments`, results and everything
else stay unparsed bytes, and are passed on as those bytes.

Sources: JSON-RPC 2.0 sections 4 and 5; MCP basic/index "Messages" (no null id, no
batches since 2025-06-18, params an object).
"""

import re
from collections.abc import Mapping

import msgspec

from answerable.model.decision import Word
from answerable.server.mcp.json_members import (
    MAX_DEPTH,
    WHITE,
    Span,
    check_text,
    is_object,
    members,
    refuse_lookalikes,
    spellings,
    text,
)
from answerable.server.wire.refusals import Refused, Why

MAX_ID = 256  # characters
# Beyond 53 bits two readers may hold two ids for one (RFC 8259 6).
INTEGER = re.compile(rb"-?(?:0|[1-9][0-9]{0,15})")
SAFE = 2**53 - 1
NO_LINE_ENDS = bytes.maketrans(b"\r\n", b"  ")

TOP = spellings("jsonrpc", "id", "method", "params", "result", "error")
PARAMS = spellings(
    "_meta",
    "arguments",
    "inputResponses",
    "name",
    "notifications",
    "progressToken",
    "ref",
    "requestId",
    "requestState",
    "task",
    "taskId",
    "uri",
)


class Kind(Word):
    """Kind of a client's input: a kind of message, or a request without one."""

    REQUEST = "request"
    NOTIFICATION = "notification"
    RESPONSE = "response"
    OPEN = "open"  # GET: the stream of a session (2025-11-25 and before)
    CLOSE = "close"  # DELETE: the end of a session


class Message(msgspec.Struct, frozen=True):
    """Unambiguous message.

    Attributes:
        kind: Request, notification or response.
        id: Id; None for a notification, and for an error without one.
        method: Method, empty for a response.
        params: Member of `params` -> span of its value in the body.
        result: Span of the result of a response, None where it is an error.
        error: Span of its error, None where it is a result.
    """

    kind: Kind
    id: str | int | None
    method: str
    params: Mapping[str, Span]
    result: Span | None = None
    error: Span | None = None


def read_message(body: bytes, depth: int = MAX_DEPTH) -> Message:
    """Parse one message.

    Raises:
        Refused: It is none, is several, or ambiguous; `id` is set where it could be
            read.
    """
    check_text(body, depth)
    if body.lstrip(WHITE)[:1] == b"[":
        raise Refused(Why.BATCH)
    top = members(body)
    refuse_lookalikes(top, TOP)
    if text(body, top.get("jsonrpc")) != "2.0":
        raise Refused(Why.NOT_A_MESSAGE)
    if "method" in top:
        return _call(body, top)
    return _response(body, top)


def _call(body: bytes, top: Mapping[str, Span]) -> Message:
    """Parse a request or a notification."""
    id = read_id(body, top["id"]) if "id" in top else None
    method = text(body, top["method"])
    if method is None or "result" in top or "error" in top:
        raise Refused(Why.NOT_A_MESSAGE, id=id)
    try:
        params = _params(body, top.get("params"))
    except Refused as refused:
        raise refused.of(id, method) from None
    kind = Kind.NOTIFICATION if id is None else Kind.REQUEST
    return Message(kind, id, method, params)


def _params(body: bytes, span: Span | None) -> dict[str, Span]:
    if span is None:
        return {}
    if not is_object(body, span):
        raise Refused(Why.PARAMS_TYPE)
    params = members(body, span)
    refuse_lookalikes(params, PARAMS)
    return params


def _response(body: bytes, top: Mapping[str, Span]) -> Message:
    if ("result" in top) == ("error" in top) or "params" in top:
        raise Refused(Why.NOT_A_MESSAGE)
    # An error about a message that could not be read has no id, or null for one.
    has_id = "id" in top and not ("error" in top and is_null(body, top["id"]))
    if not has_id and "result" in top:
        raise Refused(Why.NOT_A_MESSAGE)
    id = read_id(body, top["id"]) if has_id else None
    return Message(Kind.RESPONSE, id, "", {}, top.get("result"), top.get("error"))


def read_id(body: bytes, span: Span) -> str | int:
    """Parse an id, or another value of the same type.

    Raises:
        Refused: It is neither a string nor an integer, or JSON readers may differ on
            it.
    """
    raw = body[span] if span.stop - span.start < 20 else b""
    if INTEGER.fullmatch(raw) is not None and abs(int(raw)) <= SAFE:
        return int(raw)
    said = text(body, span)
    if said is None or len(said) > MAX_ID:
        raise Refused(Why.ID_TYPE, offset=span.start)
    return said


def one_line(body: bytes) -> bytes:
    """Return the same message on one line, as stdio needs it.

    A JSON string has no control characters, so a line end in parsed JSON is white
    space; unchanged, it would split one message in two.
    """
    if b"\n" in body or b"\r" in body:
        return body.translate(NO_LINE_ENDS)
    return body


def is_null(body: bytes, span: Span) -> bool:
    """Tell whether a value is null."""
    return body[span] == b"null"
