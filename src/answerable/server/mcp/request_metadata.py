"""Parse MCP request metadata: revision, and the headers that mirror the body.

The version header alone picks the revision; a body cannot. In 2026-07-28 the mirrored
headers are required to equal the body, after decoding. Older revisions do not define
them; one that is present and differs from the body is refused as well, since a server
could trust it.

Sources: 2026-07-28 basic/transports/streamable-http "Request Metadata", "Value
Encoding", "Server Validation"; basic/index "_meta"; 2025-11-25 basic/transports
"Session Management", "Protocol Version Header".
"""

import base64
import binascii
import re
from collections.abc import Mapping
from functools import lru_cache

from answerable.server.mcp.json_members import (
    MAX_PARAMS_DEPTH,
    Span,
    build_known_keys,
    find_object_members,
    is_object,
    read_string,
    refuse_lookalike_keys,
)
from answerable.server.mcp.json_nesting import exceeds_depth
from answerable.server.mcp.messages import JsonRpcMessage, MessageKind
from answerable.server.mcp.methods import McpMethod, McpRevision
from answerable.server.wire.refusals import (
    TASKS,
    VERSIONS,
    RefusalReason,
    RequestRefused,
)
from answerable.server.wire.request_head import HttpRequestHead

VERSION_HEADER = "mcp-protocol-version"
METHOD_HEADER = "mcp-method"
NAME_HEADER = "mcp-name"
SESSION_HEADER = "mcp-session-id"

VERSION_KEY = "io.modelcontextprotocol/protocolVersion"
CAPABILITIES_KEY = "io.modelcontextprotocol/clientCapabilities"
META_KEYS = build_known_keys(VERSION_KEY, CAPABILITIES_KEY)

JSON = "application/json"
EVENT_STREAM = "text/event-stream"
UTF_8 = re.compile(r'[ \t]*charset="?utf-8"?[ \t]*', re.IGNORECASE)
SESSION = re.compile(r"[!-~]{1,1024}")
BASE64_NAME = re.compile(r"=\?base64\?(.*)\?=")
MAX_CACHED_META = 2048  # bytes of a `_meta`
REVISIONS = {version: McpRevision(version) for version in VERSIONS}
ZERO_QUALITY = re.compile(r"q=0(?:\.0{0,3})?")
MEDIA_RANGES = {
    JSON: {JSON},
    EVENT_STREAM: {EVENT_STREAM},
    "application/*": {JSON},
    "text/*": {EVENT_STREAM},
    "*/*": {JSON, EVENT_STREAM},
}


def parse_revision(fields: Mapping[str, str]) -> McpRevision:
    """Return the protocol revision in the version header; refuse unsupported ones.

    Raises:
        Refused: The version is not supported.
    """
    version = fields.get(VERSION_HEADER)
    if version is None:
        return McpRevision.UNNAMED
    era = REVISIONS.get(version)
    if era is None:
        raise RequestRefused(RefusalReason.UNSUPPORTED_VERSION)
    return era


def check_media_types(head: HttpRequestHead) -> None:
    """Refuse a body that is not plain JSON, and a client that cannot accept the answer.

    Raises:
        Refused: See above.
    """
    accepted = parse_accept(head.fields.get("accept", ""))
    if head.method == "POST":
        if not _is_json_media_type(head.fields.get("content-type", "")):
            raise RequestRefused(RefusalReason.CONTENT_TYPE)
        if head.fields.get("content-encoding", "identity").lower() != "identity":
            raise RequestRefused(RefusalReason.CONTENT_CODING)
        if not accepted >= {JSON, EVENT_STREAM}:
            raise RequestRefused(RefusalReason.NOT_ACCEPTABLE)
    elif head.method == "GET" and EVENT_STREAM not in accepted:
        raise RequestRefused(RefusalReason.NOT_ACCEPTABLE)


@lru_cache(maxsize=64)
def _is_json_media_type(value: str) -> bool:
    """Return whether a media type is JSON in UTF-8."""
    kind, *parameters = value.split(";")
    return kind.strip(" \t").lower() == JSON and all(
        UTF_8.fullmatch(parameter) is not None for parameter in parameters
    )


@lru_cache(maxsize=64)
def parse_accept(value: str) -> frozenset[str]:
    """Return those of MCP's two media types that Accept lists."""
    taken: set[str] = set()
    for part in value.lower().split(","):
        kind, *parameters = (piece.strip(" \t") for piece in part.split(";"))
        if any(ZERO_QUALITY.fullmatch(parameter) for parameter in parameters):
            continue
        taken |= MEDIA_RANGES.get(kind, set())
    return frozenset(taken)


def parse_session_id(fields: Mapping[str, str], revision: McpRevision) -> str:
    """Return the session id of the client, empty without one.

    Raises:
        Refused: It is malformed.
    """
    value = fields.get(SESSION_HEADER)
    # 2026-07-28 has no session ids, and ignores them.
    if value is None or revision.is_modern:
        return ""
    if SESSION.fullmatch(value) is None:
        raise RequestRefused(RefusalReason.SESSION_ID)
    return value


def decode_mirrored_header(value: str) -> str | None:
    """Decode the value of a header that mirrors the body; None if malformed.

    Base64 that is not canonical is malformed: two parsers could decode different names.
    """
    found = BASE64_NAME.fullmatch(value) if value.startswith("=") else None
    if found is None:
        return value
    try:
        raw = base64.b64decode(found[1])
        if base64.b64encode(raw).decode("ascii") != found[1]:
            return None
        return raw.decode("utf-8")
    except (binascii.Error, ValueError):
        return None


def check_mirrored_headers(
    revision: McpRevision,
    fields: Mapping[str, str],
    message: JsonRpcMessage,
    method: McpMethod | None,
    name: str | None,
) -> None:
    """Refuse headers that are missing, or differ from the body.

    Args:
        revision: Protocol revision.
        fields: Fields of the head.
        message: The body.
        method: Known method of the body, or None.
        name: Name in the body, None without one.

    Raises:
        Refused: See above.
    """
    needed = revision.is_modern and message.kind is MessageKind.REQUEST
    said = fields.get(METHOD_HEADER)
    if said != message.method and (needed or said is not None):
        raise RequestRefused(RefusalReason.HEADER_MISMATCH)
    mirrored = fields.get(NAME_HEADER)
    if method is None:
        return
    if mirrored is None:
        if needed and method.mirrored:
            raise RequestRefused(RefusalReason.HEADER_MISMATCH)
    elif name is None or decode_mirrored_header(mirrored) != name:
        raise RequestRefused(RefusalReason.HEADER_MISMATCH)


def check_request_meta(
    body: bytes,
    message: JsonRpcMessage,
    revision: McpRevision,
    *,
    needs_tasks: bool = False,
) -> None:
    """Refuse a 2026-07-28 request whose `_meta` lacks required members.

    Only the version and the presence of capabilities are read; for methods on tasks, an
    extension, its declaration. Everything else, such as the client's name, is passed on
    unread.

    Raises:
        Refused: See above.
    """
    span = message.params.get("_meta")
    if span is None or not is_object(body, span):
        raise RequestRefused(RefusalReason.NO_META)
    version, has_tasks = read_declared_version_and_tasks(body[span])
    if version != revision.value:
        raise RequestRefused(RefusalReason.HEADER_MISMATCH)
    if needs_tasks and not has_tasks:
        raise RequestRefused(RefusalReason.CAPABILITY)


def read_declared_version_and_tasks(meta: bytes) -> tuple[str, bool]:
    """Return the protocol version in a `_meta`, and whether tasks are declared.

    A client sends the same with each request, so the result is cached.

    Raises:
        Refused: It is no object, is nested too deeply, or lacks a required member.
    """
    read = (
        _parse_version_and_tasks
        if len(meta) <= MAX_CACHED_META
        else _parse_version_and_tasks.__wrapped__
    )
    return read(meta)


@lru_cache(maxsize=128)
def _parse_version_and_tasks(data: bytes) -> tuple[str, bool]:
    """Parse protocol version and tasks capability of an MCP `_meta`."""
    if exceeds_depth(data, MAX_PARAMS_DEPTH):
        raise RequestRefused(RefusalReason.TOO_DEEP)
    meta = find_object_members(data)
    refuse_lookalike_keys(meta, META_KEYS)
    version = read_string(data, meta.get(VERSION_KEY))
    capabilities = meta.get(CAPABILITIES_KEY)
    if version is None or capabilities is None or not is_object(data, capabilities):
        raise RequestRefused(RefusalReason.NO_META)
    return version, _declares_extension(data, capabilities, TASKS)


def _declares_extension(body: bytes, capabilities: Span, extension: str) -> bool:
    """Return whether client capabilities declare an MCP extension."""
    extensions = find_object_members(body, capabilities).get("extensions")
    if extensions is None or not is_object(body, extensions):
        return False
    return extension in find_object_members(body, extensions)
