"""Parse a JSON-RPC message: its kind, and the byte spans of its parts.

Only the words that a decision needs are decoded. `arguments`, results and everything
else stay unparsed bytes, and are passed on as those bytes.

Sources: JSON-RPC 2.0 sections 4 and 5; MCP basic/index "Messages" (no null id, no
batches since 2025-06-18, params an object).
"""

import re
from collections.abc import Mapping

import msgspec

from answerable.model.decision import HashableStrEnum
from answerable.server.mcp.json_members import (
    MAX_DEPTH,
    WHITESPACE,
    Span,
    build_known_keys,
    check_encoding_and_depth,
    find_object_members,
    is_object,
    read_string,
    refuse_lookalike_keys,
)
from answerable.server.wire.refusals import RefusalReason, RequestRefused

MAX_ID = 256  # characters
# Beyond 53 bits two readers may hold two ids for one (RFC 8259 6).
INTEGER = re.compile(rb"-?(?:0|[1-9][0-9]{0,15})")
MAX_SAFE_INTEGER = 2**53 - 1
NO_LINE_ENDS = bytes.maketrans(b"\r\n", b"  ")

TOP_KEYS = build_known_keys("jsonrpc", "id", "method", "params", "result", "error")
PARAMS_KEYS = build_known_keys(
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


class MessageKind(HashableStrEnum):
    """Kind of a client's input: a kind of message, or a request without one."""

    REQUEST = "request"
    NOTIFICATION = "notification"
    RESPONSE = "response"
    OPEN = "open"  # GET: the stream of a session (2025-11-25 and before)
    CLOSE = "close"  # DELETE: the end of a session


class JsonRpcMessage(msgspec.Struct, frozen=True):
    """Unambiguous message.

    Attributes:
        kind: Request, notification or response.
        id: Id; None for a notification, and for an error without one.
        method: Method, empty for a response.
        params: Member of `params` -> span of its value in the body.
        result: Span of the result of a response, None where it is an error.
        error: Span of its error, None where it is a result.
    """

    kind: MessageKind
    id: str | int | None
    method: str
    params: Mapping[str, Span]
    result: Span | None = None
    error: Span | None = None


def parse_message(body: bytes, depth: int = MAX_DEPTH) -> JsonRpcMessage:
    """Parse one JSON-RPC message: request, notification or response.

    Raises:
        Refused: It is none, is several, or ambiguous; `id` is set where it could be
            read.
    """
    check_encoding_and_depth(body, depth)
    if body.lstrip(WHITESPACE)[:1] == b"[":
        raise RequestRefused(RefusalReason.BATCH)
    top = find_object_members(body)
    refuse_lookalike_keys(top, TOP_KEYS)
    if read_string(body, top.get("jsonrpc")) != "2.0":
        raise RequestRefused(RefusalReason.NOT_A_MESSAGE)
    if "method" in top:
        return _parse_request_or_notification(body, top)
    return _parse_response(body, top)


def _parse_request_or_notification(
    body: bytes, members: Mapping[str, Span]
) -> JsonRpcMessage:
    """Parse a JSON-RPC request, or a notification if it has no id."""
    id = parse_jsonrpc_id(body, members["id"]) if "id" in members else None
    method = read_string(body, members["method"])
    if method is None or "result" in members or "error" in members:
        raise RequestRefused(RefusalReason.NOT_A_MESSAGE, id=id)
    try:
        params = _parse_params(body, members.get("params"))
    except RequestRefused as refused:
        raise refused.with_request_id(id, method) from None
    kind = MessageKind.NOTIFICATION if id is None else MessageKind.REQUEST
    return JsonRpcMessage(kind, id, method, params)


def _parse_params(body: bytes, span: Span | None) -> dict[str, Span]:
    """Return the spans of the parameters; empty without any."""
    if span is None:
        return {}
    if not is_object(body, span):
        raise RequestRefused(RefusalReason.PARAMS_TYPE)
    params = find_object_members(body, span)
    refuse_lookalike_keys(params, PARAMS_KEYS)
    return params


def _parse_response(body: bytes, members: Mapping[str, Span]) -> JsonRpcMessage:
    """Parse a response: exactly one of result and error."""
    if ("result" in members) == ("error" in members) or "params" in members:
        raise RequestRefused(RefusalReason.NOT_A_MESSAGE)
    # An error about a message that could not be read has no id, or null for one.
    has_id = "id" in members and not (
        "error" in members and is_null(body, members["id"])
    )
    if not has_id and "result" in members:
        raise RequestRefused(RefusalReason.NOT_A_MESSAGE)
    id = parse_jsonrpc_id(body, members["id"]) if has_id else None
    return JsonRpcMessage(
        MessageKind.RESPONSE, id, "", {}, members.get("result"), members.get("error")
    )


def parse_jsonrpc_id(body: bytes, span: Span) -> str | int:
    """Parse a JSON-RPC id, or another value that is a string or number.

    Raises:
        Refused: It is neither a string nor an integer, or JSON readers may differ on
            it.
    """
    raw = body[span] if span.stop - span.start < 20 else b""
    if INTEGER.fullmatch(raw) is not None and abs(int(raw)) <= MAX_SAFE_INTEGER:
        return int(raw)
    said = read_string(body, span)
    if said is None or len(said) > MAX_ID:
        raise RequestRefused(RefusalReason.ID_TYPE, offset=span.start)
    return said


def to_one_line(body: bytes) -> bytes:
    """Return the same message on one line, as stdio needs it.

    A JSON string has no control characters, so a line end in parsed JSON is white
    space; unchanged, it would split one message in two.
    """
    if b"\n" in body or b"\r" in body:
        return body.translate(NO_LINE_ENDS)
    return body


def is_null(body: bytes, span: Span) -> bool:
    """Return whether the JSON value in a byte range is null."""
    return body[span] == b"null"
