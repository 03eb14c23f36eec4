"""Authentication of requests: session cookie, or bearer token."""

import hashlib
from dataclasses import dataclass
from typing import Protocol

from answerable.model.claims import TokenPresentation
from answerable.web.auth.bearer_tokens import BearerTokenVerifier, TokenPerson
from answerable.web.auth.sessions import SessionStore, WebSession
from answerable.web.auth.visitors import ANONYMOUS, VisitorFactory
from answerable.web.http.cookies import cookie_name, read_cookie
from answerable.web.http.errors import RequestRejected
from answerable.web.http.incoming_request import IncomingRequest
from answerable.web.http.responses import API_PREFIX
from answerable.web.visitor import Visitor


@dataclass(frozen=True, slots=True)
class AuthenticatedSender:
    """The authenticated sender of a request.

    Attributes:
        session: None for a bearer token.
        bearer: None for a session.
    """

    session: WebSession | None
    bearer: TokenPerson | None = None

    @property
    def key(self) -> bytes:
        """Return a key that identifies the sender."""
        if self.session is not None:
            return self.session.key
        person = self.bearer.person if self.bearer else None
        return hashlib.sha256((person or "").encode()).digest()


class RequestAuthenticator(Protocol):
    """Authenticator of requests."""

    async def authenticate(self, come: IncomingRequest) -> AuthenticatedSender | None:
        """Authenticate a request; None without credentials.

        Raises:
            Refused: The credentials are invalid.
        """

    def build_visitor(self, known: AuthenticatedSender) -> Visitor:
        """Return the current visitor; runs in a worker thread."""

    def is_alive(self, known: AuthenticatedSender) -> bool:
        """Tell whether the session is alive."""


class SessionAuthenticator:
    """Authenticator by session cookie, and for `/api/` by bearer token.

    Attributes:
        bearers: Verifier of tokens; None if tokens are not accepted.
    """

    def __init__(self, sessions: SessionStore, visitors: VisitorFactory) -> None:
        self.sessions, self._visitors = sessions, visitors
        self.bearers: BearerTokenVerifier | None = None

    async def authenticate(self, come: IncomingRequest) -> AuthenticatedSender | None:
        """Authenticate a request; None without credentials.

        A bearer token takes precedence over a cookie.

        Raises:
            Refused: The token is invalid, or not accepted here.
        """
        authorization = come.fields.get("authorization")
        if authorization is not None:
            return AuthenticatedSender(
                None, await self._verify_bearer(come, authorization)
            )
        session = self.find_session(come)
        return AuthenticatedSender(session) if session is not None else None

    async def _verify_bearer(
        self, come: IncomingRequest, authorization: str
    ) -> TokenPerson:
        if self.bearers is None or not come.path.startswith(API_PREFIX):
            raise RequestRejected(401, "no-tokens", "tokens are not accepted here")
        scheme, _, token = authorization.partition(" ")
        proof = come.fields.get("dpop")
        presented = TokenPresentation(
            scheme=scheme,
            method=come.request.method,
            url=come.link.url + come.path,
            proofs=() if proof is None else (proof,),
            certificate=come.link.certificate,
        )
        return await self.bearers.verify_bearer(presented, token)

    def find_session(self, come: IncomingRequest) -> WebSession | None:
        """Return the session of a request."""
        fields = come.request.headers.getlist("cookie")
        return self.sessions.find(read_cookie(fields, session_cookie_name(come)))

    def build_visitor(self, known: AuthenticatedSender) -> Visitor:
        """Return the current visitor."""
        if known.bearer is not None:
            return self._visitors.from_token(known.bearer)
        if known.session is None:
            return ANONYMOUS
        fresh = self.sessions.is_fresh(known.session)
        return self._visitors.from_session(known.session, fresh=fresh)

    def is_alive(self, known: AuthenticatedSender) -> bool:
        """Tell whether the session is alive."""
        return known.session is None or self.sessions.is_alive(known.session)


def session_cookie_name(come: IncomingRequest) -> str:
    """Return the session cookie name for a request."""
    server = come.request.scope.get("server")
    port = server[1] if server else 0
    return cookie_name(come.link.url, port or 0)
