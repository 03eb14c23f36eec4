"""Messages of both sides, spelled byte by byte."""

import json
import time
from functools import cache

from answerable.gateway.wire.http_heads import LAST_CHUNK, encode_chunk
from tests.federation.sample_tokens import claims, header, sign
from tests.gateway.request_builders import VERSION, body

HOST = "gateway.example:8471"


@cache
def token(agent: str) -> str:
    """The token of an agent, bound to no key."""
    now = int(time.time())
    said = claims(sub=agent, client_id=agent, jti=agent, iat=now, exp=now + 3600)
    return sign(header(), said)


def reply(
    body: bytes, status: str = "200 OK", *fields: str, kind: str = "application/json"
) -> bytes:
    """Spell a reply."""
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", *fields]
    lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def request(
    body: bytes,
    *fields: str,
    agent: str = "ana",
    method: str = "POST",
    server: str = "files",
) -> bytes:
    """Spell a request of a client."""
    lines = [
        f"{method} /mcp/{server} HTTP/1.1",
        f"Host: {HOST}",
        f"Authorization: Bearer {token(agent)}",
        "Accept: application/json, text/event-stream",
        *fields,
    ]
    if method == "POST":
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def modern(method: str, name: str | None = None) -> list[str]:
    """Fields that mirror a body of 2026-07-28."""
    fields = [f"MCP-Protocol-Version: {VERSION}", f"Mcp-Method: {method}"]
    return fields + ([] if name is None else [f"Mcp-Name: {name}"])


def call(
    name: str = "read_file", agent: str = "ana", id: object = 1, **params: object
) -> bytes:
    """A whole `tools/call` of 2026-07-28."""
    named = {"name": name, "arguments": {"path": "/srv/a"}} | params
    return request(
        body("tools/call", named, id=id), *modern("tools/call", name), agent=agent
    )


def ask(method: str, agent: str = "ana", **params: object) -> bytes:
    """Any other request of 2026-07-28."""
    name = params.get("uri") or params.get("name") or params.get("taskId")
    told = str(name) if name is not None else None
    return request(body(method, params), *modern(method, told), agent=agent)


def old(
    method: str,
    agent: str = "ana",
    session: str = "",
    id: object = 1,
    **params: object,
) -> bytes:
    """A request of 2025-11-25."""
    fields = ["MCP-Protocol-Version: 2025-11-25"]
    fields += [f"Mcp-Session-Id: {session}"] if session else []
    return request(body(method, params, id=id, meta=None), *fields, agent=agent)


def result(id: object = 1, **members: object) -> bytes:
    """A response."""
    message = {"jsonrpc": "2.0", "id": id, "result": members}
    return json.dumps(message, separators=(",", ":")).encode()


def events(*data: bytes, end: bool = True) -> bytes:
    """A stream of events, in one chunk each."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
    chunks = b"".join(encode_chunk(b"data: %b\n\n" % each) for each in data)
    return head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + LAST_CHUNK * end
