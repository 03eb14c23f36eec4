"""What MCP puts around a message: its revision, and the headers that mirror its body.

The version header alone picks the era; a body cannot. In 2026-07-28 the mirrored
headers must be there and be the body's, and are compared after decoding. In the older
revisions they are not defined; one that is there all the same and says something else
than the body is refused as well, since whoever reads it behind us would be misled.

Sources: 2026-07-28 basic/transports/streamable-http "Request Metadata", "Value
Encoding", "Server Validation"; basic/index "_meta"; 2025-11-25 basic/transports
"Session Management", "Protocol Version Header".
"""

import base64
import binascii
import re
from collections.abc import Mapping
from functools import lru_cache

from answerable.serving.mcp.members import (
    WITHIN,
    Span,
    is_object,
    members,
    refuse_lookalikes,
    spellings,
    text,
)
from answerable.serving.mcp.messages import Kind, Message
from answerable.serving.mcp.methods import Era, Method
from answerable.serving.mcp.nesting import is_deeper
from answerable.serving.wire.head import Head
from answerable.serving.wire.refusals import TASKS, VERSIONS, Refused, Why

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
    """Pick the era.

    Raises:
        Refused: The version is not served.
    """
    version = fields.get(VERSION_HEADER)
    if version is None:
        return Era.UNNAMED
    era = ERAS.get(version)
    if era is None:
        raise Refused(Why.UNSUPPORTED_VERSION)
    return era


def check_types(head: Head) -> None:
    """Refuse a body that is not plain JSON, and a client that cannot take the answer.

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
    """Of the two media types that MCP answers with, those that Accept lists."""
    taken: set[str] = set()
    for part in value.lower().split(","):
        kind, *parameters = (piece.strip(" \t") for piece in part.split(";"))
        if any(REFUSING.fullmatch(parameter) for parameter in parameters):
            continue
        taken |= RANGES.get(kind, set())
    return frozenset(taken)


def session_of(fields: Mapping[str, str], era: Era) -> str:
    """The session id that the client sent, empty where it has none.

    Raises:
        Refused: It holds what a session id never does.
    """
    value = fields.get(SESSION_HEADER)
    # Session ids are gone in 2026-07-28, and are ignored there.
    if value is None or era.is_modern:
        return ""
    if SESSION.fullmatch(value) is None:
        raise Refused(Why.SESSION_ID)
    return value


def decoded(value: str) -> str | None:
    """Decode a mirrored value; None where it cannot be one.

    Base64 that is not spelled as it would be encoded is none: what one reader takes
    for the same name another may not.
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
    """Refuse headers that are missing, or are not the body's.

    Args:
        era: The era.
        fields: Fields of the head.
        message: The body.
        method: What is known of the body's method.
        name: What the body names, None where it names nothing.

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
    """Refuse a request of 2026-07-28 whose `_meta` does not say what it must.

    Only the version and the presence of capabilities are read; of methods on tasks, an
    extension, whether it is declared. Who the client says it is, and whatever else
    stands there, is passed on and never looked at.

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
    """The version in a `_meta`, and whether tasks are declared.

    A client says the same with each request, so it is remembered.

    Raises:
        Refused: It is no object, is nested too deeply, or does not say what it must.
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
    """Say whether an extension is declared."""
    extensions = members(body, capabilities).get("extensions")
    if extensions is None or not is_object(body, extensions):
        return False
    return extension in members(body, extensions)
