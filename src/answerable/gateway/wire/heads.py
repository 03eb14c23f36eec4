"""The heads that the gateway writes: to a server, and back to a client.

Each is written anew from fields that are known here. What else stood in the head that
came is left behind: credentials, cookies, forwarding fields, and whatever nobody has
named yet. The body goes on as the bytes that came.

Of fields that the client's SDK mirrors from arguments (`Mcp-Param-*`, 2026-07-28
server/tools "x-mcp-header"), one that is repeated is refused with the head. Which
argument each should mirror only the tool's schema says, so the server has to check it.
"""

from collections.abc import Mapping
from functools import lru_cache

from answerable.gateway.wire.envelope import EVENTS, JSON, SESSION_HEADER
from answerable.serving.wire.head import MCP_PREFIX

USER_AGENT = "answerable"
# Beside the fields of MCP. A trace is the client's word and links spans, no more.
ONWARD = frozenset({"last-event-id", "traceparent", "tracestate"})
BACK = frozenset({"allow", "cache-control", "content-type", "retry-after"})
PHRASES = {200: "OK", 202: "Accepted", 204: "No Content", 403: "Forbidden"}
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"


@lru_cache(maxsize=1024)
def _asking(method: str, target: str, host: str) -> str:
    """What is the same in every request of one method to one server."""
    accept = EVENTS if method == "GET" else f"{JSON}, {EVENTS}"
    kind = f"content-type: {JSON}\r\n" if method == "POST" else ""
    return (
        f"{method} {target} HTTP/1.1\r\nhost: {host}\r\nuser-agent: {USER_AGENT}\r\n"
        f"accept: {accept}\r\n{kind}"
    )


def request_head(
    method: str,
    target: str,
    host: str,
    fields: Mapping[str, str],
    session: str,
    length: int,
) -> bytes:
    """Write the head of a request to a server.

    Args:
        method: `POST`, `GET` or `DELETE`.
        target: Path and query of the server's URL.
        host: Its Host.
        fields: Fields of the client's head, as `Head` has them.
        session: The server's own session id, empty without one.
        length: Bytes of the body.
    """
    lines = [_asking(method, target, host)]
    for name, value in fields.items():
        if name in ONWARD or (name.startswith(MCP_PREFIX) and name != SESSION_HEADER):
            lines.append(f"{name}: {value}\r\n")
    if session:
        lines.append(f"{SESSION_HEADER}: {session}\r\n")
    if method == "POST":
        lines.append(f"content-length: {length}\r\n")
    lines.append("\r\n")
    return "".join(lines).encode("latin-1")


def relayed(fields: Mapping[str, str]) -> dict[str, str]:
    """Take the fields of a server's head that its client gets, too."""
    return {
        name: value
        for name, value in fields.items()
        if name in BACK or (name.startswith(MCP_PREFIX) and name != SESSION_HEADER)
    }


def reply_head(
    status: int,
    fields: Mapping[str, str],
    session: str = "",
    *,
    length: int | None,
    closes: bool,
) -> bytes:
    """Write the head of a reply to a client.

    Args:
        status: HTTP status.
        fields: Fields of it, written as they are.
        session: The session id that the client is to use, empty without one.
        length: Bytes of the body, None where it goes in chunks.
        closes: The connection closes after it.
    """
    lines = [f"HTTP/1.1 {status} {PHRASES.get(status, '')}\r\n"]
    for name, value in fields.items():
        lines.append(f"{name}: {value}\r\n")
    if session:
        lines.append(f"{SESSION_HEADER}: {session}\r\n")
    if length is None:
        lines.append("transfer-encoding: chunked\r\n")
    elif status != 204:
        lines.append(f"content-length: {length}\r\n")
    lines.append("connection: close\r\n\r\n" if closes else "\r\n")
    return "".join(lines).encode("latin-1")


def chunk(data: bytes) -> bytes:
    """Spell one chunk (RFC 9112 7.1); no data makes none."""
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""
