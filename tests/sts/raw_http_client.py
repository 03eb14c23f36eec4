"""A client that writes bytes, and reads answers as they come."""

import asyncio
import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode


@dataclass(frozen=True)
class RawReply:
    status: int
    fields: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, object]:
        return json.loads(self.body)


def spelled(
    method: str,
    path: str,
    body: bytes = b"",
    fields: Mapping[str, str] | None = None,
    host: str = "localhost",
) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}"]
    lines += [f"{name}: {value}" for name, value in (fields or {}).items()]
    if method == "POST":
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


class RawHttpClient:
    """One blocking connection."""

    def __init__(self, sock: socket.socket, host: str = "localhost") -> None:
        self.sock, self.host = sock, host
        self.sock.settimeout(60)
        self._read = b""

    @classmethod
    def to(cls, where: str) -> "RawHttpClient":
        """Connect to `http://HOST:PORT` or `unix:PATH`."""
        if where.startswith("unix:"):
            sock = socket.socket(socket.AF_UNIX)
            sock.connect(where.removeprefix("unix:"))
            return cls(sock)
        host, _, port = where.removeprefix("http://").rpartition(":")
        return cls(socket.create_connection((host, int(port))), f"{host}:{port}")

    def close(self) -> None:
        self.sock.close()

    def __enter__(self) -> "RawHttpClient":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def ask(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        fields: Mapping[str, str] | None = None,
    ) -> RawReply:
        self.send(spelled(method, path, body, fields, self.host))
        return self.reply()

    def form(
        self,
        path: str,
        members: Mapping[str, str],
        fields: Mapping[str, str] | None = None,
    ) -> RawReply:
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        return self.ask(
            "POST", path, urlencode(members).encode(), kind | (fields or {})
        )

    def reply(self) -> RawReply:
        while b"\r\n\r\n" not in self._read:
            self._more()
        head, _, self._read = self._read.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        fields = {}
        for line in lines:
            name, _, value = line.partition(":")
            fields[name.lower()] = value.strip()
        length = int(fields.get("content-length", "0"))
        while len(self._read) < length:
            self._more()
        body, self._read = self._read[:length], self._read[length:]
        return RawReply(int(first.split(" ")[1]), fields, body)

    def is_closed(self) -> bool:
        """Whether the other side has closed, once everything was read."""
        try:
            return self.sock.recv(1) == b""
        except ConnectionResetError:
            return True

    def _more(self) -> None:
        data = self.sock.recv(65536)
        if not data:
            raise EOFError("closed before the answer was whole")
        self._read += data


async def asked(port: int, data: bytes) -> bytes:
    """Send bytes to a door in this process, and read until it closes or rests."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    try:
        async with asyncio.timeout(60):
            return await reader.read(65536)
    finally:
        writer.close()
