"""Bearer tokens of people for `/api/v1`, from the login issuer with our audience.

A sender-constrained token needs its proof; an unbound one is accepted only if the
issuer's section allows it. A token of an agent that acts for a person is rejected.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

from answerable.federation.errors import KeyUnknown, TokenRefused
from answerable.federation.oidc_login.errors import LoginRefused
from answerable.federation.person_claim import Binding, any_account
from answerable.federation.sender_constraint import check_sender
from answerable.federation.token_verification import verify
from answerable.model.claims import Presented, SignedClaims
from answerable.model.config import PinnedIssuer
from answerable.model.ids import PersonId
from answerable.model.web_config import Login, Role
from answerable.server.authentication.token_cache import principal_of
from answerable.server.dpop_replay_cache import SeenProofs
from answerable.server.issuers.key_cache import IssuerKeys
from answerable.usecases.federation.web_sign_in import admitted
from answerable.web.http.errors import Refused


@dataclass(frozen=True, slots=True)
class Bearer:
    """The person of a verified token."""

    person: PersonId
    roles: frozenset[Role]
    by: str


class Bearers:
    """Verifier of bearer tokens.

    Args:
        audience: The one `aud` of tokens for us.
        clock: Returns NumericDates.
        is_bound: Checks that a token comes from the person's bound account.

    Raises:
        UsageError: The issuer's keys cannot be used.
        EnvironmentRefused: They cannot be read.
    """

    def __init__(
        self,
        pinned: PinnedIssuer,
        login: Login,
        audience: str,
        clock: Callable[[], float],
        is_bound: Binding = any_account,
    ) -> None:
        self._is_bound = is_bound
        self._pinned, self._login, self._clock = pinned, login, clock
        self._keys = IssuerKeys([replace(pinned, audience=audience)])
        self._proofs = SeenProofs()

    async def identify(self, presented: Presented, token: str) -> Bearer:
        """Verify a token and return its person.

        Raises:
            Refused: The token is invalid, or its person has no role.
        """
        try:
            return self._judge(presented, token)
        except KeyUnknown as unknown:
            now = self._clock()
            if not self._keys.can_fetch(unknown.issuer, now):
                raise _refused(unknown.reason) from None
            await self._keys.fetch(unknown.issuer, now)
        try:
            return self._judge(presented, token)
        except KeyUnknown as unknown:
            if not self._keys.has_any(unknown.issuer, self._clock()):
                says = "the keys of the token's issuer cannot be had now"
                raise Refused(503, "no-keys", says) from None
            raise _refused(unknown.reason) from None

    def _judge(self, presented: Presented, token: str) -> Bearer:
        now = self._clock()
        try:
            claims = verify(token, self._keys.issuers(now), int(now))
            self._check_sender(presented, token, claims, now)
            found = admitted(claims, self._pinned, self._login, self._is_bound)
        except KeyUnknown:
            raise
        except TokenRefused as refused:
            raise _refused(refused.reason) from None
        except LoginRefused as refused:
            raise Refused(403, "nobody-here", refused.message, refused.hint) from None
        return Bearer(found.person, found.roles, f"{found.iss}#{found.sub}")

    def _check_sender(
        self, presented: Presented, token: str, claims: SignedClaims, now: float
    ) -> None:
        shown = check_sender(
            token, claims, presented, int(now), bearer=self._pinned.bearer
        )
        if shown.proof is not None:
            self._proofs.see(shown.proof, principal_of(claims), now)

    async def keep_fresh(
        self,
        tell: Callable[[str, str], None],
        sleep: Callable[[float], Awaitable[Any]],
    ) -> None:
        """Renew issuer keys before they expire, until cancelled."""
        while True:
            for issuer in self._keys.due(self._clock()):
                failed = await self._keys.fetch(issuer, self._clock())
                if failed:
                    tell(issuer, failed)
            await sleep(30)


def _refused(reason: str) -> Refused:
    """Build the refusal of an invalid token; the reason goes to metrics only."""
    return Refused(401, f"token-{reason}", "the token does not hold")
