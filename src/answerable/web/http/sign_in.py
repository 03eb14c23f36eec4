"""Sign-in and sign-out pages, and the cookies they set."""

from collections.abc import Callable

from starlette.responses import Response

from answerable.model.ids import PersonId
from answerable.web.auth.local_token import LocalToken, is_local_peer
from answerable.web.auth.sessions import MAX_LIFETIME, SessionStore, WebSession
from answerable.web.auth.visitors import ANONYMOUS
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
    local_path,
    parse_fields,
)
from answerable.web.http.responses import build_response, redirect_response
from answerable.web.routing import PageAnswer, RouteRequest
from answerable.web.visitor import WebRole

LOCAL_METHOD = "local"
_TOKEN_ERRORS = {
    "wrong": "this is not the token that was printed",
    "used": "this token was used already, or tried too often",
    "expired": "this token was good for ten minutes, and these are over",
    "far": "the printed token is for this machine alone",
    "none": "no token was printed at start",
}
# Fields that a proxy adds; the client may then be anywhere.
_PROXY_FIELDS = ("forwarded", "x-forwarded-for", "x-real-ip", "via")


class SignInPages:
    """Sign-in by token, sign-out, and session creation.

    Args:
        token: The one-time token, None without one.
        person: Its person; None for anonymous.
        told: Called with method and reason of each try; the reason is empty on success.
        entered: Called with each new session.
        left: Called at each sign-out.

    Attributes:
        issuer: Name of the login issuer, empty without one.
    """

    def __init__(
        self,
        signed: SessionAuthenticator,
        token: LocalToken | None,
        person: PersonId | None,
        told: Callable[[str, str], None],
        entered: Callable[[WebSession], None] = lambda _: None,
        left: Callable[[WebSession], None] = lambda _: None,
    ) -> None:
        self._signed, self._token, self._told = signed, token, told
        self._entered, self._left = entered, left
        self.person = person
        self.issuer = ""

    @property
    def sessions(self) -> SessionStore:
        """Return the session store."""
        return self._signed.sessions

    def endpoints(self) -> dict[tuple[str, str], Endpoint]:
        """Return the endpoints by path and method."""
        return {
            ("/sign-in", "GET"): self.handle_page,
            ("/sign-in", "POST"): self.handle_token,
            ("/sign-out", "POST"): self.handle_sign_out,
        }

    async def handle_page(self, come: IncomingRequest) -> Response:
        """Show the sign-in page."""
        onward = local_path(parse_fields(come.query, ("next",)).get("next", "/"))
        return self.render_page(onward)

    def render_page(
        self, onward: str, refusal: str = "", status: int = 200
    ) -> Response:
        """Render the sign-in page, with an error if there is one."""
        values = {
            "local": self._token is not None,
            "issuer": self.issuer,
            "start": build_permalink("/sign-in/start", {"next": onward}),
            "next": onward,
            "refusal": refusal,
        }
        page = PageAnswer("sign_in.html", "Sign in", values, status)
        return build_response(page, ANONYMOUS, RouteRequest(url="/sign-in"))

    async def handle_token(self, come: IncomingRequest) -> Response:
        """Sign in with the one-time token."""
        form = parse_fields(await read_form_body(come), ("token", "next"))
        onward = local_path(form.get("next", "/"))
        why = self._check_token(come, form.get("token", ""))
        self._told(LOCAL_METHOD, why)
        if why:
            return self.render_page(onward, _TOKEN_ERRORS[why], 403)
        roles = {WebRole.ADMIN} | ({WebRole.OWNER} if self.person else set())
        return self.create_session(
            come, self.person, frozenset(roles), LOCAL_METHOD, onward
        )

    def _check_token(self, come: IncomingRequest, token: str) -> str:
        if self._token is None:
            return "none"
        host = come.fields["host"].rpartition(":")[0].strip("[]")
        here = host == "localhost" or is_local_peer(host)
        proxied = any(name in come.fields for name in _PROXY_FIELDS)
        if not is_local_peer(come.peer) or not here or proxied:
            return "far"
        return self._token.redeem(token)

    def create_session(
        self,
        come: IncomingRequest,
        person: PersonId | None,
        roles: frozenset[WebRole],
        by: str,
        onward: str,
        *,
        proved: float | None = None,
    ) -> Response:
        """Create a session and end the browser's previous one.

        Args:
            person: None for anonymous.
            by: Sign-in method or issuer.
            proved: Time of authentication; now by default.
        """
        before = self._signed.find_session(come)
        if before is not None:
            self.sessions.end(before)
        cookie, session = self.sessions.create(person, roles, by, proved)
        self._entered(session)
        said = format_set_cookie(session_cookie_name(come), cookie, lives=MAX_LIFETIME)
        return redirect_response(onward, {"set-cookie": said})

    async def handle_sign_out(self, come: IncomingRequest) -> Response:
        """End the session; needs its CSRF token."""
        form = parse_fields(await read_form_body(come), (CSRF_FIELD,))
        session = self._signed.find_session(come)
        if session is not None:
            if not session.accepts_csrf(form.get(CSRF_FIELD, "")):
                raise RequestRejected(
                    403, "csrf", "the form is not one of this session"
                )
            self.sessions.end(session)
            self._left(session)
        gone = {
            "set-cookie": format_set_cookie(session_cookie_name(come), "", lives=0),
            "clear-site-data": '"cache"',
        }
        return redirect_response("/sign-in", gone)
