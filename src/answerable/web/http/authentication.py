"""Authentication of requests: session cookie, or bearer token."""

import hashlib
from dataclasses import dataclass
from typing import Protocol

from answerable.model.claims import Presented
from answerable.web.auth.bearer_tokens import Bearer, Bearers
from answerable.web.auth.sessions import Session, Sessions
from answerable.web.auth.visitors import NOBODY, Visitors
from answerable.web.http.cookies import cookie_name, read_cookie
from answerable.web.http.errors import Refused
from answerable.web.http.incoming_request import Come
from answerable.web.http.responses import API
from answerable.web.visitor import Visit


@dataclass(frozen=True, slots=True)
class Known:
    """The authenticated sender of a request.

    Attributes:
        session: None for a bearer token.
        bearer: None for a session.
    """

    session: Session | None
    bearer: Bearer | None = None

    @property
    def key(self) -> bytes:
        """Return a key that identifies the sender."""
        if self.session is not None:
            return self.session.key
        person = self.bearer.person if self.bearer else None
        return hashlib.sha256((person or "").encode()).digest()


class Entrance(Protocol):
    """Authenticator of requests."""

    async def known(self, come: Come) -> Known | None:
        """Authenticate a request; None without credentials.

        Raises:
            Refused: The credentials are invalid.
        """

    def visit(self, known: Known) -> Visit:
        """Return the current visitor; runs in a worker thread."""

    def lives(self, known: Known) -> bool:
        """Tell whether the session is alive."""


class Signed:
    """Authenticator by session cookie, and for `/api/` by bearer token.

    Attributes:
        bearers: Verifier of tokens; None if tokens are not accepted.
    """

    def __init__(self, sessions: Sessions, visitors: Visitors) -> None:
        self.sessions, self._visitors = sessions, visitors
        self.bearers: Bearers | None = None

    async def known(self, come: Come) -> Known | None:
        """Authenticate a request; None without credentials.

        A bearer token takes precedence over a cookie.

        Raises:
            Refused: The token is invalid, or not accepted here.
        """
        authorization = come.fields.get("authorization")
        if authorization is not None:
            return Known(None, await self._of_token(come, authorization))
        session = self.of(come)
        return Known(session) if session is not None else None

    async def _of_token(self, come: Come, authorization: str) -> Bearer:
        if self.bearers is None or not come.path.startswith(API):
            raise Refused(401, "no-tokens", "tokens are not accepted here")
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
        """Return the session of a request."""
        fields = come.request.headers.getlist("cookie")
        return self.sessions.find(read_cookie(fields, name_of(come)))

    def visit(self, known: Known) -> Visit:
        """Return the current visitor."""
        if known.bearer is not None:
            return self._visitors.bearing(known.bearer)
        if known.session is None:
            return NOBODY
        fresh = self.sessions.is_fresh(known.session)
        return self._visitors.visit(known.session, fresh=fresh)

    def lives(self, known: Known) -> bool:
        """Tell whether the session is alive."""
        return known.session is None or self.sessions.lives(known.session)


def name_of(come: Come) -> str:
    """Return the session cookie name for a request."""
    server = come.request.scope.get("server")
    port = server[1] if server else 0
    return cookie_name(come.link.url, port or 0)
