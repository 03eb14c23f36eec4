"""Who asks: found by the cookie of a session, or by a token that came with the request."""

import hashlib
from dataclasses import dataclass
from typing import Protocol

from answerable.model.claims import Presented
from answerable.web.auth.bearers import Bearer, Bearers
from answerable.web.auth.sessions import Session, Sessions
from answerable.web.auth.visitors import NOBODY, Visitors
from answerable.web.http.answers import API
from answerable.web.http.come import Come
from answerable.web.http.cookies import cookie_name, read_cookie
from answerable.web.http.refusals import Refused
from answerable.web.visit import Visit


@dataclass(frozen=True, slots=True)
class Known:
    """Whoever asks.

    Attributes:
        session: Theirs; None where each request is vouched for by itself.
        bearer: Who they are, where no session says so.
    """

    session: Session | None
    bearer: Bearer | None = None

    @property
    def key(self) -> bytes:
        """Tells one from another."""
        if self.session is not None:
            return self.session.key
        person = self.bearer.person if self.bearer else None
        return hashlib.sha256((person or "").encode()).digest()


class Entrance(Protocol):
    """Finds out who asks."""

    async def known(self, come: Come) -> Known | None:
        """Tell who it is; None where nobody has signed in.

        Raises:
            Refused: What came with the request is no good.
        """

    def visit(self, known: Known) -> Visit:
        """Give what they may, as of now; in a thread."""

    def lives(self, known: Known) -> bool:
        """Whether their session does."""


class Signed:
    """Knows them by their session, and for `/api/` by a token.

    Args:
        sessions: All of them.
        visitors: Makes visits.

    Attributes:
        bearers: Verifies tokens; None where none is taken.
    """

    def __init__(self, sessions: Sessions, visitors: Visitors) -> None:
        self.sessions, self._visitors = sessions, visitors
        self.bearers: Bearers | None = None

    async def known(self, come: Come) -> Known | None:
        """Tell who it is; None where nobody has signed in.

        Whoever shows a token means to be judged by it, and not by a cookie.

        Raises:
            Refused: The token does not hold, or none is taken there.
        """
        authorization = come.fields.get("authorization")
        if authorization is not None:
            return Known(None, await self._of_token(come, authorization))
        session = self.of(come)
        return Known(session) if session is not None else None

    async def _of_token(self, come: Come, authorization: str) -> Bearer:
        if self.bearers is None or not come.path.startswith(API):
            raise Refused(401, "no-tokens", "no token is taken here")
        scheme, _, token = authorization.partition(" ")
        proof = come.fields.get("dpop")
        presented = Presented(
            scheme=scheme,
            method=come.request.method,
            url=come.link.url + come.path,
            proofs=() if proof is None else (proof,),
            certificate=come.link.certificate,
        )
        return await self.bearers.identify(presented, token)

    def of(self, come: Come) -> Session | None:
        """Give the session of a request."""
        fields = come.request.headers.getlist("cookie")
        return self.sessions.find(read_cookie(fields, name_of(come)))

    def visit(self, known: Known) -> Visit:
        """Give what they may, as of now."""
        if known.bearer is not None:
            return self._visitors.bearing(known.bearer)
        if known.session is None:
            return NOBODY
        fresh = self.sessions.is_fresh(known.session)
        return self._visitors.visit(known.session, fresh=fresh)

    def lives(self, known: Known) -> bool:
        """Whether their session does."""
        return known.session is None or self.sessions.lives(known.session)


def name_of(come: Come) -> str:
    """Name the cookie that a request would have."""
    server = come.request.scope.get("server")
    port = server[1] if server else 0
    return cookie_name(come.link.url, port or 0)
