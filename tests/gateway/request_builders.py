"""Requests to build tests from: right in every part until a test says otherwise."""

import json
import sys
from collections.abc import Callable, Sequence
from itertools import pairwise
from types import FrameType

import pytest

from answerable.server.mcp.call import parse_http_call
from answerable.server.wire.refusals import RequestRefused
from answerable.server.wire.request_head import HttpRequestHead, parse_head
from answerable.server.wire.request_parser import RequestBody, RequestParser

VERSION = "2026-07-28"
WIRES = ("gateway/wire", "serving/wire")
META = {
    "io.modelcontextprotocol/protocolVersion": VERSION,
    "io.modelcontextprotocol/clientInfo": {"name": "ExampleClient", "version": "1.0.0"},
    "io.modelcontextprotocol/clientCapabilities": {
        "extensions": {"io.modelcontextprotocol/tasks": {}}
    },
}
FIELDS = {
    "Host": "gateway.example:8471",
    "Content-Type": "application/json",
    "Accept": "application/json, text/event-stream",
}


def head_bytes(
    fields: Sequence[tuple[str, str | bytes]] = (),
    line: str | bytes = "POST /mcp/weather HTTP/1.1",
    *,
    host: str | None = "gateway.example:8471",
) -> bytes:
    """Spell a head."""
    start = line.encode("latin-1") if isinstance(line, str) else line
    lines = [start] + ([f"Host: {host}".encode()] if host is not None else [])
    for name, value in fields:
        raw = value.encode("latin-1") if isinstance(value, str) else value
        lines.append(name.encode("latin-1") + b": " + raw)
    return b"\r\n".join(lines) + b"\r\n\r\n"


def head(
    fields: dict[str, str | None] | None = None,
    line: str = "POST /mcp/weather HTTP/1.1",
) -> HttpRequestHead:
    """Read a head; a field that is None is left out."""
    all_fields = FIELDS | (fields or {})
    pairs = [(name, value) for name, value in all_fields.items() if value is not None]
    return parse_head(head_bytes(pairs, line, host=None))


def modern(
    method: str, name: str | None = None, **others: str | None
) -> HttpRequestHead:
    """The head of a request of 2026-07-28."""
    fields: dict[str, str | None] = {
        "MCP-Protocol-Version": VERSION,
        "Mcp-Method": method,
        "Mcp-Name": name,
    }
    spelled = {key.replace("_", "-"): value for key, value in others.items()}
    return head(fields | spelled)


def body(
    method: str,
    params: dict[str, object] | None = None,
    *,
    id: object = 1,
    meta: dict[str, object] | None = META,
) -> bytes:
    """The body of a request; `meta` None leaves it out, as older revisions do."""
    inside = dict(params or {}) | ({} if meta is None else {"_meta": meta})
    message: dict[str, object] = {"jsonrpc": "2.0", "id": id, "method": method}
    return json.dumps(message | ({"params": inside} if inside else {})).encode()


NAME: dict[str, object] = {"name": "get_weather"}
ADD = body("tools/call", NAME | {"arguments": {"city": "Basel"}})


def old(version: str | None = "2025-11-25", **fields: str | None) -> HttpRequestHead:
    """The head of a request of an older revision."""
    spelled = {key.replace("_", "-"): value for key, value in fields.items()}
    return head({"MCP-Protocol-Version": version} | spelled)


def refused(head: HttpRequestHead, data: bytes) -> RequestRefused:
    """What a request is refused for."""
    with pytest.raises(RequestRefused) as caught:
        parse_http_call(head, data)
    return caught.value


def sliced(data: bytes, cuts: Sequence[int]) -> list[bytes]:
    """Cut bytes at every place of `cuts`."""
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[a:b] for a, b in pairwise(edges)]


def taken(slices: Sequence[bytes]) -> list[object]:
    """Feed slices to a connection; what comes out, in a form that compares."""
    intake = RequestParser(parse_head)
    arrived = [each for data in slices for each in intake.feed(data)]
    end = intake.check_input_end()
    return [plain(each) for each in arrived] + ([plain(end)] if end else [])


def plain(each: HttpRequestHead | RequestBody | RequestRefused) -> object:
    """A refusal by its reason, anything else as it is."""
    return each.why if isinstance(each, RequestRefused) else each


def steps(work: Callable[[], object]) -> int:
    """Lines of the wire that are run; what C does in one is a scan of its argument."""
    counted = 0

    def trace(frame: FrameType, event: str, _: object) -> object:
        nonlocal counted
        if not any(each in frame.f_code.co_filename for each in WIRES):
            return None
        counted += event == "line"
        return trace

    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(None)
    return counted
