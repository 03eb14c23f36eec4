"""A door asked in this process: what goes in is a request, what comes out an answer."""

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from answerable.model.ids import PersonId
from answerable.server.connection_info import ConnectionInfo
from answerable.server.status_listener import StatusPage
from answerable.server.wire.host_check import ServedNames
from answerable.web.auth.local_token import LocalToken
from answerable.web.auth.sessions import SessionStore, WebSession
from answerable.web.auth.visitor_factory import VisitorFactory
from answerable.web.http.authentication import SessionAuthenticator
from answerable.web.http.cookies import cookie_name
from answerable.web.http.dispatcher import WebDispatcher
from answerable.web.http.key_sign_in import KeySignIn
from answerable.web.http.provider_sign_in import ProviderSignIn
from answerable.web.http.public_endpoints import public_endpoints
from answerable.web.http.sign_in import SignInPages
from answerable.web.route_table import ROUTES, STREAMS
from answerable.web.routing import StreamRoute, WebRoute
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import WebRole

HOST = "127.0.0.1:8470"
URL = f"http://{HOST}"
FORM = "application/x-www-form-urlencoded"
COOKIE = cookie_name(URL, 8470)


async def build_health_page() -> StatusPage:
    """Build the page of a server that is alive."""
    return StatusPage(200, "text/plain; charset=utf-8", b"ok\n")


@dataclass(frozen=True)
class HarnessResponse:
    """What came out."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def fields(self) -> dict[str, str]:
        return dict(self.headers)

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def cookie(self) -> str:
        """What was set as the session's cookie, empty where nothing was."""
        said = self.fields.get("set-cookie", "")
        found = re.match(r"[^=]+=([^;]*)", said)  # noqa: TID251 - a test reads a prefix
        return found[1] if found else ""


class FakeClock:
    """Time that passes when told."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class DispatcherHarness:
    """A door on a desk, and everything that stands beside it."""

    desk: StoreCache
    routes: tuple[WebRoute, ...] = ROUTES
    streams: tuple[StreamRoute, ...] = STREAMS
    person: PersonId | None = None
    url: str = URL
    clock: FakeClock = field(default_factory=FakeClock)

    def __post_init__(self) -> None:
        self.sessions = SessionStore(self.clock)
        self.signed = SessionAuthenticator(self.sessions, VisitorFactory(self.desk))
        self.token = LocalToken(self.clock)
        self.tried: list[tuple[str, str]] = []
        self.failures: list[Exception] = []
        self.signing_in = SignInPages(
            self.signed,
            self.token,
            self.person,
            lambda by, why: self.tried.append((by, why)),
        )
        self.by_provider = ProviderSignIn(
            self.signing_in,
            None,
            None,
            self.clock,
            lambda by, why: self.tried.append((by, why)),
        )
        self.by_key = KeySignIn(
            self.signing_in,
            self.desk,
            self.clock,
            lambda by, why: self.tried.append((by, why)),
        )
        self.http_server = WebDispatcher(
            self.desk,
            self.signed,
            self.routes,
            self.streams,
            {
                **public_endpoints({"/healthz": build_health_page}),
                **self.signing_in.endpoints(),
                **self.by_provider.endpoints(),
                **self.by_key.endpoints(),
            },
            self._failed,
        )

    def _failed(self, error: Exception) -> str:
        self.failures.append(error)
        return "number"

    def signed_in(
        self, *roles: WebRole, person: PersonId | None = None
    ) -> tuple[str, WebSession]:
        """Begin a session, and give its cookie."""
        return self.sessions.create(person, frozenset(roles), "local")

    def ask(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        *,
        cookie: str = "",
        peer: str = "127.0.0.1",
        more: tuple[tuple[str, str], ...] = (),
    ) -> HarnessResponse:
        """Send one request."""
        scope = self.scope(method, target, headers, cookie, peer, more)
        return asyncio.run(self._send(scope, body))

    def scope(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str] | None = None,
        cookie: str = "",
        peer: str = "127.0.0.1",
        more: tuple[tuple[str, str], ...] = (),
    ) -> dict[str, Any]:
        """Describe a request as the server does."""
        said = {"host": HOST, **(headers or {})}
        if cookie:
            said["cookie"] = f"{COOKIE}={cookie}"
        pairs = [(n, v) for n, v in (*said.items(), *more) if v is not None]
        path, _, query = target.partition("?")
        return {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode("latin-1"),
            "query_string": query.encode("latin-1"),
            "headers": [(n.encode(), v.encode("latin-1")) for n, v in pairs],
            "client": (peer, 40000) if peer else None,
            "server": ("127.0.0.1", 8470),
            "state": {
                "link": ConnectionInfo(url=self.url, tls=self.url.startswith("https:")),
                "served": ServedNames(frozenset({HOST})),
            },
        }

    async def _send(self, scope: dict[str, Any], body: bytes) -> HarnessResponse:
        sent: list[Any] = []
        given = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> Any:
            return given.pop() if given else {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        await self.http_server.app(scope, receive, send)
        start = next(m for m in sent if m["type"] == "http.response.start")
        whole = b"".join(m.get("body", b"") for m in sent)
        headers = [(n.decode(), v.decode("latin-1")) for n, v in start["headers"]]
        return HarnessResponse(start["status"], headers, whole)

    def get(self, target: str, **more: Any) -> HarnessResponse:
        return self.ask("GET", target, **more)

    def post(
        self, target: str, form: Mapping[str, str], cookie: str = "", **more: Any
    ) -> HarnessResponse:
        """Send a form as a page of ours would."""
        headers = {"content-type": FORM, "origin": URL, "sec-fetch-site": "same-origin"}
        headers |= more.pop("headers", {})
        return self.ask(
            "POST", target, headers, urlencode(form).encode(), cookie=cookie, **more
        )
