"""Requests of an MCP client, right or wrong in one or two places."""

import json
import random
from typing import Any, NamedTuple

from tests.attacks.name_lookalikes import UPWARDS, lookalikes
from tests.gateway.request_builders import META, VERSION
from tests.gateway.serve.running_gateway import token_of


class Sent(NamedTuple):
    """One request as a client sends it."""

    method: str
    fields: tuple[tuple[str, bytes], ...]
    body: bytes


TOKENS = {who: token_of(who) for who in ("ana", "ben", "nobody")}
FIELDS: tuple[tuple[str, bytes], ...] = (
    *(
        ("mcp-name", each)
        for each in (b"read", b"write", b"Read", b"=?base64?cmVhZA==?=")
    ),
    *(("mcp-method", each) for each in (b"tools/call", b"tools/list", b"Tools/Call")),
    *(("mcp-protocol-version", each) for each in (b"2025-06-18", b"2024-11-05", b"x")),
    *(
        ("content-type", each)
        for each in (b"text/plain", b"application/json; charset=x")
    ),
    *(("accept", each) for each in (b"*/*", b"text/html", b"application/json")),
    *(("content-encoding", each) for each in (b"gzip", b"identity")),
    *(("origin", each) for each in (b"null", b"https://evil.example")),
    *(("connection", each) for each in (b"mcp-name", b"keep-alive")),
    *(("mcp-session-id", each) for each in (b"s-1", b"abc.s-1", b"\xe9")),
    *(("expect", b"200-ok"), ("user-agent", b"admin"), ("baggage", b"agent=ben")),
    *(("authorization", each) for each in (b"Bearer x", b"Basic YTpi", b"")),
    *(("mcp_name", b"read"), ("x-forwarded-for", b"127.0.0.1"), ("dpop", b"x")),
)


def generated(random: random.Random) -> Sent:
    """A request that is right, or wrong in one or two places."""
    method, params = random.choice(_METHODS)
    params = dict(params)
    if method == "tools/call":
        params["arguments"] = _arguments(random)
    is_modern = random.random() < 0.7
    if is_modern:
        params["_meta"] = META
    if random.random() < 0.05:
        params["requestState"] = "s"
    said: dict[str, Any] = {"jsonrpc": "2.0", "method": method, "params": params}
    if not method.startswith("notifications/"):
        said["id"] = 7
    body = _damaged(json.dumps(said).encode(), random)
    fields = [
        ("content-type", b"application/json"),
        ("accept", b"application/json, text/event-stream"),
        ("mcp-protocol-version", (VERSION if is_modern else "2025-11-25").encode()),
    ]
    who = random.choice(("ana",) * 9 + ("ben", "nobody", ""))
    if who:
        fields.append(("authorization", f"Bearer {TOKENS[who]}".encode()))
    if is_modern:
        named = params.get("name") or params.get("uri") or params.get("taskId")
        fields.append(("mcp-method", method.encode()))
        fields += [("mcp-name", str(named).encode())] if named else []
    verb = random.choice(("POST",) * 12 + ("GET", "DELETE"))
    if verb != "POST" and random.random() < 0.7:
        body = b""
    return Sent(verb, _mixed(fields, random), body)


_METHODS: tuple[tuple[str, dict[str, Any]], ...] = (
    *[("tools/call", {"name": name}) for name in ("read", "write", "write") * 3],
    ("resources/read", {"uri": "file:///srv/a"}),
    *[("resources/read", {"uri": f"file://{e}"}) for e in UPWARDS[:8]],
    *[(each, {}) for each in ("tools/list", "server/discover", "ping", "made/up")],
    *(("tasks/get", {"taskId": "t"}), ("prompts/get", {"name": "p"})),
    ("initialize", {"protocolVersion": "2025-11-25", "capabilities": {}}),
    *(("notifications/initialized", {}), ("notifications/cancelled", {"requestId": 7})),
    ("subscriptions/listen", {"notifications": {"taskIds": ["t"]}}),
)


def _arguments(random: random.Random) -> dict[str, Any]:
    match random.randrange(4):
        case 0:
            return random.choice(lookalikes())
        case 1:
            return {"amount": 5, "path": random.choice(UPWARDS)}
        case _:
            return {"amount": random.choice((5, 5, 5, 500, "5", 5.5, None))}


def _damaged(body: bytes, random: random.Random) -> bytes:
    match random.randrange(30):
        case 0:
            return body.replace(b"{", b'{"Method": "tools/list", ', 1)
        case 1:
            return body.replace(b'"params": {', b'"params": {"name": "read", ', 1)
        case 2:
            return body.replace(b'"params": {', b'"params": {"Name": "read", ', 1)
        case 3:
            return random.choice((b"[%b]" % body, body + b"x", body[:-1], b"", b"\xff"))
        case 4:
            return body.replace(b"amount", b"amount\xff")
        case _:
            return body


def _mixed(
    fields: list[tuple[str, bytes]], random: random.Random
) -> tuple[tuple[str, bytes], ...]:
    for _ in range(random.choice((0,) * 7 + (1, 1, 2))):
        name, value = random.choice(FIELDS)
        match random.randrange(3):
            case 0:
                fields = [pair for pair in fields if pair[0] != name]
            case 1:
                fields = [pair for pair in fields if pair[0] != name] + [(name, value)]
            case _:
                fields = [*fields, (name, value)]
    return tuple(fields)
