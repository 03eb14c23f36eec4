"""Verify bearer tokens of people for `/api/v1`, issued for our audience.

A sender-constrained token needs its proof; an unbound one is accepted only if the
issuer's section allows it. A token of an agent that acts for a person is rejected.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

from answerable.federation.oidc_login.errors import LoginFailed
from answerable.federation.person_claim import (
    AccountBinding,
    accept_without_account_binding,
)
from answerable.federation.sender_constraint import check_sender_constraint
from answerable.federation.token_errors import TokenRejected, UnknownKey
from answerable.federation.token_verification import verify_token
from answerable.model.config import IssuerConfig
from answerable.model.ids import PersonId
from answerable.model.token_claims import SignedClaims, TokenPresentation
from answerable.model.web_config import WebLoginConfig, WebRole
from answerable.server.authentication.token_cache import build_principal
from answerable.server.dpop_replay_cache import DpopReplayCache
from answerable.server.issuers.key_cache import IssuerKeyCache
from answerable.usecases.federation.web_sign_in import admit_person
from answerable.web.http.errors import RequestRejected


@dataclass(frozen=True, slots=True)
class TokenPerson:
    """The person of a verified token."""

    person: PersonId
    roles: frozenset[WebRole]
    by: str


class BearerTokenVerifier:
    """Verifier of bearer tokens.

    Args:
        audience: The one `aud` of tokens for us.
        clock: Returns NumericDates.
        is_bound: Checks that a token comes from the person's bound account.

    Raises:
        UsageError: The issuer's keys cannot be used.
        EnvironmentFailure: They cannot be read.
    """

    def __init__(
        self,
        issuer: IssuerConfig,
        login: WebLoginConfig,
        audience: str,
        clock: Callable[[], float],
        is_bound: AccountBinding = accept_without_account_binding,
    ) -> None:
        self._is_bound = is_bound
        self._issuer, self._login, self._clock = issuer, login, clock
        self._keys = IssuerKeyCache([replace(issuer, audience=audience)])
        self._proofs = DpopReplayCache()

    async def verify_bearer(
        self, presentation: TokenPresentation, token: str
    ) -> TokenPerson:
        """Verify a token, fetch an unknown key once, and return its person.

        Raises:
            RequestRejected: The token is invalid, or its person has no role.
        """
        try:
            return self._verify_with_cached_keys(presentation, token)
        except UnknownKey as unknown:
            now = self._clock()
            if not self._keys.can_fetch_keys(unknown.issuer, now):
                raise _build_invalid_token_error(unknown.reason) from None
            await self._keys.fetch_issuer_keys(unknown.issuer, now)
        try:
            return self._verify_with_cached_keys(presentation, token)
        except UnknownKey as unknown:
            if not self._keys.has_usable_key(unknown.issuer, self._clock()):
                says = "the keys of the token's issuer are not available now"
                raise RequestRejected(503, "no-keys", says) from None
            raise _build_invalid_token_error(unknown.reason) from None

    def _verify_with_cached_keys(
        self, presentation: TokenPresentation, token: str
    ) -> TokenPerson:
        """Verify a bearer token with cached issuer keys; return its person."""
        now = self._clock()
        try:
            claims = verify_token(token, self._keys.issuers(now), int(now))
            self._check_sender_constraint(presentation, token, claims, now)
            found = admit_person(claims, self._issuer, self._login, self._is_bound)
        except UnknownKey:
            raise
        except TokenRejected as error:
            raise _build_invalid_token_error(error.reason) from None
        except LoginFailed as error:
            raise RequestRejected(403, "no-person", error.message, error.hint) from None
        return TokenPerson(found.person, found.roles, f"{found.iss}#{found.sub}")

    def _check_sender_constraint(
        self,
        presentation: TokenPresentation,
        token: str,
        claims: SignedClaims,
        now: float,
    ) -> None:
        """Check DPoP or mTLS binding; a DPoP proof is accepted once."""
        sender = check_sender_constraint(
            token, claims, presentation, int(now), allow_bearer=self._issuer.bearer
        )
        if sender.proof is not None:
            self._proofs.add_proof(sender.proof, build_principal(claims), now)

    async def renew_keys(
        self,
        report_failure: Callable[[str, str], None],
        sleep: Callable[[float], Awaitable[Any]],
    ) -> None:
        """Fetch issuer keys again before they expire, until cancelled."""
        while True:
            for issuer in self._keys.list_issuers_to_renew(self._clock()):
                failed = await self._keys.fetch_issuer_keys(issuer, self._clock())
                if failed:
                    report_failure(issuer, failed)
            await sleep(30)


def _build_invalid_token_error(reason: str) -> RequestRejected:
    """Build the 401 error of an invalid token; the reason goes to metrics only."""
    return RequestRejected(401, f"token-{reason}", "the token is invalid")
