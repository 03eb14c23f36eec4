"""Signing in and out: the pages of it, and what they set."""

from collections.abc import Callable

from starlette.responses import Response

from answerable.model.ids import PersonId
from answerable.web.auth.local import LocalToken, is_near
from answerable.web.auth.sessions import LONGEST, Session, Sessions
from answerable.web.auth.visitors import NOBODY
from answerable.web.http.answers import answered, moved
from answerable.web.http.asking import own_path, permalink, read_fields
from answerable.web.http.come import CSRF, Come, Endpoint, body_of
from answerable.web.http.cookies import set_cookie
from answerable.web.http.entrance import Signed, name_of
from answerable.web.http.refusals import Refused
from answerable.web.routes import Asked, Page
from answerable.web.visit import Role

LOCAL = "local"
_REFUSALS = {
    "wrong": "this is not the token that was printed",
    "used": "this token was used already, or tried too often",
    "expired": "this token was good for ten minutes, and these are over",
    "far": "the printed token is for this machine alone",
    "none": "no token was printed at start",
}
# What a proxy puts on a request of somebody who may be anywhere.
_PROXIED = ("forwarded", "x-forwarded-for", "x-real-ip", "via")


class SigningIn:
    """Lets people in.

    Args:
        signed: Knows sessions.
        token: The one printed at start, None where none was.
        person: Whom it stands for; None for nobody by name.
        told: Told how each try went: by what, and why it was refused, empty where it
            was not.
        entered: Told of each session that begins.
        left: Told of each that its person ends.

    Attributes:
        issuer: Name of who else vouches for people, empty for nobody.
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
        """All of them."""
        return self._signed.sessions

    def endpoints(self) -> dict[tuple[str, str], Endpoint]:
        """Give them by path and method."""
        return {
            ("/sign-in", "GET"): self.page,
            ("/sign-in", "POST"): self.by_token,
            ("/sign-out", "POST"): self.out,
        }

    async def page(self, come: Come) -> Response:
        """Show the ways there are."""
        onward = own_path(read_fields(come.query, ("next",)).get("next", "/"))
        return self.shown(onward)

    def shown(self, onward: str, refusal: str = "", status: int = 200) -> Response:
        """Show the page, and why a try was refused."""
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
        """Let in whoever has the printed token."""
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
        """Begin a session; one that the browser had before ends.

        Args:
            come: The request.
            person: Who signed in, None for nobody by name.
            roles: What they are here.
            by: How they did.
            onward: A path of ours.
            proved: When they showed who they are; now, where that is not said.
        """
        before = self._signed.of(come)
        if before is not None:
            self.sessions.end(before)
        cookie, session = self.sessions.begin(person, roles, by, proved)
        self._entered(session)
        said = set_cookie(name_of(come), cookie, lives=LONGEST)
        return moved(onward, {"set-cookie": said})

    async def out(self, come: Come) -> Response:
        """End a session; a form of it says so."""
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
