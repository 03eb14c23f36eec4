"""Listen on loopback for the redirect of a sign-in (RFC 8252 7.3).

RFC 8252 7.3 and 8.3: 127.0.0.1 and never a name, a port that the kernel chooses, open
only while a sign-in waits. The first answer counts; a later one gets 410. Nothing of an
answer appears in the page.
"""

import asyncio
import contextlib
import socket
from dataclasses import dataclass, field
from http import HTTPStatus
from types import TracebackType

import httptools

from answerable.model.errors import EnvironmentFailure
from answerable.server.wire.refusals import RequestRefused
from answerable.server.wire.request_head import HeadCollector, collect_header_fields

PATH = "/callback"
HOST = "127.0.0.1"
MAX_HEAD = 32 * 1024  # a code may have kilobytes
_READ_SECONDS = 10
_LAST_SECONDS = 0.5  # for connections that are open when the answer arrives

_PAGE = (
    "<!doctype html><html lang=en><meta charset=utf-8>"
    "<title>answerable</title><p>{sentence}</p></html>\n"
)
_SENTENCES = {
    HTTPStatus.OK: "The terminal shows the result. You may close this page.",
    HTTPStatus.GONE: "This sign-in is already complete.",
    HTTPStatus.NOT_FOUND: "Page not found.",
    HTTPStatus.BAD_REQUEST: "This is not a response to a sign-in.",
}


@dataclass(slots=True)
class _CallbackRequest:
    """Partially parsed request of one connection."""

    heard: HeadCollector = field(default_factory=HeadCollector)
    whole: bool = False

    def on_url(self, url: bytes) -> None:
        """Collect a piece of the request target; a parser callback."""
        self.heard.on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Collect one header field of the request; a parser callback."""
        self.heard.on_header(name, value)

    def on_headers_complete(self) -> None:
        """Note the end of the request head; a parser callback."""
        self.whole = True


class LoopbackListener:
    """Listener that is open between enter and exit.

    Raises:
        EnvironmentFailure: No port is available.
    """

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            self._socket.bind((HOST, 0))
            self._socket.listen(16)
        except OSError as error:
            self._socket.close()
            raise EnvironmentFailure(
                f"cannot listen at {HOST} ({error.strerror})", "try --device"
            ) from None
        self._authority = f"{HOST}:{self._socket.getsockname()[1]}"
        self._query: asyncio.Future[str] | None = None
        self._open: set[asyncio.Task[None]] = set()

    def __enter__(self) -> "LoopbackListener":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trail: TracebackType | None,
    ) -> None:
        self._socket.close()

    @property
    def redirect_uri(self) -> str:
        """Redirect URI to register for the sign-in."""
        return f"http://{self._authority}{PATH}"

    def wait_for_query(self, seconds: float) -> str | None:
        """Return the query of the first redirect, None after the time limit."""
        return asyncio.run(self._await_redirect(seconds))

    async def _await_redirect(self, seconds: float) -> str | None:
        """Serve until the redirect arrives or the time is over."""
        self._query = asyncio.get_running_loop().create_future()
        server = await asyncio.start_server(
            self._handle_connection, sock=self._socket, limit=MAX_HEAD
        )
        try:
            async with asyncio.timeout(seconds):
                return await asyncio.shield(self._query)
        except TimeoutError:
            return None
        finally:
            server.close()
            if self._open:
                await asyncio.wait(self._open, timeout=_LAST_SECONDS)
            for each in tuple(self._open):
                each.cancel()

    async def _handle_connection(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Answer one request of a browser with a page."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a handler is a task
        self._open.add(task)
        try:
            async with asyncio.timeout(_READ_SECONDS):
                status = await self._read_request(reader)
                if status is not None:
                    writer.write(_build_browser_page(status))
                    await writer.drain()
        except (OSError, TimeoutError, asyncio.CancelledError):
            return  # a broken connection is ignored
        finally:
            writer.close()
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()
            self._open.discard(task)

    async def _read_request(self, reader: asyncio.StreamReader) -> HTTPStatus | None:
        """Parse one request; None where none came (browsers connect in advance)."""
        line, read = _CallbackRequest(), 0
        parser = httptools.HttpRequestParser(line)
        try:
            while not line.whole:
                part = await reader.read(16 * 1024)
                read += len(part)
                if not part:
                    return None
                if read > MAX_HEAD:
                    return HTTPStatus.BAD_REQUEST
                parser.feed_data(part)
            fields = collect_header_fields(line.heard.pairs)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade, RequestRefused):
            return HTTPStatus.BAD_REQUEST
        return self._accept_redirect(parser.get_method(), line.heard.target, fields)

    def _accept_redirect(
        self, method: bytes, target: bytes, fields: dict[str, str]
    ) -> HTTPStatus:
        """Take the query of a redirect; return the status of the page.

        Host has to be the address: a web page that resolves its own name to our address
        (DNS rebinding) is no redirect.
        """
        path, mark, query = target.partition(b"?")
        if path != PATH.encode() or fields.get("host") != self._authority:
            return HTTPStatus.NOT_FOUND
        if method != b"GET" or not mark or not query.isascii():
            return HTTPStatus.BAD_REQUEST
        if self._query is None or self._query.done():
            return HTTPStatus.GONE
        self._query.set_result(query.decode("ascii"))
        return HTTPStatus.OK


def _build_browser_page(status: HTTPStatus) -> bytes:
    """Build the HTTP response that the person sees in the browser."""
    body = _PAGE.format(sentence=_SENTENCES[status]).encode("ascii")
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\n"
        "Content-Type: text/html; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\n"
        "Cache-Control: no-store\r\n"
        "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n"
        "Referrer-Policy: no-referrer\r\n"
        "X-Content-Type-Options: nosniff\r\n"
        "Connection: close\r\n\r\n"
    )
    return head.encode("ascii") + body
