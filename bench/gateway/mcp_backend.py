"""MCP server under the benchmarks; it answers without doing work.

Run as `python -m bench.gateway.mcp_backend`; it prints its port. Over HTTP every answer is
one write. It speaks both eras as far as a proxy asks it to.
"""

import asyncio
import sys
from typing import Any, cast

import msgspec
import uvloop

BIG = 4 << 20
TOOLS = ("echo", "write", "big")
_END = b"\r\n\r\n"
_LENGTH = b"content-length:"


class BackendParams(msgspec.Struct):
    """Request parameters that the answer depends on."""

    name: str = ""
    protocolVersion: str = ""  # noqa: N815 - as on the wire


class BackendMessage(msgspec.Struct):
    """A request or a notification."""

    method: str
    id: str | int | None = None
    params: BackendParams = msgspec.field(default_factory=BackendParams)


_read = msgspec.json.Decoder(BackendMessage).decode


def _text_result(text: str) -> bytes:
    content = [{"type": "text", "text": text}]
    return msgspec.json.encode({"content": content, "resultType": "complete"})


_RESULTS = {"big": _text_result("x" * BIG)}
_SHORT = _text_result("echo")
_LIST: dict[str, Any] = {
    "tools": [{"name": name, "inputSchema": {"type": "object"}} for name in TOOLS],
    "resultType": "complete",
    "ttlMs": 0,
    "cacheScope": "private",
}
_DISCOVERED = {"supportedVersions": ["2026-07-28"], "resultType": "complete"}
_ABOUT: dict[str, Any] = {
    "capabilities": {"tools": {}},
    "serverInfo": {"name": "echo", "version": "1"},
}


def build_result(message: BackendMessage) -> bytes:
    """Build the result of a request."""
    params = message.params
    if message.method == "tools/call":
        return _RESULTS.get(params.name, _SHORT)
    if message.method == "initialize":
        said = {"protocolVersion": params.protocolVersion}
        return msgspec.json.encode(_ABOUT | said)
    if message.method == "server/discover":
        return msgspec.json.encode(_ABOUT | _DISCOVERED)
    return msgspec.json.encode(_LIST if message.method == "tools/list" else {})


def build_answer(body: bytes) -> bytes:
    """Build the answer to a message, empty for a notification."""
    message = _read(body)
    if message.id is None:
        return b""
    id = msgspec.json.encode(message.id)
    return b'{"jsonrpc":"2.0","id":' + id + b',"result":' + build_result(message) + b"}"


class BackendConnection(asyncio.Protocol):
    """One connection."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._missing = 0  # bytes of a body, before anything is looked at again

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Answer every complete request."""
        self._pieces.append(data)
        self._missing -= len(data)
        if self._missing > 0:
            return
        got = b"".join(self._pieces)
        while (end := got.find(_END)) >= 0:
            head = got[:end].lower()
            _, _, after = head.partition(_LENGTH)
            size = int(after.partition(b"\r\n")[0]) if after else 0
            start = end + len(_END)
            self._missing = start + size - len(got)
            if self._missing > 0:
                break
            body, got = got[start : start + size], got[start + size :]
            self._send_reply(body if head.startswith(b"post") else None)
        self._pieces = [got]

    def _send_reply(self, body: bytes | None) -> None:
        data = b"" if body is None else build_answer(body)
        status = b"405 Method Not Allowed" if body is None else b"200 OK"
        if body is not None and not data:
            status = b"202 Accepted"
        kind = b"content-type: application/json\r\n" if data else b""
        length = b"content-length: %d\r\n\r\n" % len(data)
        self._transport.write(b"HTTP/1.1 " + status + b"\r\n" + kind + length + data)


async def run_backend() -> None:
    """Serve until the process is ended."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(BackendConnection, "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(run_backend())
