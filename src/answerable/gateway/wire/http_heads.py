"""Write HTTP heads: of requests to a server, and of replies to a client.

Each is written from known fields. All others are dropped: credentials, cookies,
forwarding fields, and unknown ones. The body is passed on unchanged.

A repeated field that the client's SDK mirrors from arguments (`Mcp-Param-*`, 2026-07-28
server/tools "x-mcp-header") is refused with the head. Only the tool's schema names the
argument of each, so the server has to check it.
"""

import re
from collections.abc import Mapping
from functools import lru_cache

import msgspec

from answerable.server.mcp.request_metadata import EVENT_STREAM, JSON, SESSION_HEADER
from answerable.server.wire.refusals import RefusalReason
from answerable.server.wire.request_head import MCP_PREFIX

USER_AGENT = "answerable"
# Besides the fields of MCP. A trace is the client's claim, and only links spans.
FORWARDED_FIELDS = frozenset({"last-event-id", "traceparent", "tracestate"})
RETURNED_FIELDS = frozenset({"allow", "cache-control", "content-type", "retry-after"})
PHRASES = {200: "OK", 202: "Accepted", 204: "No Content", 403: "Forbidden"}
# A redirect would bypass the gateway, and a challenge is for the gateway.
UNRELAYED_STATUSES = frozenset({401, 407, *range(300, 400)})
# One parameter of a challenge, behind the scheme where it is the first (RFC 9110 11.2).
INVALID_TOKEN = re.compile(
    r'(?:[^ \t"]+[ \t]+)?error[ \t]*=[ \t]*(?:"invalid_token"|invalid_token)',
    re.IGNORECASE,
)
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"


class ReplyHeading(msgspec.Struct, frozen=True):
    """Status line and fields of a reply to a client.

    Attributes:
        fields: Fields of it, written as they are.
        spelled: Encoded status line and fields, each with its line end.
    """

    status: int
    fields: Mapping[str, str]
    spelled: bytes


class UpstreamHead(msgspec.Struct, frozen=True):
    """Head of a server's answer, as far as it matters for the client.

    Attributes:
        heading: Status and fields for the client.
        kind: Media type of the body, without parameters.
        session: The server's own session id, None without one.
        unfit: Reason that it may not be passed on; None where it may.
        refuses: The server rejected its credential.
    """

    heading: ReplyHeading
    kind: str
    session: str | None = None
    unfit: RefusalReason | None = None
    refuses: bool = False


@lru_cache(maxsize=1024)
def _build_request_lines(method: str, target: str, host: str) -> bytes:
    """Encode the constant part of requests of one method to one server."""
    accept = EVENT_STREAM if method == "GET" else f"{JSON}, {EVENT_STREAM}"
    kind = f"content-type: {JSON}\r\n" if method == "POST" else ""
    return (
        f"{method} {target} HTTP/1.1\r\nhost: {host}\r\nuser-agent: {USER_AGENT}\r\n"
        f"accept: {accept}\r\n{kind}"
    ).encode("latin-1")


def encode_forwarded_fields(fields: Mapping[str, str]) -> bytes:
    """Encode the fields of a client's head that are forwarded."""
    return "".join(
        f"{name}: {value}\r\n"
        for name, value in fields.items()
        if name in FORWARDED_FIELDS
        or (name.startswith(MCP_PREFIX) and name != SESSION_HEADER)
    ).encode("latin-1")


def write_request_head(
    method: str, target: str, host: str, forwarded: bytes, session: str, length: int
) -> bytes:
    """Write the head of a request to a server.

    Args:
        method: `POST`, `GET` or `DELETE`.
        target: Path and query of the server's URL.
        host: Value of Host.
        forwarded: Forwarded fields, as `encode_forwarded_fields` encodes them.
        session: The server's own session id, empty without one.
        length: Bytes of the body.
    """
    named = f"{SESSION_HEADER}: {session}\r\n".encode("latin-1") if session else b""
    sized = b"content-length: %d\r\n" % length if method == "POST" else b""
    return b"%b%b%b%b\r\n" % (
        _build_request_lines(method, target, host),
        forwarded,
        named,
        sized,
    )


def build_heading(status: int, fields: Mapping[str, str]) -> ReplyHeading:
    """Build the status line and fields of a reply."""
    lines = [f"HTTP/1.1 {status} {PHRASES.get(status, '')}\r\n"]
    lines += [f"{name}: {value}\r\n" for name, value in fields.items()]
    return ReplyHeading(status, fields, "".join(lines).encode("latin-1"))


@lru_cache(maxsize=64)
def build_json_heading(status: int) -> ReplyHeading:
    """Build the status line and fields of our own reply in JSON."""
    return build_heading(status, {"content-type": JSON})


def check_upstream_head(status: int, fields: Mapping[str, str]) -> UpstreamHead:
    """Check the head of a server's answer; collect what the relay needs.

    Args:
        status: HTTP status.
        fields: All fields, by lower-case name.
    """
    unfit = None
    if status in UNRELAYED_STATUSES:
        unfit = RefusalReason.REPLY_STATUS
    elif fields.get("content-encoding", "identity").lower() != "identity":
        unfit = RefusalReason.REPLY_TYPE
    back = {
        name: value
        for name, value in fields.items()
        if name in RETURNED_FIELDS
        or (name.startswith(MCP_PREFIX) and name != SESSION_HEADER)
    }
    kind = fields.get("content-type", "").partition(";")[0].strip(" \t").lower()
    session = fields.get(SESSION_HEADER)
    refuses = status == 401 or (status == 403 and _reports_invalid_token(fields))
    return UpstreamHead(build_heading(status, back), kind, session, unfit, refuses)


def _reports_invalid_token(fields: Mapping[str, str]) -> bool:
    """Return whether a challenge reports an invalid token (RFC 6750 3.1)."""
    parts = fields.get("www-authenticate", "").split(",")
    return any(INVALID_TOKEN.fullmatch(part.strip(" \t")) for part in parts)


def write_reply_head(
    heading: ReplyHeading, session: str = "", *, length: int | None, closes: bool
) -> bytes:
    """Write the head of a reply to a client.

    Args:
        heading: Status line and fields.
        session: Session id for the client, empty without one.
        length: Bytes of the body; None for chunked coding.
        closes: The connection closes after the reply.
    """
    named = f"{SESSION_HEADER}: {session}\r\n".encode("latin-1") if session else b""
    if length is None:
        sized = b"transfer-encoding: chunked\r\n"
    else:
        sized = b"content-length: %d\r\n" % length if heading.status != 204 else b""
    end = b"connection: close\r\n\r\n" if closes else b"\r\n"
    return b"%b%b%b%b" % (heading.spelled, named, sized, end)


def encode_chunk(data: bytes) -> bytes:
    """Encode one chunk (RFC 9112 7.1); no data makes none."""
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""
