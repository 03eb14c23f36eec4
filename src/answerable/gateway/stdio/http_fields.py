"""Build the HTTP header fields for a message that arrived on a stdio line.

Arguments that a server wants mirrored, too (`x-mcp-header`), are known only from its
tool's schema; a server that requires them refuses the call.

Sources: 2026-07-28 basic/transports/streamable-http "Request Metadata" and "Value
Encoding"; 2025-11-25 basic/transports "Protocol Version Header".
"""

import base64
import re
from collections.abc import Mapping

from answerable.gateway.stdio.line_reader import VERSION
from answerable.gateway.wire.server_messages import ANSWER_DEPTH
from answerable.server.mcp.call import McpCall
from answerable.server.mcp.json_members import find_object_members, read_string
from answerable.server.mcp.messages import parse_message
from answerable.server.mcp.methods import McpRevision, MessageSender, find_method
from answerable.server.mcp.request_metadata import (
    BASE64_NAME,
    METHOD_HEADER,
    NAME_HEADER,
    VERSION_HEADER,
)
from answerable.server.wire.refusals import RequestRefused

PLAIN = re.compile(r"[!-~](?:[ -~]*[!-~])?")


def build_http_fields(call: McpCall, version: str) -> Mapping[str, str]:
    """Return the HTTP header fields for a message.

    Args:
        call: The message.
        version: Revision that an older session negotiated, empty before that.
    """
    if not call.era.is_modern:
        named = "" if call.era is McpRevision.UNNAMED else call.era.value
        version = version or named
        return {VERSION_HEADER: version} if version else {}
    fields = {VERSION_HEADER: call.era.value}
    if call.method:
        fields[METHOD_HEADER] = call.method
    method = find_method(call.era, call.method, MessageSender.CLIENT)
    if method is not None and method.mirrored:
        fields[NAME_HEADER] = _encode_name_field(call.name)
    return fields


def _encode_name_field(name: str) -> str:
    """Encode a name so that every field parser reads the same."""
    if PLAIN.fullmatch(name) and not BASE64_NAME.fullmatch(name):
        return name
    return f"=?base64?{base64.b64encode(name.encode()).decode()}?="


def read_negotiated_version(answer: bytes) -> str:
    """Return the MCP version in an answer to `initialize`; empty if there is none."""
    try:
        result = parse_message(answer, ANSWER_DEPTH).result
        found = {} if result is None else find_object_members(answer, result)
        return read_string(answer, found.get(VERSION)) or ""
    except RequestRefused:
        return ""
