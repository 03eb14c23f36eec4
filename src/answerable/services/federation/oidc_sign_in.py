"""Interfaces of an OpenID sign-in at a terminal: provider, browser redirect, clock.

IO is injected; `server/login` implements it. No message to the person and no error
contains a token.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from answerable.federation.jwk_set import IssuerKeySet
from answerable.federation.oidc_login.errors import LoginFailed
from answerable.federation.oidc_login.provider_metadata import ProviderMetadata
from answerable.federation.oidc_login.requests import LoginSecrets
from answerable.federation.person_claim import PersonRejected, read_person
from answerable.model.config import IssuerConfig
from answerable.model.ids import PersonId
from answerable.model.token_claims import SignedClaims, TokenType


class ProviderRequest(Protocol):
    """HTTP request to the provider."""

    def __call__(self, url: str, form: Mapping[str, str] | None) -> tuple[int, bytes]:
        """GET an address, or POST a form to it; give status and body.

        Raises:
            EnvironmentFailure: The response was incomplete.
        """


class RedirectListener(Protocol):
    """Local listener for the redirect of the browser."""

    @property
    def redirect_uri(self) -> str:
        """Redirect URI of the listener."""

    def wait_for_query(self, seconds: float) -> str | None:
        """Return the query of the redirect, None if none came in time."""


@dataclass(frozen=True, slots=True)
class SignInEnvironment:
    """IO and clock of a sign-in.

    Attributes:
        keys: Returns the keys of the issuer.
        listen: Opens the local listener for the redirect.
        show: Opens a page in the person's browser; returns whether it could.
        print_line: Prints a line for the person.
        generate_secrets: Generates state, nonce and PKCE verifier.
        now: NumericDate.
        monotonic: Monotonic clock, seconds.
    """

    ask: ProviderRequest
    keys: Callable[[IssuerConfig, ProviderMetadata], IssuerKeySet]
    listen: Callable[[], AbstractContextManager[RedirectListener]]
    show: Callable[[str], bool]
    print_line: Callable[[str], None]
    generate_secrets: Callable[[], LoginSecrets]
    now: Callable[[], float]
    monotonic: Callable[[], float]
    sleep: Callable[[float], None]


def identifies_persons(issuer: IssuerConfig) -> bool:
    """Return whether the ID tokens of an issuer identify persons (not workloads)."""
    return bool(issuer.person) and TokenType.ID_TOKEN in issuer.pin.token_types


def get_person_from_claims(claims: SignedClaims, claim: str) -> PersonId:
    """Return the person id that an ID token names.

    Raises:
        LoginFailed: It names no person, or an address that is not verified.
    """
    try:
        return read_person(claims, claim)
    except PersonRejected as refused:
        raise LoginFailed(
            refused.message,
            f"configure the provider to include {refused.claim} in the tokens of "
            "this client",
        ) from None
