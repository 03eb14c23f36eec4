"""Stand-in for AWS STS, and for one service that evaluates session policies.

It knows the wire form of three operations: moto lacks `GetScopedCredentials`, and
evaluates no session policy. Source: AWS STS API Reference; the service model of botocore.
"""

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

ACCOUNT = "111122223333"
USER_KEY = "AKIAQLBAMOKZ5EXAMPLE"[:20]
PARENT_KEY = "ASIAQLBAMOKZ5PARENT2"
SECRET = "canary-secret-of-the-person-0123456789"
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


@dataclass
class StsService:
    """State of the stand-in.

    Attributes:
        url: Its address.
        calls: Operation, parameters and access key of each call.
        refuses: Error code by operation.
        policies: Session policies by issued access key, outermost first.
        allows: Whether a policy allows an action on a resource.
        ttl: Seconds that replace the requested duration; 0 for none.
        secrets: Secrets that were issued.
    """

    url: str = ""
    calls: list[tuple[str, dict[str, str], str]] = field(default_factory=list)
    refuses: dict[str, str] = field(default_factory=dict)
    policies: dict[str, tuple[str, ...]] = field(default_factory=dict)
    allows: Callable[[str, str, str], bool] = lambda *_: True
    ttl: int = 0
    secrets: list[str] = field(default_factory=list)
    _count: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def operations(self) -> list[str]:
        return [name for name, _, _ in self.calls]

    def issue(self, given: dict[str, str], caller: str) -> str:
        """Issue credentials; return the XML of them."""
        number = next(self._count)
        tail = "".join(_LETTERS[number >> 5 * at & 31] for at in range(6))
        key = f"ASIAQLBAMOKZ5C{tail}"
        secret = f"canary-issued-secret-{number:04}"
        self.secrets += [secret, f"canary-token-{number:04}"]
        self.policies[key] = (*self.policies.get(caller, ()), given.get("Policy", ""))
        until = time.time() + (self.ttl or int(given.get("DurationSeconds", 3600)))
        expires = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(until))
        return (
            f"<Credentials><AccessKeyId>{key}</AccessKeyId><SecretAccessKey>{secret}"
            f"</SecretAccessKey><SessionToken>canary-token-{number:04}</SessionToken>"
            f"<Expiration>{expires}</Expiration></Credentials>"
        )

    def answer(self, given: dict[str, str], caller: str) -> tuple[int, str]:
        """Answer one call of STS."""
        name = given.pop("Action")
        given.pop("Version")
        self.calls.append((name, dict(given), caller))
        code = self.refuses.get(name, "")
        if name == "AssumeRole" and "SourceIdentity" in given:
            code = code or self.refuses.get("SetSourceIdentity", "")
        if name == "GetScopedCredentials" and caller.startswith("AKIA"):
            code = "InvalidSubjectCredentials"
        if name == "GetFederationToken" and caller.startswith("ASIA"):
            code = "AccessDenied"
        if code:
            return 403, (
                "<ErrorResponse><Error><Type>Sender</Type>"
                f"<Code>{code}</Code><Message>{SECRET}</Message></Error></ErrorResponse>"
            )
        inner = self.issue(given, caller)
        return (
            200,
            f"<{name}Response><{name}Result>{inner}</{name}Result></{name}Response>",
        )


class _Handler(BaseHTTPRequestHandler):
    server: "_Server"

    def _caller(self) -> str:
        sent = self.headers.get("Authorization", "")
        return sent.partition("Credential=")[2].partition("/")[0]

    def _send(self, status: int, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        size = int(self.headers["Content-Length"])
        form = parse_qs(self.rfile.read(size).decode(), keep_blank_values=True)
        given = {name: values[0] for name, values in form.items()}
        self._send(*self.server.service.answer(given, self._caller()))

    def do_GET(self) -> None:
        service, caller = self.server.service, self._caller()
        path = urlsplit(self.path).path
        resource = f"arn:aws:s3:::{path.lstrip('/')}"
        policies = service.policies.get(caller, ())
        service.calls.append(("GetObject", {"resource": resource}, caller))
        allowed = bool(policies) and all(
            service.allows(each, "s3:GetObject", resource) for each in policies
        )
        if allowed:
            self._send(200, "rows")
        else:
            self._send(403, "<Error><Code>AccessDenied</Code></Error>")

    def log_message(self, format: str, *args: object) -> None:
        """Stay silent."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    service: StsService


@contextmanager
def sts_service() -> Iterator[StsService]:
    """Run the stand-in on loopback."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.service = StsService(url=f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.service
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
