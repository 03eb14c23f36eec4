"""Parser for a server's message, as far as evidence and the next decision need it.

Contents are never decoded: only the keys at the first level of a result are read, so a
large one costs a scan and no objects. `requestState` and task ids are kept as digests:
they come back from the client, and must come back from the same one.

Sources: 2026-07-28 basic/index "Responses", basic/patterns/mrtr "InputRequiredResult";
2025-11-25 basic/utilities/tasks "Creating Tasks"; server/tools "Error Handling".
"""

from collections.abc import Mapping

import msgspec

from answerable.server.mcp.call import digest
from answerable.server.mcp.json_members import (
    Span,
    is_object,
    members,
    refuse_lookalikes,
    spellings,
    text,
)
from answerable.server.mcp.messages import INTEGER, Kind, read_message
from answerable.server.mcp.methods import INPUTS
from answerable.server.wire.refusals import Refused, Why

ANSWER_DEPTH = 256
RESULT = spellings(
    "inputRequests", "isError", "requestState", "resultType", "task", "taskId"
)
TASK = spellings("taskId")
ERROR = spellings("code", "message", "data")
INPUT = spellings("method", "params")
COMPLETE = "complete"


class Answer(msgspec.Struct, frozen=True, gc=False):
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

    kind: Kind
    id: str | int | None
    method: str = ""
    code: int = 0
    failed: bool = False
    result_type: str = ""
    state: str = ""
    task: str = ""
    inputs: tuple[str, ...] = ()


def read_answer(data: bytes) -> Answer:
    """Parse one message of a server: a JSON body, an event's data, a line of stdio.

    Raises:
        Refused: It is ambiguous or malformed.
    """
    message = read_message(data, ANSWER_DEPTH)
    if message.kind is not Kind.RESPONSE:
        inputs = (message.method,) if message.method in INPUTS else ()
        return Answer(message.kind, message.id, message.method, inputs=inputs)
    if message.result is None:
        code = _code(data, message.error)
        return Answer(Kind.RESPONSE, message.id, code=code)
    result = _members(data, message.result)
    refuse_lookalikes(result, RESULT)
    return Answer(
        Kind.RESPONSE,
        message.id,
        failed=_flag(data, result.get("isError")),
        result_type=_text(data, result, "resultType") or COMPLETE,
        state=_digest(data, result, "requestState"),
        task=_task(data, result),
        inputs=_inputs(data, result.get("inputRequests")),
    )


def _members(data: bytes, span: Span | None) -> dict[str, Span]:
    if span is None or not is_object(data, span):
        raise Refused(Why.EVENT_TYPE)
    return members(data, span)


def _code(data: bytes, span: Span | None) -> int:
    error = _members(data, span)
    refuse_lookalikes(error, ERROR)
    code = error.get("code")
    raw = b"" if code is None else data[code]
    # 0 means no error here, and is outside every range that a code comes from.
    if len(raw) > 16 or INTEGER.fullmatch(raw) is None or int(raw) == 0:
        raise Refused(Why.EVENT_TYPE)
    return int(raw)


def _flag(data: bytes, span: Span | None) -> bool:
    """Read an optional boolean; clients differ on what else is true."""
    value = b"false" if span is None else data[span]
    if value not in (b"true", b"false"):
        raise Refused(Why.EVENT_TYPE)
    return value == b"true"


def _text(data: bytes, found: Mapping[str, Span], key: str) -> str:
    """Read an optional string."""
    if key not in found:
        return ""
    value = text(data, found[key])
    if value is None:
        raise Refused(Why.EVENT_TYPE)
    return value


def _digest(data: bytes, found: Mapping[str, Span], key: str) -> str:
    return digest(_text(data, found, key)) if key in found else ""


def _task(data: bytes, result: Mapping[str, Span]) -> str:
    """Return the digest of the task id: `taskId`, or `task.taskId` in 2025-11-25."""
    if "task" in result and is_object(data, result["task"]):
        task = members(data, result["task"])
        refuse_lookalikes(task, TASK)
        return _digest(data, task, "taskId")
    return _digest(data, result, "taskId")


def _inputs(data: bytes, span: Span | None) -> tuple[str, ...]:
    if span is None:
        return ()
    asked = []
    for each in _members(data, span).values():
        request = _members(data, each)
        refuse_lookalikes(request, INPUT)
        method = _text(data, request, "method")
        if method not in INPUTS:
            raise Refused(Why.UNKNOWN_METHOD)
        asked.append(method)
    return tuple(asked)
