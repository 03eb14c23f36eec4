"""Stand-ins for GitHub's API and a Kubernetes API server: the calls that issue tokens."""

import base64
import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.authority import Authority

# Since 2026-04-27 an installation token is `ghs_APPID_JWT`, about 520 characters.
GITHUB_TOKEN = "ghs_12_canary" + "x" * 500
JTI = "0b1c2d3e-0000-4000-8000-00000000abcd"


@dataclass
class TokenService:
    """State of the stand-in: its address, and path, claims of the caller, and body."""

    url: str = ""
    calls: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    status: int = 201


def encode(part: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


KUBERNETES_TOKEN = f"{encode({'alg': 'RS256'})}.{encode({'jti': JTI})}.canary"


class _Handler(BaseHTTPRequestHandler):
    server: "_Server"

    def do_POST(self) -> None:
        size = int(self.headers["Content-Length"])
        given = json.loads(self.rfile.read(size) or b"{}")
        service = self.server.service
        service.calls.append((self.path, self.headers.get("Authorization", ""), given))
        until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
        answer: dict[str, object] = {"token": GITHUB_TOKEN, "expires_at": until}
        if self.path.startswith("/api/v1/"):
            status = {"token": KUBERNETES_TOKEN, "expirationTimestamp": until}
            answer = {
                "apiVersion": "authentication.k8s.io/v1",
                "kind": "TokenRequest",
                "spec": {"audiences": [], **given["spec"]},
                "status": status,
            }
        self._answer(service.status, answer)

    def do_GET(self) -> None:
        """List objects of Kubernetes for the token that was issued, and for no other."""
        service, caller = self.server.service, self.headers.get("Authorization", "")
        service.calls.append((self.path, caller, {}))
        known = caller == f"Bearer {KUBERNETES_TOKEN}"
        listed = {"apiVersion": "v1", "kind": "PodList", "items": []}
        self._answer(200 if known else 401, listed if known else {"kind": "Status"})

    def _answer(self, status: int, answer: object) -> None:
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Stay silent."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    service: TokenService


@contextmanager
def token_service(tls: Path | None = None) -> Iterator[TokenService]:
    """Run the stand-in on loopback; over TLS with an authority in a folder, if named."""
    server = _Server(("127.0.0.1", 0), _Handler)
    scheme = "http"
    if tls is not None:
        issued = Authority(tls).issue("api")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(issued.certificate, issued.key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        scheme = "https"
    server.service = TokenService(f"{scheme}://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.service
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
