"""HTTP proxy before moto that refuses and throttles the calls a test names."""

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

_OURS = ("content-length", "connection", "date", "server")


def _nothing(asked: str) -> str:
    return ""


@dataclass
class Proxy:
    """Forwards to moto, save the calls that a test wants answered otherwise.

    Attributes:
        upstream: URL of moto.
        url: Its own.
        refuse: Takes target, path and body of a request; returns an error code, or
            empty.
        roles: Role ARNs that were assumed, in order.
    """

    upstream: str
    url: str = ""
    refuse: Callable[[str], str] = _nothing
    roles: list[str] = field(default_factory=list)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    state: Proxy


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def handle_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        text = unquote(body.decode("latin-1"))
        target = self.headers.get("X-Amz-Target", "")
        state = self.server.state
        if "Action=AssumeRole" in text:
            state.roles.append(text.partition("RoleArn=")[2].partition("&")[0])
        code = state.refuse(f"{target} {self.path} {text}")
        if code:
            self._refuse(code, as_json=bool(target))
        else:
            self._forward(body)

    def _refuse(self, code: str, *, as_json: bool) -> None:
        said = f"<ErrorResponse><Error><Code>{code}</Code></Error></ErrorResponse>"
        if as_json:
            said = json.dumps({"__type": code, "message": "no"})
        self._answer(400, {}, said.encode())

    def _forward(self, body: bytes) -> None:
        url = self.server.state.upstream + self.path
        headers = dict(self.headers)
        asked = urllib.request.Request(url, body or None, headers, method=self.command)  # noqa: S310 - our own server
        try:
            with urllib.request.urlopen(asked, timeout=60) as answer:  # noqa: S310 - our own server
                self._answer(answer.status, dict(answer.headers), answer.read())
        except urllib.error.HTTPError as error:
            self._answer(error.code, dict(error.headers), error.read())

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in _OURS:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


for _method in ("GET", "POST", "PUT", "HEAD"):
    setattr(_Handler, f"do_{_method}", _Handler.handle_any)


@contextmanager
def serve(upstream: str) -> Iterator[Proxy]:
    """Serve on a free port of 127.0.0.1."""
    server = _Server(("127.0.0.1", 0), _Handler)
    url = f"http://127.0.0.1:{server.server_address[1]}"
    server.state = Proxy(upstream, url)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server.state
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=60)
