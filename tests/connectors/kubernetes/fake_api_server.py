"""A small API server that the official client talks to: lists by page, refusals."""

import json
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

from answerable.connectors.kubernetes.kinds import KINDS, find_kind

METADATA = "PartialObjectMetadata"
TOKEN = "example-bearer-token"


@dataclass
class FakeApiServer:
    """State of the server.

    Attributes:
        objects: Objects by the path of their list.
        refusals: Statuses that the next calls of a path get, with Retry-After.
        always: Status of every call of a path.
        calls: Each call: path, query and Accept.
        groups: Versions of the API groups that custom resources are in.
    """

    objects: dict[str, list[dict[str, Any]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    refusals: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    always: dict[str, int] = field(default_factory=dict)
    calls: list[tuple[str, dict[str, list[str]], str]] = field(default_factory=list)
    groups: dict[str, list[str]] = field(default_factory=dict)
    raw: dict[str, str] = field(default_factory=dict)
    ignores_accept: bool = False
    url: str = ""

    def add(self, *items: dict[str, Any]) -> None:
        """Add objects under the path of their kind."""
        for item in items:
            kind = find_kind(item["apiVersion"], item["kind"])
            assert kind is not None
            self.objects[kind.path].append(item)

    def count_calls(self) -> Counter[str]:
        """Count the calls of each path."""
        return Counter(path for path, _, _ in self.calls)

    def answer(self, path: str, query: dict[str, list[str]], accept: str) -> Any:
        """Answer a call: status, headers and body."""
        self.calls.append((path, query, accept))
        if self.refusals.get(path):
            status, wait = self.refusals[path].pop(0)
            return status, {"Retry-After": wait}, {"kind": "Status", "code": status}
        if path in self.always:
            return self.always[path], {}, {"kind": "Status"}
        if path in self.raw:
            return 200, {}, self.raw[path]
        if path == "/version":
            return 200, {}, {"gitVersion": "v1.34.1"}
        if path == "/.well-known/openid-configuration":
            return 200, {}, {"issuer": "https://issuer.example/"}
        group = path.removeprefix("/apis/")
        if group in self.groups:
            versions = [{"version": each} for each in self.groups[group]]
            return 200, {}, {"kind": "APIGroup", "versions": versions}
        kind = next((e for e in KINDS if e.path == path), None)
        if kind is None or (kind.optional and kind.group not in self.groups):
            return 404, {}, {"kind": "Status", "code": 404}
        return 200, {}, self._page(path, kind.kind, query, accept)

    def _page(
        self, path: str, kind: str, query: dict[str, list[str]], accept: str
    ) -> dict[str, Any]:
        start = int(query.get("continue", ["0"])[0])
        end = start + int(query["limit"][0])
        every = self.objects[path]
        metadata = {"continue": str(end)} if end < len(every) else {}
        if METADATA in accept and not self.ignores_accept:
            items = [
                {
                    "kind": METADATA,
                    "apiVersion": "meta.k8s.io/v1",
                    "metadata": e["metadata"],
                }
                for e in every[start:end]
            ]
            return {"kind": f"{METADATA}List", "metadata": metadata, "items": items}
        bare = ("kind", "apiVersion")  # items of a list do not state them
        items = [
            {k: v for k, v in each.items() if k not in bare}
            for each in every[start:end]
        ]
        return {"kind": f"{kind}List", "metadata": metadata, "items": items}

    def write_kubeconfig(self, path: Path, token: str = TOKEN) -> Path:
        """Write a kubeconfig with two contexts."""
        context = {"cluster": "prod", "user": "scanner"}
        other = {"cluster": "other", "user": "scanner"}
        config = {
            "current-context": "main",
            "contexts": [
                {"name": "main", "context": context},
                {"name": "second", "context": other},
            ],
            "clusters": [
                {"name": name, "cluster": {"server": self.url}}
                for name in ("prod", "other")
            ],
            "users": [{"name": "scanner", "user": {"token": token}}],
        }
        path.write_text(yaml.safe_dump(config))
        return path


@contextmanager
def serve(fake: FakeApiServer) -> Iterator[FakeApiServer]:
    """Serve on a free port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            accept = self.headers.get("Accept", "")
            bearer = self.headers.get("Authorization", "")
            status, headers, body = 401, {}, {}
            if bearer == f"Bearer {TOKEN}":
                query = parse_qs(parts.query)
                status, headers, body = fake.answer(parts.path, query, accept)
            data = (body if isinstance(body, str) else json.dumps(body)).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    fake.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
