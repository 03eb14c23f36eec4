"""Parse the members of a server's message that records and decisions need.

Contents are never decoded: only the keys at the first level of a result are read, so a
large one costs a scan and no objects. `requestState` and task ids are kept as digests:
they come back from the client, and must come back from the same one.

Sources: 2026-07-28 basic/index "Responses", basic/patterns/mrtr "InputRequiredResult";
2025-11-25 basic/utilities/tasks "Creating Tasks"; server/tools "Error Handling".
"""

from collections.abc import Mapping

import msgspec

from answerable.server.mcp.call import sha256_hex
from answerable.server.mcp.json_members import (
    Span,
    build_known_keys,
    find_object_members,
    is_object,
    read_string,
    refuse_lookalike_keys,
)
from answerable.server.mcp.messages import INTEGER, MessageKind, parse_message
from answerable.server.mcp.methods import INPUT_METHODS
from answerable.server.wire.refusals import RefusalReason, RequestRefused

ANSWER_DEPTH = 256
RESULT = build_known_keys(
    "inputRequests", "isError", "requestState", "resultType", "task", "taskId"
)
TASK = build_known_keys("taskId")
ERROR = build_known_keys("code", "message", "data")
INPUT = build_known_keys("method", "params")
COMPLETE = "complete"


class ServerMessage(msgspec.Struct, frozen=True, gc=False):
    """Parsed message of a server.

    Attributes:
        kind: Response, notification, or a request to the client (2025-11-25 and
            before).
        id: Id of the message; None for a notification, and for an error without one.
        method: Method, empty for a response.
        code: JSON-RPC error code, 0 without an error.
        failed: The tool reports its own failure (`isError`).
        result_type: `complete` by default; empty without a result.
        state: SHA-256 of `requestState`, empty without one.
        task: SHA-256 of the id of the created task, empty without one.
        inputs: Methods that the server requests of the client; each is an action of its
            own.
    """

    kind: MessageKind
    id: str | int | None
    method: str = ""
    code: int = 0
    failed: bool = False
    result_type: str = ""
    state: str = ""
    task: str = ""
    inputs: tuple[str, ...] = ()


def parse_server_message(data: bytes) -> ServerMessage:
    """Parse one message of a server: a JSON body, an event's data, a line of stdio.

    Raises:
        Refused: It is ambiguous or malformed.
    """
    message = parse_message(data, ANSWER_DEPTH)
    if message.kind is not MessageKind.RESPONSE:
        inputs = (message.method,) if message.method in INPUT_METHODS else ()
        return ServerMessage(message.kind, message.id, message.method, inputs=inputs)
    if message.result is None:
        code = _read_error_code(data, message.error)
        return ServerMessage(MessageKind.RESPONSE, message.id, code=code)
    result = _read_required_members(data, message.result)
    refuse_lookalike_keys(result, RESULT)
    return ServerMessage(
        MessageKind.RESPONSE,
        message.id,
        failed=_read_optional_flag(data, result.get("isError")),
        result_type=_read_optional_string(data, result, "resultType") or COMPLETE,
        state=_read_optional_digest(data, result, "requestState"),
        task=_read_task_digest(data, result),
        inputs=_read_requested_input_methods(data, result.get("inputRequests")),
    )


def _read_required_members(data: bytes, span: Span | None) -> dict[str, Span]:
    """Return the members of a JSON object that must be there, or refuse."""
    if span is None or not is_object(data, span):
        raise RequestRefused(RefusalReason.EVENT_TYPE)
    return find_object_members(data, span)


def _read_error_code(data: bytes, span: Span | None) -> int:
    """Return the code of a JSON-RPC error, which must not be 0."""
    error = _read_required_members(data, span)
    refuse_lookalike_keys(error, ERROR)
    code = error.get("code")
    raw = b"" if code is None else data[code]
    # 0 means no error here, and is outside every range that a code comes from.
    if len(raw) > 16 or INTEGER.fullmatch(raw) is None or int(raw) == 0:
        raise RequestRefused(RefusalReason.EVENT_TYPE)
    return int(raw)


def _read_optional_flag(data: bytes, span: Span | None) -> bool:
    """Read an optional boolean; clients differ on what else is true."""
    value = b"false" if span is None else data[span]
    if value not in (b"true", b"false"):
        raise RequestRefused(RefusalReason.EVENT_TYPE)
    return value == b"true"


def _read_optional_string(data: bytes, members: Mapping[str, Span], key: str) -> str:
    """Read an optional string."""
    if key not in members:
        return ""
    value = read_string(data, members[key])
    if value is None:
        raise RequestRefused(RefusalReason.EVENT_TYPE)
    return value


def _read_optional_digest(data: bytes, members: Mapping[str, Span], key: str) -> str:
    """Return the SHA-256 of an optional string; empty without one."""
    return (
        sha256_hex(_read_optional_string(data, members, key)) if key in members else ""
    )


def _read_task_digest(data: bytes, result: Mapping[str, Span]) -> str:
    """Return the digest of the task id: `taskId`, or `task.taskId` in 2025-11-25."""
    if "task" in result and is_object(data, result["task"]):
        task = find_object_members(data, result["task"])
        refuse_lookalike_keys(task, TASK)
        return _read_optional_digest(data, task, "taskId")
    return _read_optional_digest(data, result, "taskId")


def _read_requested_input_methods(data: bytes, span: Span | None) -> tuple[str, ...]:
    """Return the methods of the inputs that a server requests."""
    if span is None:
        return ()
    asked = []
    for each in _read_required_members(data, span).values():
        request = _read_required_members(data, each)
        refuse_lookalike_keys(request, INPUT)
        method = _read_optional_string(data, request, "method")
        if method not in INPUT_METHODS:
            raise RequestRefused(RefusalReason.UNKNOWN_METHOD)
        asked.append(method)
    return tuple(asked)
