"""A small API of Google Cloud for live scans: pages, refusals, throttling, tokens."""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

ORGANIZATION = "organizations/1"
SCANNER = "scanner@audit.iam.gserviceaccount.com"
APIS = (
    "CLOUDASSET",
    "IAM",
    "CLOUDRESOURCEMANAGER",
    "CLOUDIDENTITY",
    "DISCOVERYENGINE",
)
# The client encodes enumerations as numbers.
_CONTENTS = {"1": "RESOURCE", "2": "IAM_POLICY", "4": "ORG_POLICY"}
_TOKEN = "example-access-token"


def build_asset(name: str, kind: str, data: Any = None, **fields: Any) -> Any:
    """Build an asset of Cloud Asset Inventory; its ancestors end at the organization."""
    asset = {"name": name, "assetType": kind, "ancestors": [ORGANIZATION], **fields}
    return asset if data is None else {**asset, "resource": {"data": data}}


@dataclass
class FakeGoogle:
    """State of the server.

    Attributes:
        assets: Assets by content type.
        lists: Items of every other list, by the path that lists them.
        fields: Name of the field that holds the items of a path.
        objects: Single answers by path.
        always: Status and reason of every call of a path.
        once: Statuses of the next calls of a path.
        bodies: Raw bodies by path.
        calls: Each call: method, path, query.
    """

    assets: dict[str, list[Any]] = field(default_factory=dict)
    lists: dict[str, list[Any]] = field(default_factory=dict)
    objects: dict[str, Any] = field(default_factory=dict)
    always: dict[str, tuple[int, str]] = field(default_factory=dict)
    once: dict[str, list[int]] = field(default_factory=dict)
    bodies: dict[str, bytes] = field(default_factory=dict)
    page_items: int = 1000
    refuses_tokens: bool = False
    calls: list[tuple[str, str, dict[str, list[str]]]] = field(default_factory=list)
    url: str = ""

    def count_calls(self) -> Counter[str]:
        """Count the calls of each path."""
        return Counter(path for _, path, _ in self.calls)

    def answer(
        self, method: str, path: str, query: dict[str, list[str]]
    ) -> tuple[int, bytes]:
        """Answer a call."""
        self.calls.append((method, path, query))
        key = path
        if path.endswith("/assets"):
            key = _CONTENTS[query["contentType"][0]]
        elif path == "/v1/groups:lookup":
            key = query["groupKey.id"][0]
        if self.once.get(key):
            return self.build_error(self.once[key].pop(0), "")
        if key in self.always:
            return self.build_error(*self.always[key])
        if key in self.bodies:
            return 200, self.bodies[key]
        if path.endswith("/assets"):
            return self._page(self.assets.get(key, []), "assets", query)
        if key in self.objects:
            return 200, json.dumps(self.objects[key]).encode()
        name = {
            "denypolicies": "policies",
            "principalAccessBoundaryPolicies": "principalAccessBoundaryPolicies",
            "memberships": "memberships",
            "agents": "agents",
        }.get(path.rpartition("/")[2], "policyBindings")
        if name == "policyBindings" and ":" not in path:
            return self.build_error(404, "")
        return self._page(self.lists.get(path, []), name, query)

    def build_error(self, status: int, reason: str) -> tuple[int, bytes]:
        """Build an error as the APIs answer it."""
        details = [
            {
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": reason,
                "domain": "googleapis.com",
                "metadata": {},
            }
        ]
        error = {"code": status, "message": "c4n4ry of the server", "status": "X"}
        return status, json.dumps({"error": {**error, "details": details}}).encode()

    def _page(
        self, items: list[Any], name: str, query: dict[str, list[str]]
    ) -> tuple[int, bytes]:
        """Cut one page of a list."""
        start = int(query.get("pageToken", ["0"])[0])
        end = start + self.page_items
        body: dict[str, Any] = {name: items[start:end]}
        if end < len(items):
            body["nextPageToken"] = str(end)
        return 200, json.dumps(body).encode()

    def write_key(self, place: Path) -> Path:
        """Write a key of a service account whose tokens this server issues."""
        private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        pem = private.private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        ).decode()
        key = {
            "type": "service_account",
            "project_id": "shop",
            "private_key_id": "1",
            "private_key": pem,
            "client_email": SCANNER,
            "token_uri": f"{self.url}/token",
        }
        place.write_text(json.dumps(key))
        return place


class _Handler(BaseHTTPRequestHandler):
    """Handler of calls; the server has the state."""

    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16  # one write for an answer
    disable_nagle_algorithm = True
    fake: FakeGoogle

    def _reply(self, method: str) -> None:
        parts = urlsplit(self.path)
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = unquote(parts.path)  # once, as the APIs do
        bearer = self.headers.get("Authorization", "")
        if path == "/token":
            found = {"access_token": _TOKEN, "expires_in": 3600, "token_type": "Bearer"}
            status, body = 200, json.dumps(found).encode()
            if self.fake.refuses_tokens:
                status, body = 400, b'{"error": "invalid_grant"}'
        elif not bearer.startswith("Bearer ") or self.fake.refuses_tokens:
            status, body = self.fake.build_error(401, "")
        else:
            status, body = self.fake.answer(method, path, parse_qs(parts.query))
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        """Answer a GET."""
        self._reply("GET")

    def do_POST(self) -> None:
        """Answer a POST."""
        self._reply("POST")

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@contextmanager
def serve(fake: FakeGoogle) -> Iterator[FakeGoogle]:
    """Serve the API on a loopback port."""
    handler = type("Bound", (_Handler,), {"fake": fake})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    fake.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
