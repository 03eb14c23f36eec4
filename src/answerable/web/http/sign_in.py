"""Serve the sign-in page, sign in by one-time token, create sessions, sign out."""

from collections.abc import Callable

from starlette.responses import Response

from answerable.model.ids import PersonId
from answerable.web.auth.local_token import LocalToken, is_local_peer
from answerable.web.auth.sessions import (
    LOCAL_METHOD,
    MAX_LIFETIME,
    SessionStore,
    WebSession,
)
from answerable.web.auth.visitor_factory import ANONYMOUS
from answerable.web.http.authentication import SessionAuthenticator, session_cookie_name
from answerable.web.http.cookies import format_set_cookie
from answerable.web.http.errors import RequestRejected
from answerable.web.http.incoming_request import (
    CSRF_FIELD,
    Endpoint,
    IncomingRequest,
    read_form_body,
)
from answerable.web.http.request_parsing import (
    build_permalink,
    parse_fields,
    sanitize_redirect_path,
)
from answerable.web.http.responses import build_response, redirect_response
from answerable.web.routing import PageAnswer, RouteRequest
from answerable.web.visitor import WebRole

_TOKEN_ERRORS = {
    "wrong": "this is not the printed token",
    "used": "this token was already used, or there were too many attempts",
    "expired": "this token has expired: it was valid for ten minutes",
    "far": "the printed token is valid only on this machine",
    "none": "no token was printed at startup",
}
# Header fields that a proxy adds; the client may be on another host.
_PROXY_FIELDS = ("forwarded", "x-forwarded-for", "x-real-ip", "via")


class SignInPages:
    """Sign-in by token, sign-out, and session creation.

    Args:
        token: The one-time token, None without one.
        person: Its person; None for anonymous.
        report_attempt: Called with method and reason of each try; no reason on success.
        report_sign_in: Called with each new session.
        report_sign_out: Called at each sign-out.

    Attributes:
        issuer: Name of the login issuer, empty without one.
        issue_challenge: Returns a challenge for an owner key, empty if none signs in.
    """

    def __init__(
        self,
        authenticator: SessionAuthenticator,
        token: LocalToken | None,
        person: PersonId | None,
        report_attempt: Callable[[str, str], None],
        report_sign_in: Callable[[WebSession], None] = lambda _: None,
        report_sign_out: Callable[[WebSession], None] = lambda _: None,
    ) -> None:
        self._authenticator, self._token, self._report_attempt = (
            authenticator,
            token,
            report_attempt,
        )
        self._report_sign_in, self._report_sign_out = report_sign_in, report_sign_out
        self.person = person
        self.issuer = ""
        self.issue_challenge: Callable[[], str] = lambda: ""

    @property
    def sessions(self) -> SessionStore:
        """Return the session store."""
        return self._authenticator.sessions

    def endpoints(self) -> dict[tuple[str, str], Endpoint]:
        """Return the sign-in handlers by path and HTTP method."""
        return {
            ("/sign-in", "GET"): self.handle_page,
            ("/sign-in", "POST"): self.handle_token,
            ("/sign-out", "POST"): self.handle_sign_out,
        }

    async def handle_page(self, incoming: IncomingRequest) -> Response:
        """Show the sign-in page; `next` is the page to continue at."""
        next_path = sanitize_redirect_path(
            parse_fields(incoming.query, ("next",)).get("next", "/")
        )
        return self.render_page(next_path)

    def render_page(
        self, next_path: str, error: str = "", status: int = 200
    ) -> Response:
        """Render the sign-in page, with an error if there is one."""
        values = {
            "local": self._token is not None,
            "issuer": self.issuer,
            "start": build_permalink("/sign-in/start", {"next": next_path}),
            "next": next_path,
            "refusal": error,
            "challenge": self.issue_challenge() if self.accepts_local_sign_in else "",
        }
        page = PageAnswer("sign_in.html", "Sign in", values, status)
        return build_response(page, ANONYMOUS, RouteRequest(url="/sign-in"))

    async def handle_token(self, incoming: IncomingRequest) -> Response:
        """Sign in with the one-time token; loopback clients only."""
        form = parse_fields(await read_form_body(incoming), ("token", "next"))
        next_path = sanitize_redirect_path(form.get("next", "/"))
        reason = self._redeem_sign_in_token(incoming, form.get("token", ""))
        self._report_attempt(LOCAL_METHOD, reason)
        if reason:
            return self.render_page(next_path, _TOKEN_ERRORS[reason], 403)
        return self.create_local_session(incoming, LOCAL_METHOD, next_path)

    def create_local_session(
        self, incoming: IncomingRequest, method: str, next_path: str
    ) -> Response:
        """Create the session of the local person: administrator and owner."""
        roles = {WebRole.ADMIN} | ({WebRole.OWNER} if self.person else set())
        return self.create_session(
            incoming, self.person, frozenset(roles), method, next_path
        )

    @property
    def accepts_local_sign_in(self) -> bool:
        """Return whether a listener of this machine accepts local sign-ins."""
        return self._token is not None

    def _redeem_sign_in_token(self, incoming: IncomingRequest, token: str) -> str:
        """Redeem the token; return the reason it is refused, empty on success."""
        if self._token is None:
            return "none"
        if not is_local_request(incoming):
            return "far"
        return self._token.redeem(token)

    def create_session(
        self,
        incoming: IncomingRequest,
        person: PersonId | None,
        roles: frozenset[WebRole],
        method: str,
        next_path: str,
        *,
        authenticated_at: float | None = None,
    ) -> Response:
        """Create a session and end the browser's previous one.

        Args:
            person: None for anonymous.
            method: Sign-in method or issuer.
            authenticated_at: Time of authentication; now by default.
        """
        previous = self._authenticator.find_session(incoming)
        if previous is not None:
            self.sessions.end(previous)
        cookie, session = self.sessions.create(person, roles, method, authenticated_at)
        self._report_sign_in(session)
        set_cookie = format_set_cookie(
            session_cookie_name(incoming), cookie, max_age=MAX_LIFETIME
        )
        return redirect_response(next_path, {"set-cookie": set_cookie})

    async def handle_sign_out(self, incoming: IncomingRequest) -> Response:
        """End the session; needs its CSRF token."""
        form = parse_fields(await read_form_body(incoming), (CSRF_FIELD,))
        session = self._authenticator.find_session(incoming)
        if session is not None:
            if not session.accepts_csrf(form.get(CSRF_FIELD, "")):
                raise RequestRejected(
                    403, "csrf", "the form does not belong to this session"
                )
            self.sessions.end(session)
            self._report_sign_out(session)
        headers = {
            "set-cookie": format_set_cookie(
                session_cookie_name(incoming), "", max_age=0
            ),
            "clear-site-data": '"cache"',
        }
        return redirect_response("/sign-in", headers)


def is_local_request(incoming: IncomingRequest) -> bool:
    """Return whether a request comes from this machine, without a proxy between."""
    host = incoming.fields["host"].rpartition(":")[0].strip("[]")
    is_local_host = host == "localhost" or is_local_peer(host)
    proxied = any(name in incoming.fields for name in _PROXY_FIELDS)
    return is_local_peer(incoming.peer) and is_local_host and not proxied
