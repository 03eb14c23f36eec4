"""Sign-in and sign-out pages, and the cookies they set."""

from collections.abc import Callable

from starlette.responses import Response

from answerable.model.ids import PersonId
from answerable.web.auth.local_token import LocalToken, is_near
from answerable.web.auth.sessions import LONGEST, Session, Sessions
from answerable.web.auth.visitors import NOBODY
from answerable.web.http.authentication import Signed, name_of
from answerable.web.http.cookies import set_cookie
from answerable.web.http.errors import Refused
from answerable.web.http.incoming_request import CSRF, Come, Endpoint, body_of
from answerable.web.http.request_parsing import own_path, permalink, read_fields
from answerable.web.http.responses import answered, moved
from answerable.web.routing import Asked, Page
from answerable.web.visitor import Role

LOCAL = "local"
_REFUSALS = {
    "wrong": "this is not the token that was printed",
    "used": "this token was used already, or tried too often",
    "expired": "this token was good for ten minutes, and these are over",
    "far": "the printed token is for this machine alone",
    "none": "no token was printed at start",
}
# Fields that a proxy adds; the client may then be anywhere.
_PROXIED = ("forwarded", "x-forwarded-for", "x-real-ip", "via")


class SigningIn:
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
        signed: Signed,
        token: LocalToken | None,
        person: PersonId | None,
        told: Callable[[str, str], None],
        entered: Callable[[Session], None] = lambda _: None,
        left: Callable[[Session], None] = lambda _: None,
    ) -> None:
        self._signed, self._token, self._told = signed, token, told
        self._entered, self._left = entered, left
        self.person = person
        self.issuer = ""

    @property
    def sessions(self) -> Sessions:
        """Return the session store."""
        return self._signed.sessions

    def endpoints(self) -> dict[tuple[str, str], Endpoint]:
        """Return the endpoints by path and method."""
        return {
            ("/sign-in", "GET"): self.page,
            ("/sign-in", "POST"): self.by_token,
            ("/sign-out", "POST"): self.out,
        }

    async def page(self, come: Come) -> Response:
        """Show the sign-in page."""
        onward = own_path(read_fields(come.query, ("next",)).get("next", "/"))
        return self.shown(onward)

    def shown(self, onward: str, refusal: str = "", status: int = 200) -> Response:
        """Render the sign-in page, with an error if there is one."""
        values = {
            "local": self._token is not None,
            "issuer": self.issuer,
            "start": permalink("/sign-in/start", {"next": onward}),
            "next": onward,
            "refusal": refusal,
        }
        page = Page("sign_in.html", "Sign in", values, status)
        return answered(page, NOBODY, Asked(url="/sign-in"))

    async def by_token(self, come: Come) -> Response:
        """Sign in with the one-time token."""
        form = read_fields(await body_of(come), ("token", "next"))
        onward = own_path(form.get("next", "/"))
        why = self._refusal(come, form.get("token", ""))
        self._told(LOCAL, why)
        if why:
            return self.shown(onward, _REFUSALS[why], 403)
        roles = {Role.ADMIN} | ({Role.OWNER} if self.person else set())
        return self.let_in(come, self.person, frozenset(roles), LOCAL, onward)

    def _refusal(self, come: Come, token: str) -> str:
        if self._token is None:
            return "none"
        host = come.fields["host"].rpartition(":")[0].strip("[]")
        here = host == "localhost" or is_near(host)
        proxied = any(name in come.fields for name in _PROXIED)
        if not is_near(come.peer) or not here or proxied:
            return "far"
        return self._token.take(token)

    def let_in(
        self,
        come: Come,
        person: PersonId | None,
        roles: frozenset[Role],
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
        before = self._signed.of(come)
        if before is not None:
            self.sessions.end(before)
        cookie, session = self.sessions.begin(person, roles, by, proved)
        self._entered(session)
        said = set_cookie(name_of(come), cookie, lives=LONGEST)
        return moved(onward, {"set-cookie": said})

    async def out(self, come: Come) -> Response:
        """End the session; needs its CSRF token."""
        form = read_fields(await body_of(come), (CSRF,))
        session = self._signed.of(come)
        if session is not None:
            if not session.wrote(form.get(CSRF, "")):
                raise Refused(403, "csrf", "the form is not one of this session")
            self.sessions.end(session)
            self._left(session)
        gone = {
            "set-cookie": set_cookie(name_of(come), "", lives=0),
            "clear-site-data": '"cache"',
        }
        return moved("/sign-in", gone)
