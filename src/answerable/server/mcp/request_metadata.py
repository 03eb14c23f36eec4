"""Request metadata of MCP: its revision, and the headers that mirror the body.

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
    WITHIN,
    Span,
    is_object,
    members,
    refuse_lookalikes,
    spellings,
    text,
)
from answerable.server.mcp.json_nesting import is_deeper
from answerable.server.mcp.messages import Kind, Message
from answerable.server.mcp.methods import Era, Method
from answerable.server.wire.refusals import TASKS, VERSIONS, Refused, Why
from answerable.server.wire.request_head import Head

VERSION_HEADER = "mcp-protocol-version"
METHOD_HEADER = "mcp-method"
NAME_HEADER = "mcp-name"
SESSION_HEADER = "mcp-session-id"

VERSION_KEY = "io.modelcontextprotocol/protocolVersion"
CAPABILITIES_KEY = "io.modelcontextprotocol/clientCapabilities"
META = spellings(VERSION_KEY, CAPABILITIES_KEY)

JSON = "application/json"
EVENTS = "text/event-stream"
UTF_8 = re.compile(r'[ \t]*charset="?utf-8"?[ \t]*', re.IGNORECASE)
SESSION = re.compile(r"[!-~]{1,1024}")
ENCODED = re.compile(r"=\?base64\?(.*)\?=")
MAX_REMEMBERED = 2048  # bytes of a `_meta`
ERAS = {version: Era(version) for version in VERSIONS}
REFUSING = re.compile(r"q=0(?:\.0{0,3})?")
RANGES = {
    JSON: {JSON},
    EVENTS: {EVENTS},
    "application/*": {JSON},
    "text/*": {EVENTS},
    "*/*": {JSON, EVENTS},
}


def era_of(fields: Mapping[str, str]) -> Era:
    """Pick the protocol revision.

    Raises:
        Refused: The version is not supported.
    """
    version = fields.get(VERSION_HEADER)
    if version is None:
        return Era.UNNAMED
    era = ERAS.get(version)
    if era is None:
        raise Refused(Why.UNSUPPORTED_VERSION)
    return era


def check_types(head: Head) -> None:
    """Refuse a body that is not plain JSON, and a client that cannot accept the answer.

    Raises:
        Refused: See above.
    """
    accepted = accepts(head.fields.get("accept", ""))
    if head.method == "POST":
        if not _is_json(head.fields.get("content-type", "")):
            raise Refused(Why.CONTENT_TYPE)
        if head.fields.get("content-encoding", "identity").lower() != "identity":
            raise Refused(Why.CONTENT_CODING)
        if not accepted >= {JSON, EVENTS}:
            raise Refused(Why.NOT_ACCEPTABLE)
    elif head.method == "GET" and EVENTS not in accepted:
        raise Refused(Why.NOT_ACCEPTABLE)


@lru_cache(maxsize=64)
def _is_json(value: str) -> bool:
    kind, *parameters = value.split(";")
    return kind.strip(" \t").lower() == JSON and all(
        UTF_8.fullmatch(parameter) is not None for parameter in parameters
    )


@lru_cache(maxsize=64)
def accepts(value: str) -> frozenset[str]:
    """Return those of MCP's two media types that Accept lists."""
    taken: set[str] = set()
    for part in value.lower().split(","):
        kind, *parameters = (piece.strip(" \t") for piece in part.split(";"))
        if any(REFUSING.fullmatch(parameter) for parameter in parameters):
            continue
        taken |= RANGES.get(kind, set())
    return frozenset(taken)


def session_of(fields: Mapping[str, str], era: Era) -> str:
    """Return the session id of the client, empty without one.

    Raises:
        Refused: It is malformed.
    """
    value = fields.get(SESSION_HEADER)
    # 2026-07-28 has no session ids, and ignores them.
    if value is None or era.is_modern:
        return ""
    if SESSION.fullmatch(value) is None:
        raise Refused(Why.SESSION_ID)
    return value


def decoded(value: str) -> str | None:
    """Decode a mirrored value; None where it is malformed.

    Base64 that is not canonical is malformed: two parsers could decode different names.
    """
    found = ENCODED.fullmatch(value) if value.startswith("=") else None
    if found is None:
        return value
    try:
        raw = base64.b64decode(found[1])
        if base64.b64encode(raw).decode("ascii") != found[1]:
            return None
        return raw.decode("utf-8")
    except (binascii.Error, ValueError):
        return None


def check_mirrors(
    era: Era,
    fields: Mapping[str, str],
    message: Message,
    method: Method | None,
    name: str | None,
) -> None:
    """Refuse headers that are missing, or differ from the body.

    Args:
        era: Protocol revision.
        fields: Fields of the head.
        message: The body.
        method: Known method of the body, or None.
        name: Name in the body, None without one.

    Raises:
        Refused: See above.
    """
    needed = era.is_modern and message.kind is Kind.REQUEST
    said = fields.get(METHOD_HEADER)
    if said != message.method and (needed or said is not None):
        raise Refused(Why.HEADER_MISMATCH)
    mirrored = fields.get(NAME_HEADER)
    if method is None:
        return
    if mirrored is None:
        if needed and method.mirrored:
            raise Refused(Why.HEADER_MISMATCH)
    elif name is None or decoded(mirrored) != name:
        raise Refused(Why.HEADER_MISMATCH)


def check_meta(
    body: bytes, message: Message, era: Era, *, needs_tasks: bool = False
) -> None:
    """Refuse a request of 2026-07-28 whose `_meta` lacks required members.

    Only the version and the presence of capabilities are read; for methods on tasks, an
    extension, its declaration. Everything else, such as the client's name, is passed on
    unread.

    Raises:
        Refused: See above.
    """
    span = message.params.get("_meta")
    if span is None or not is_object(body, span):
        raise Refused(Why.NO_META)
    version, has_tasks = declared(body[span])
    if version != era.value:
        raise Refused(Why.HEADER_MISMATCH)
    if needs_tasks and not has_tasks:
        raise Refused(Why.CAPABILITY)


def declared(meta: bytes) -> tuple[str, bool]:
    """Return the version in a `_meta`, and whether tasks are declared.

    A client sends the same with each request, so the result is cached.

    Raises:
        Refused: It is no object, is nested too deeply, or lacks a required member.
    """
    read = _declared if len(meta) <= MAX_REMEMBERED else _declared.__wrapped__
    return read(meta)


@lru_cache(maxsize=128)
def _declared(data: bytes) -> tuple[str, bool]:
    if is_deeper(data, WITHIN):
        raise Refused(Why.TOO_DEEP)
    meta = members(data)
    refuse_lookalikes(meta, META)
    version = text(data, meta.get(VERSION_KEY))
    capabilities = meta.get(CAPABILITIES_KEY)
    if version is None or capabilities is None or not is_object(data, capabilities):
        raise Refused(Why.NO_META)
    return version, _declares(data, capabilities, TASKS)


def _declares(body: bytes, capabilities: Span, extension: str) -> bool:
    """Tell whether an extension is declared."""
    extensions = members(body, capabilities).get("extensions")
    if extensions is None or not is_object(body, extensions):
        return False
    return extension in members(body, extensions)
