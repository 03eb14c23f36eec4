"""A small API of GitHub for live scans: pages, refusals, rate limits, broken answers."""

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from answerable.connectors.github import fetch
from answerable.connectors.github.endpoints import ENDPOINTS
from answerable.model.connector import SyncContext
from answerable.model.sighting import Sync

TOKEN = "example-token-of-a-scan"
Reply = tuple[int, dict[str, str], bytes]


@dataclass
class FakeApi:
    """State of the server.

    Attributes:
        answers: Answers by the path of a saved file, as `gh api --slurp` saves them.
        always: Status and body of every call of a path.
        once: Answers that the next calls of a path get before the usual one.
        cut: Paths whose body ends before the stated length.
        page_items: Entries of a page.
        calls: Each call: method, path, query.
    """

    answers: dict[str, Any]
    always: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    once: dict[str, list[Reply]] = field(default_factory=dict)
    cut: set[str] = field(default_factory=set)
    page_items: int = 100
    headers: dict[str, dict[str, str]] = field(default_factory=dict)
    calls: list[tuple[str, str, dict[str, list[str]]]] = field(default_factory=list)
    bearers: set[str] = field(default_factory=lambda: {TOKEN})
    issued: list[str] = field(default_factory=list)
    url: str = ""

    def count_calls(self) -> Counter[str]:
        """Count the calls of each path."""
        return Counter(path for _, path, _ in self.calls)

    def answer(
        self, method: str, path: str, query: dict[str, list[str]], body: Any
    ) -> Reply:
        """Answer a call."""
        self.calls.append((method, path, query))
        if self.once.get(path):
            return self.once[path].pop(0)
        if path in self.always:
            status, data = self.always[path]
            return status, {}, data
        if method == "POST":
            name = body["variables"]["name"]
            saved = self.answers[f"repos/acme/{name}/branch-protection-rules"]
            return 200, {}, json.dumps(saved[0]).encode()
        saved = self.answers.get(self._find_saved_path(path, query))
        if saved is None or "documentation_url" in saved:
            return 404, {}, b'{"message": "Not Found"}'
        return self._page(path, query, saved)

    def _find_saved_path(self, path: str, query: Mapping[str, list[str]]) -> str:
        asked = {f"{name}={each}" for name, v in query.items() for each in v}
        for each in ENDPOINTS:
            wanted = set(filter(None, each.query.split("&")))
            if each.pattern.fullmatch(path + each.saved) and wanted <= asked:
                return unquote(path) + each.saved
        return unquote(path)

    def _page(self, path: str, query: dict[str, list[str]], saved: Any) -> Reply:
        """Cut one page of an answer, with the link to the next."""
        if isinstance(saved, dict):
            return 200, self.headers.get(path, {}), json.dumps(saved).encode()
        first = saved[0] if saved else []
        name = ""
        if isinstance(first, dict):
            name = next(key for key in first if key != "total_count")
        every = [e for page in saved for e in (page[name] if name else page)]
        number = int(query.get("page", ["1"])[0])
        end = number * self.page_items
        items = every[end - self.page_items : end]
        body = {"total_count": len(every), name: items} if name else items
        headers = dict(self.headers.get(path, {}))
        if end < len(every):
            kept = "&".join(f"{k}={v[0]}" for k, v in query.items() if k != "page")
            following = f"{self.url}/{path}?{kept}&page={number + 1}"
            headers["Link"] = f'<{following}>; rel="next", <{self.url}>; rel="last"'
        return 200, headers, json.dumps(body).encode()


class Handler(BaseHTTPRequestHandler):
    """Handler of calls; the server has the state."""

    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16  # one write for an answer
    disable_nagle_algorithm = True
    fake: FakeApi

    def reply(self, method: str) -> None:
        """Answer one call."""
        parts = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length) or b"null")
        bearer = self.headers.get("Authorization", "").removeprefix("Bearer ")
        path = parts.path.removeprefix("/")
        reply: Reply = (401, {}, b'{"message": "Bad credentials"}')
        if path.endswith(("/installation", "/access_tokens")):
            reply = self.issue(path, bearer)
        elif bearer in self.fake.bearers:
            reply = self.fake.answer(method, path, parse_qs(parts.query), body)
        status, headers, data = reply
        self.send_response(status)
        missing = 100 if path in self.fake.cut else 0
        self.send_header("Content-Length", str(len(data) + missing))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)
        self.close_connection = bool(missing)

    def issue(self, path: str, bearer: str) -> Reply:
        """Find the installation, and issue a token."""
        if bearer.count(".") != 2:
            return 401, {}, b"{}"
        if path.endswith("/installation"):
            return 200, {}, b'{"id": 5}'
        token = f"installation-token-{len(self.fake.issued)}"
        self.fake.issued.append(bearer)
        self.fake.bearers.add(token)
        return 201, {}, json.dumps({"token": token}).encode()

    def do_GET(self) -> None:
        """Answer a call."""
        self.reply("GET")

    def do_POST(self) -> None:
        """Answer a query, or issue a token."""
        self.reply("POST")

    def log_message(self, *_: Any) -> None:
        """Write no log."""


@contextmanager
def serve(fake: FakeApi) -> Iterator[FakeApi]:
    """Serve on a free port of this machine."""
    handler = type("BoundHandler", (Handler,), {"fake": fake})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    fake.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def throttle(
    status: int = 403, after: str = "", reset_in: float | None = None
) -> Reply:
    """Build the answer of a rate limit."""
    headers = {"Retry-After": after} if after else {}
    if reset_in is not None:
        reset = str(int(time.time() + reset_in))
        headers |= {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset}
    text = b'{"message": "You have exceeded a secondary rate limit"}'
    return status, headers, text


def scan_live(api: FakeApi, options: str = "", **context: Any) -> Sync:
    """Scan the organization of the API."""
    parts = SyncContext(now=1, fingerprint=lambda _: "f" * 64, **context)
    return fetch.sync(f"acme,api={api.url}{options}", parts)
