"""Parse the ordinary tool call or result fast; leave others to the full parser.

Most messages have the minimal JSON encoding. Such a one is decoded once, into a type
that accepts its known members alone, and then its size is compared: where the decoded
values account for every byte, the message holds nothing else. No repeated key, of which
the last one wins; no key that resembles a known one; no white space and no escape.

For any other message the result is None: the full parser (`call`, `answers`) reads it
and alone refuses. A property test holds the two parsers equal.
"""

import msgspec

from answerable.gateway.wire.server_messages import (
    ANSWER_DEPTH,
    COMPLETE,
    ServerMessage,
)
from answerable.model.decision import TargetKind
from answerable.server.mcp.call import MAX_NAME, McpCall
from answerable.server.mcp.json_members import (
    DECODE_ERRORS,
    MAX_PARAMS_DEPTH,
    check_encoding_and_depth,
    check_utf8,
)
from answerable.server.mcp.json_nesting import exceeds_depth
from answerable.server.mcp.messages import MAX_ID, MAX_SAFE_INTEGER, MessageKind
from answerable.server.mcp.methods import McpRevision
from answerable.server.mcp.request_metadata import read_declared_version_and_tasks
from answerable.server.wire.refusals import RequestRefused

TOOLS_CALL = "tools/call"
JSONRPC = "2.0"
OBJECT = b"{"
NO_LENGTH = -(1 << 40)  # shorter than any body
NONE = msgspec.Raw()


class ExpectedCall(msgspec.Struct, frozen=True):
    """Call as its head announces it, before the body.

    Attributes:
        name: Name that the body must have; None where the head has none.
        session: SHA-256 of the session id, empty without one.
    """

    era: McpRevision
    server: str
    name: str | None = None
    session: str = ""


class _ToolCallParams(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    name: str
    arguments: msgspec.Raw = NONE
    meta: msgspec.Raw = msgspec.field(default=NONE, name="_meta")


class _ToolCall(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    jsonrpc: str
    id: int | str
    method: str
    params: _ToolCallParams


class _ToolResult(msgspec.Struct, forbid_unknown_fields=True, gc=False, rename="camel"):
    content: msgspec.Raw = NONE
    structured_content: msgspec.Raw = NONE
    is_error: bool | None = None
    result_type: str = ""
    meta: msgspec.Raw = msgspec.field(default=NONE, name="_meta")


class _ToolResponse(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    jsonrpc: str
    id: int | str
    result: _ToolResult


_decode_call = msgspec.json.Decoder(_ToolCall).decode
_decode_response = msgspec.json.Decoder(_ToolResponse).decode

# The bytes around what varies; each member of a result with the comma after it.
CALL = len(b'{"jsonrpc":"2.0","id":,"method":"tools/call","params":{"name":""}}')
ARGUMENTS = len(b',"arguments":')
META = len(b',"_meta":')
RESPONSE = len(b'{"jsonrpc":"2.0","id":,"result":{}}')
CONTENT = len(b'"content":,')
STRUCTURED_CONTENT = len(b'"structuredContent":,')
IS_ERROR = {None: 0, True: len(b'"isError":true,'), False: len(b'"isError":false,')}
RESULT_TYPE = len(b'"resultType":"",')


def parse_plain_tool_call(body: bytes, expected: ExpectedCall) -> McpCall | None:
    """Parse a `tools/call` of the usual form fast; None for any other.

    Returns:
        The result of `call`; None where the full parser is needed.

    Raises:
        Refused: As there.
    """
    check_utf8(body)
    try:
        said = _decode_call(body)
    except DECODE_ERRORS:
        return None
    id, params = said.id, said.params
    name, arguments, meta = params.name, bytes(params.arguments), bytes(params.meta)
    size = CALL + _encoded_id_length(id) + len(name)
    size += ARGUMENTS + len(arguments) if arguments else 0
    size += META + len(meta) if meta else 0
    if (
        size != len(body)
        or said.method != TOOLS_CALL
        or said.jsonrpc != JSONRPC
        or not 0 < len(name) <= MAX_NAME
        or expected.name not in (None, name)
        or not (arguments.startswith(OBJECT) or not arguments)
        or exceeds_depth(arguments, MAX_PARAMS_DEPTH)
    ):
        return None
    try:
        if expected.era.is_modern:
            if read_declared_version_and_tasks(meta)[0] != expected.era:
                return None
        elif exceeds_depth(meta, MAX_PARAMS_DEPTH):
            return None
        return McpCall(
            expected.era,
            MessageKind.REQUEST,
            TOOLS_CALL,
            id,
            expected.server,
            TargetKind.TOOL,
            name=name,
            arguments=memoryview(arguments),
            session=expected.session,
        )
    except RequestRefused:
        return None


def parse_plain_tool_result(data: bytes) -> ServerMessage | None:
    """Parse a `tools/call` result of the usual form fast; None for any other.

    Returns:
        The result of `answers`; None where the full parser is needed.

    Raises:
        Refused: As there.
    """
    check_encoding_and_depth(data, ANSWER_DEPTH)
    try:
        said = _decode_response(data)
    except DECODE_ERRORS:
        return None
    id, result = said.id, said.result
    held = IS_ERROR[result.is_error]
    held += CONTENT + len(result.content) if result.content else 0
    held += META + len(result.meta) if result.meta else 0
    if result.structured_content:
        held += STRUCTURED_CONTENT + len(result.structured_content)
    if result.result_type:
        held += RESULT_TYPE + len(result.result_type)
    # The last member has no comma after it.
    size = RESPONSE + _encoded_id_length(id) + max(held - 1, 0)
    if size != len(data) or said.jsonrpc != JSONRPC:
        return None
    return ServerMessage(
        MessageKind.RESPONSE,
        id,
        failed=result.is_error is True,
        result_type=result.result_type or COMPLETE,
    )


def _encoded_id_length(id: int | str) -> int:
    """Return the encoded length of an unambiguous id; an impossible one for another."""
    if isinstance(id, int):
        return (
            len(str(id)) if -MAX_SAFE_INTEGER <= id <= MAX_SAFE_INTEGER else NO_LENGTH
        )
    return len(id) + len('""') if len(id) <= MAX_ID else NO_LENGTH
