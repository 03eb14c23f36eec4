"""An https server on this machine that answers what it is told, byte for byte."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.authority import Authority


def certificate(folder: Path) -> Path:
    """Write a certificate that vouches for itself, and its key, in one file."""
    root = Authority(folder).root
    path = folder / "issuer.pem"
    path.write_bytes(root.certificate.read_bytes() + root.key.read_bytes())
    return path


def trusting(pem: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(pem))


@dataclass
class Issuer:
    """The server.

    Attributes:
        pem: Its certificate and key.
        answer: What it sends, whatever it is asked.
        pages: What it sends by path instead: a body, or a whole answer. Others are not
            found.
        pause: Seconds that it waits before each byte.
        asked: The requests that came.
        begun: A question came.
        heard: An answer was sent.
    """

    pem: Path
    answer: bytes = b""
    pages: dict[str, bytes] | None = None
    pause: float = 0
    asked: list[bytes] = field(default_factory=list)
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    heard: asyncio.Event = field(default_factory=asyncio.Event)
    url: str = ""

    def says(
        self, body: bytes, *fields: str, status: str = "200 OK", length: int = -1
    ) -> None:
        size = len(body) if length < 0 else length
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {size}", *fields, "", ""]
        self.answer = "\r\n".join(lines).encode() + body

    def _turn_to(self, path: str) -> None:
        page = (self.pages or {}).get(path)
        if page is None:
            self.says(b"", status="404 Not Found")
        elif page.startswith(b"HTTP/1.1 "):
            self.answer = page
        else:
            self.says(page)

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(self.pem)
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=tls)
        port = server.sockets[0].getsockname()[1]
        self.url = f"https://127.0.0.1:{port}/jwks.json"
        try:
            yield
        finally:
            server.close()

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            if b"Content-Length: " in head:
                length = int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0])
                head += await reader.readexactly(length)
            self.asked.append(head)
            self.begun.set()
            if self.pages is not None:
                self._turn_to(head.split(b" ")[1].decode())
            if not self.pause:
                writer.write(self.answer)
                await writer.drain()
            for byte in self.answer if self.pause else b"":
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(self.pause)
            writer.close()
            self.heard.set()


def run_with_issuer(pem: Path, scenario: Callable[[Issuer], Awaitable[None]]) -> None:
    """Run a scenario while an issuer serves."""

    async def serve_and_run() -> None:
        served = Issuer(pem)
        async with served.serving():
            await scenario(served)

    asyncio.run(serve_and_run())
