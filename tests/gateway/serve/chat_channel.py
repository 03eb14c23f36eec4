"""A channel that owners read: it takes messages as Slack's webhooks do."""

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.authority import Authority


class Channel(ThreadingHTTPServer):
    """Takes messages, but for the first few."""

    seen: list[tuple[str, Any]]
    refuses: int
    asks: dict[str, Any]  # as in a configuration


class _Taking(BaseHTTPRequestHandler):
    server: Channel

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        seen = self.server.seen
        seen.append((self.path, json.loads(body)))
        self.send_response(503 if len(seen) <= self.server.refuses else 200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def channel(authority: Authority, refuses: int = 0) -> Iterator[Channel]:
    issued = authority.issue("channel")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(issued.certificate, issued.key)
    taking = Channel(("127.0.0.1", 0), _Taking)
    taking.socket = context.wrap_socket(taking.socket, server_side=True)
    taking.seen, taking.refuses = [], refuses
    taking.asks = {
        "webhook": f"https://localhost:{taking.server_port}/services/T0/SECRETPART",
        "ca": str(authority.root.certificate),
        "private": True,
    }
    thread = threading.Thread(target=taking.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield taking
    finally:
        taking.shutdown()
        thread.join()
        taking.server_close()
