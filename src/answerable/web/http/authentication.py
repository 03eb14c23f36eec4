"""Authenticate requests by session cookie, or by bearer token for `/api/`."""

import hashlib
from dataclasses import dataclass
from typing import Protocol

from answerable.model.token_claims import TokenPresentation
from answerable.web.auth.bearer_tokens import BearerTokenVerifier, TokenPerson
from answerable.web.auth.sessions import SessionStore, WebSession
from answerable.web.auth.visitor_factory import ANONYMOUS, VisitorFactory
from answerable.web.http.cookies import cookie_name, read_cookie
from answerable.web.http.errors import RequestRejected
from answerable.web.http.incoming_request import IncomingRequest
from answerable.web.routing import API_PREFIX
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
        """Return a digest that identifies the session or person, for limits."""
        if self.session is not None:
            return self.session.key
        person = self.bearer.person if self.bearer else None
        return hashlib.sha256((person or "").encode()).digest()


class RequestAuthenticator(Protocol):
    """Authenticator of requests."""

    async def authenticate(
        self, incoming: IncomingRequest
    ) -> AuthenticatedSender | None:
        """Authenticate a request; None without credentials.

        Raises:
            RequestRejected: The credentials are invalid.
        """

    def build_visitor(self, sender: AuthenticatedSender) -> Visitor:
        """Return the visitor with roles and owned subjects; runs in a worker thread."""

    def is_alive(self, sender: AuthenticatedSender) -> bool:
        """Return whether the sender's session or token is still valid."""


class SessionAuthenticator:
    """Authenticator by session cookie, and for `/api/` by bearer token.

    Attributes:
        bearers: Verifier of tokens; None if tokens are not accepted.
    """

    def __init__(self, sessions: SessionStore, visitors: VisitorFactory) -> None:
        self.sessions, self._visitors = sessions, visitors
        self.bearers: BearerTokenVerifier | None = None

    async def authenticate(
        self, incoming: IncomingRequest
    ) -> AuthenticatedSender | None:
        """Authenticate a request; None without credentials.

        A bearer token takes precedence over a cookie.

        Raises:
            RequestRejected: The token is invalid, or not accepted here.
        """
        authorization = incoming.fields.get("authorization")
        if authorization is not None:
            return AuthenticatedSender(
                None, await self._verify_bearer(incoming, authorization)
            )
        session = self.find_session(incoming)
        return AuthenticatedSender(session) if session is not None else None

    async def _verify_bearer(
        self, incoming: IncomingRequest, authorization: str
    ) -> TokenPerson:
        """Verify the Authorization field, with a DPoP proof if sent."""
        if self.bearers is None or not incoming.path.startswith(API_PREFIX):
            raise RequestRejected(401, "no-tokens", "tokens are not accepted here")
        scheme, _, token = authorization.partition(" ")
        proof = incoming.fields.get("dpop")
        presentation = TokenPresentation(
            scheme=scheme,
            method=incoming.request.method,
            url=incoming.link.url + incoming.path,
            proofs=() if proof is None else (proof,),
            certificate=incoming.link.certificate,
        )
        return await self.bearers.verify_bearer(presentation, token)

    def find_session(self, incoming: IncomingRequest) -> WebSession | None:
        """Return the live session of the request cookie, None without one."""
        fields = incoming.request.headers.getlist("cookie")
        return self.sessions.find(read_cookie(fields, session_cookie_name(incoming)))

    def build_visitor(self, sender: AuthenticatedSender) -> Visitor:
        """Return the visitor (person and roles) of a session or token."""
        if sender.bearer is not None:
            return self._visitors.from_token(sender.bearer)
        if sender.session is None:
            return ANONYMOUS
        fresh = self.sessions.is_recently_authenticated(sender.session)
        return self._visitors.from_session(sender.session, fresh=fresh)

    def is_alive(self, sender: AuthenticatedSender) -> bool:
        """Return whether the session is still open; a token has none to end."""
        return sender.session is None or self.sessions.is_alive(sender.session)


def session_cookie_name(incoming: IncomingRequest) -> str:
    """Return the session cookie name of the listener that got the request."""
    server = incoming.request.scope.get("server")
    port = server[1] if server else 0
    return cookie_name(incoming.link.url, port or 0)
