"""Container credential endpoint on loopback, for the SDKs of one run.

Only a request with the token of the run is answered. Source: AWS SDKs and Tools
Reference Guide, "Container credential provider".
"""

import hmac
import json
import secrets
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from answerable.model.errors import AnswerableError
from answerable.server.agent_credentials.credential_cache import CachedCredential
from answerable.server.agent_credentials.credential_output import format_expiry

_PATH = "/credentials"
_TIMEOUT = 10.0  # seconds that a connection may be silent

GetCredential = Callable[[], CachedCredential]


class _LoopbackServer(ThreadingHTTPServer):
    """HTTP server with the token and the credential of a run."""

    daemon_threads = True

    def __init__(self, get_credential: GetCredential) -> None:
        self.token = secrets.token_urlsafe(32)
        self.get_credential = get_credential
        super().__init__(("127.0.0.1", 0), _CredentialHandler)


class _CredentialHandler(BaseHTTPRequestHandler):
    """Handler of one connection."""

    timeout = _TIMEOUT
    server: _LoopbackServer
    server_version, sys_version = "answerable", ""

    def do_GET(self) -> None:
        """Answer with the credential, if the token is that of the run."""
        given = self.headers.get("Authorization", "")
        host = self.headers.get("Host", "").partition(":")[0]
        if host not in ("127.0.0.1", "localhost") or not hmac.compare_digest(
            given.encode(), self.server.token.encode()
        ):
            self._send_json(403, {"code": "AccessDenied", "message": "wrong token"})
        elif self.path != _PATH:
            self._send_json(404, {"code": "NotFound", "message": "no such path"})
        else:
            self._answer_credential()

    def _answer_credential(self) -> None:
        """Answer with the credential, or with the fact that there is none."""
        try:
            found = self.server.get_credential()
        except AnswerableError as error:
            self._send_json(403, {"code": "AccessDenied", "message": error.message})
            return
        self._send_json(
            200,
            {
                "AccessKeyId": found.fields["AccessKeyId"],
                "SecretAccessKey": found.fields["SecretAccessKey"],
                "Token": found.fields["SessionToken"],
                "Expiration": format_expiry(found.expires),
            },
        )

    def _send_json(self, status: int, content: dict[str, str]) -> None:
        """Send a JSON answer that nothing may cache."""
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: the agent's terminal is not ours."""


class CredentialEndpoint:
    """Endpoint that runs until it is closed.

    Attributes:
        url: Address, on loopback.
        token: Token of the run.
    """

    def __init__(self, get_credential: GetCredential) -> None:
        self._server = _LoopbackServer(get_credential)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}{_PATH}"
        self.token = self._server.token
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop the server."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
