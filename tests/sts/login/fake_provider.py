"""A small OpenID provider on loopback, and a browser that does what a test says.

It is as right as it has to be; each test makes one thing wrong.
"""

import base64
import hashlib
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from answerable.federation.strict_json import encode_base64url
from tests.federation.sample_tokens import EC, document, public, sign

Members = dict[str, Any]
CODE = "code-canary-4f1b0c"
DEVICE_CODE = "device-canary-9a77d2"
REFRESH = "refresh-canary-02c9be"
ACCESS = "access-canary-77e1fa"


def left_out(members: Members) -> Members:
    """Take away what is `...`."""
    return {name: value for name, value in members.items() if value is not ...}


# Of `email_verified`: only JSON true says that the address is the person's.
UNVERIFIED = (..., None, False, "False", "false", "no", "", "true", 0, 1, [True])


@dataclass
class FakeProvider:
    """What it says, and what it heard.

    Attributes:
        metadata, redirect, claims, header, tokens, device: Changes to what it says.
        forge: Makes another ID token of the right one.
        polls: Answers of the token endpoint before the right one: (status, members).
        asked: Parameters of the authorization request.
        forms: Forms that came to the token endpoint.
        given: ID tokens that it gave.
        used: Codes that were turned in.
    """

    iss: str = ""
    client: str = "answerable"
    metadata: Members = field(default_factory=dict)
    redirect: Members = field(default_factory=dict)
    claims: Members = field(default_factory=dict)
    header: Members = field(default_factory=dict)
    tokens: Members = field(default_factory=dict)
    device: Members = field(default_factory=dict)
    forge: Callable[[str], str] = lambda token: token
    polls: list[tuple[int, Members]] = field(default_factory=list)
    asked: Members = field(default_factory=dict)
    forms: list[Members] = field(default_factory=list)
    given: list[str] = field(default_factory=list)
    used: set[str] = field(default_factory=set)

    def said_of_itself(self) -> Members:
        return left_out(
            {
                "issuer": self.iss,
                "authorization_endpoint": f"{self.iss}/auth",
                "token_endpoint": f"{self.iss}/token",
                "device_authorization_endpoint": f"{self.iss}/device",
                "jwks_uri": f"{self.iss}/jwks",
                "code_challenge_methods_supported": ["S256"],
                "authorization_response_iss_parameter_supported": True,
                "claims_parameter_supported": True,
            }
            | self.metadata
        )

    def id_token(self) -> str:
        now = int(time.time())
        facts = {
            "iss": self.iss,
            "sub": "account-1",
            "aud": self.client,
            "iat": now,
            "exp": now + 300,
            "nonce": self.asked.get("nonce", ...),
            "email": "ana@example.com",
            "email_verified": True,
            # OpenID Connect Core 2: required where the client sent max_age.
            "auth_time": now if "max_age" in self.asked else ...,
        }
        head = {"alg": "ES256", "kid": "k1"} | self.header
        token = sign(left_out(head), left_out(facts | self.claims))
        self.given.append(self.forge(token))
        return self.given[-1]

    def token(self, form: Members) -> tuple[int, Members]:
        self.forms.append(form)
        if self.polls:
            return self.polls.pop(0)
        if wrong := self._wrong(form):
            return 400, {"error": wrong}
        given = {
            "access_token": ACCESS,
            "refresh_token": REFRESH,
            "token_type": "Bearer",
            "expires_in": 300,
            "id_token": self.id_token(),
        }
        return 200, left_out(given | self.tokens)

    def _wrong(self, form: Members) -> str:
        if form.get("client_id") != self.client:
            return "invalid_client"
        if form["grant_type"].endswith("device_code"):
            return "" if form["device_code"] == DEVICE_CODE else "invalid_grant"
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        right = (
            form["code"] == CODE
            and CODE not in self.used
            and form["redirect_uri"] == self.asked["redirect_uri"]
            and encode_base64url(digest) == self.asked["code_challenge"]
        )
        self.used.add(form["code"])
        return "" if right else "invalid_grant"

    def device_code(self, form: Members) -> tuple[int, Members]:
        self.asked = form
        given = {
            "device_code": DEVICE_CODE,
            "user_code": "WDJB-MJHT",
            "verification_uri": f"{self.iss}/enter",
            "verification_uri_complete": f"{self.iss}/enter?code=WDJB-MJHT",
            "expires_in": 300,
            "interval": 5,
        }
        return 200, left_out(given | self.device)

    def answer(self, url: str) -> str:
        """Do what a provider does with a browser: give the address to go back to."""
        self.asked = dict(parse_qsl(urlsplit(url).query))
        params = {"code": CODE, "state": self.asked["state"], "iss": self.iss}
        query = urlencode(left_out(params | self.redirect), doseq=True)
        return f"{self.asked['redirect_uri']}?{query}"


def visit(url: str, **fields: str) -> tuple[int, str]:
    """Go to an address as a browser does; give status and page."""
    request = urllib.request.Request(url, headers=fields)  # noqa: S310 - of a test
    try:
        with urllib.request.urlopen(request, timeout=60) as page:  # noqa: S310
            return page.status, page.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


@contextmanager
def running() -> Iterator[FakeProvider]:
    """Run a provider on loopback."""
    provider = FakeProvider()

    class Handler(BaseHTTPRequestHandler):
        def _send(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            if self.path == "/jwks":
                return self._send(200, document(public(EC, kid="k1")))
            if self.path == "/.well-known/openid-configuration":
                said = json.dumps(provider.said_of_itself()).encode()
                return self._send(200, said)
            return self._send(404, b"{}")

        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            form = dict(parse_qsl(self.rfile.read(length).decode()))
            serve = {"/token": provider.token, "/device": provider.device_code}
            status, members = serve[self.path](form)
            self._send(status, json.dumps(members).encode())

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider.iss = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def unsigned(token: str) -> str:
    """The same claims with `alg: none` and no signature."""
    _, payload, _ = token.split(".")
    head = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode()
    return f"{head}.{payload}."
