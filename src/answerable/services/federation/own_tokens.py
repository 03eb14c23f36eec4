"""Verification of tokens that this token service issued.

The control database is authoritative: a token is valid only if its delegation is
recorded and neither revoked, expired nor below a revoked subject.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from answerable.authorization.revocations import Kills
from answerable.federation.errors import KeyUnknown, Reason, TokenRefused
from answerable.federation.jwk_set import KeySet
from answerable.federation.jws_parsing import Admitted, admit
from answerable.federation.token_verification import (
    Issuers,
    KnownIssuer,
    verify_admitted,
)
from answerable.model.claims import Issuer, SignedClaims, TokenType
from answerable.model.delegation import Delegation
from answerable.store.token_state.interface import Chain, Control

ISSUER = "answerable"  # our own name in evidence
LONGEST = 3600  # seconds


@dataclass(frozen=True, slots=True)
class Held:
    """Verified own token whose delegation is live.

    Attributes:
        chain: Recorded delegation, up to the root.
    """

    claims: SignedClaims
    chain: Chain

    @property
    def delegation(self) -> Delegation:
        """Delegation that the token was issued under."""
        return self.chain.links[0]


class OwnTokens:
    """Verifier of own tokens.

    Args:
        url: Our `iss`.
        keys: Returns the published keys, those of other replicas included.
        control: Control database.
        kills: Returns the revocations in force.
    """

    def __init__(
        self,
        url: str,
        keys: Callable[[], KeySet],
        control: Control,
        kills: Callable[[], Kills],
    ) -> None:
        self._pin = Issuer(
            name=ISSUER,
            iss=url,
            algs=("ES256",),
            token_types=(TokenType.ACCESS_TOKEN,),
            max_ttl=LONGEST,
            jti_required=True,
            ours=True,
        )
        self._keys, self._control, self._kills = keys, control, kills

    def is_ours(self, admitted: Admitted) -> bool:
        """Return whether an unverified token names this service as its issuer."""
        return admitted.payload.get("iss") == self._pin.iss

    def read(self, unverified_token: str, now: float) -> SignedClaims:
        """Verify an own token, for any audience.

        Raises:
            TokenRefused: It is invalid.
        """
        return self._read(admit(unverified_token), now)

    def _read(self, admitted: Admitted, now: float) -> SignedClaims:
        """Verify an own token, for any audience.

        The caller has to check the audience: a token for another audience must not be
        accepted here.

        Raises:
            TokenRefused: It is invalid.
        """
        said = admitted.payload.get("aud")
        audience = said if isinstance(said, str) else ""
        ours = Issuers(KnownIssuer(self._pin, audience, self._keys()))
        try:
            return verify_admitted(admitted, ours, int(now), TokenType.ACCESS_TOKEN)
        except KeyUnknown:
            # Our keys are all in our own set: there is no issuer to ask for more.
            raise TokenRefused(Reason.SIGNATURE, "expected a key of ours") from None

    def held(self, admitted: Admitted, now: float) -> Held:
        """Verify an own token and that it is live.

        Raises:
            TokenRefused: It is invalid or revoked.
            ControlUnavailable: The control database cannot be read.
        """
        claims = self._read(admitted, now)
        chain = self.living(claims, now)
        if chain is None:
            raise TokenRefused(Reason.EXPIRED, "expected a token that was not revoked")
        return Held(claims, chain)

    def living(self, claims: SignedClaims, now: float) -> Chain | None:
        """Return the delegation of a token; None if either is no longer live."""
        delegation = claims.leaf("answerable", "dlg")
        if not isinstance(delegation, str):
            return None
        token = self._control.token(delegation, claims.jti)
        if token is None or token.revoked or token.sha256 != claims.token_sha256:
            return None
        chain = self._control.chain(delegation, now)
        if not chain.links or not chain.live:
            return None
        return None if killed_in(self._kills(), chain.links) else chain


def killed_in(kills: Kills, links: Iterable[Delegation]) -> str:
    """Return the revocation that covers a delegation chain; empty if there is none."""
    if not kills:
        return ""
    named = (subject for link in links for subject in subjects_of(link))
    return next((subject for subject in named if subject in kills), "")


def subjects_of(link: Delegation) -> Iterator[str]:
    """List the subjects by which a revocation can name a delegation."""
    yield link.agent
    yield link.sub
    yield link.owner
    yield from link.actors
    yield f"run:{link.id}"
    yield f"rule:{link.rule}"
    yield link.run
