"""Verify tokens that this service issued: signature, delegation, revocation.

The control database is authoritative: a token is valid only if its delegation is
recorded and neither revoked, expired nor below a revoked subject.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from answerable.authorization.revocations import Revocations
from answerable.federation.jwk_set import IssuerKeySet
from answerable.federation.jws_parsing import UnverifiedToken, parse_jws
from answerable.federation.token_errors import TokenFault, TokenRejected, UnknownKey
from answerable.federation.token_verification import (
    IssuerIndex,
    IssuerWithKeys,
    verify_parsed_token,
)
from answerable.model.delegation import Delegation
from answerable.model.token_claims import SignedClaims, TokenType, TrustedIssuer
from answerable.store.token_state.interface import DelegationChain, TokenState

OWN_ISSUER_NAME = "answerable"  # our own name in evidence
MAX_TOKEN_LIFETIME = 3600  # seconds


@dataclass(frozen=True, slots=True)
class LiveOwnToken:
    """Verified own token whose delegation is live.

    Attributes:
        chain: Recorded delegation, up to the root.
    """

    claims: SignedClaims
    chain: DelegationChain

    @property
    def delegation(self) -> Delegation:
        """Delegation that the token was issued under."""
        return self.chain.links[0]


class OwnTokenVerifier:
    """Verifier of own tokens.

    Args:
        url: Our `iss`.
        keys: Returns the published keys, those of other replicas included.
        token_state: Control database.
        load_revocations: Returns the revocations in force.
    """

    def __init__(
        self,
        url: str,
        keys: Callable[[], IssuerKeySet],
        token_state: TokenState,
        load_revocations: Callable[[], Revocations],
    ) -> None:
        self._pin = TrustedIssuer(
            name=OWN_ISSUER_NAME,
            iss=url,
            algs=("ES256",),
            token_types=(TokenType.ACCESS_TOKEN,),
            max_ttl=MAX_TOKEN_LIFETIME,
            jti_required=True,
            ours=True,
        )
        self._keys, self._token_state, self._load_revocations = (
            keys,
            token_state,
            load_revocations,
        )

    def claims_own_issuer(self, unverified: UnverifiedToken) -> bool:
        """Return whether an unverified token names this service as its issuer."""
        return unverified.payload.get("iss") == self._pin.iss

    def verify(self, unverified_token: str, now: float) -> SignedClaims:
        """Verify a token's signature and claims, for any audience.

        Raises:
            TokenRejected: It is invalid.
        """
        return self._verify_signature(parse_jws(unverified_token), now)

    def _verify_signature(
        self, unverified: UnverifiedToken, now: float
    ) -> SignedClaims:
        """Verify a parsed token's signature and claims, for any audience.

        The caller has to check the audience: a token for another audience must not be
        accepted here.

        Raises:
            TokenRejected: It is invalid.
        """
        said = unverified.payload.get("aud")
        audience = said if isinstance(said, str) else ""
        ours = IssuerIndex(IssuerWithKeys(self._pin, audience, self._keys()))
        try:
            return verify_parsed_token(
                unverified, ours, int(now), TokenType.ACCESS_TOKEN
            )
        except UnknownKey:
            # Our keys are all in our own set: there is no issuer to ask for more.
            raise TokenRejected(
                TokenFault.SIGNATURE, "expected a key of this token service"
            ) from None

    def verify_active_token(
        self, unverified: UnverifiedToken, now: float
    ) -> LiveOwnToken:
        """Verify a token, and that it and its delegation are not revoked or expired.

        Raises:
            TokenRejected: It is invalid or revoked.
            TokenStateUnavailable: The control database cannot be read.
        """
        claims = self._verify_signature(unverified, now)
        chain = self.find_active_delegation(claims, now)
        if chain is None:
            raise TokenRejected(
                TokenFault.EXPIRED, "expected a token that is not revoked"
            )
        return LiveOwnToken(claims, chain)

    def find_active_delegation(
        self, claims: SignedClaims, now: float
    ) -> DelegationChain | None:
        """Return a token's delegation chain; None if token or chain is inactive."""
        delegation = claims.find_claim_at_path("answerable", "dlg")
        if not isinstance(delegation, str):
            return None
        token = self._token_state.find_token(delegation, claims.jti)
        if token is None or token.revoked or token.sha256 != claims.token_sha256:
            return None
        chain = self._token_state.find_delegation_chain(delegation, now)
        if not chain.links or not chain.is_active:
            return None
        return (
            None
            if find_chain_revocation(self._load_revocations(), chain.links)
            else chain
        )


def find_chain_revocation(revocations: Revocations, links: Iterable[Delegation]) -> str:
    """Return the revocation that covers a delegation chain; empty if there is none."""
    if not revocations:
        return ""
    named = (subject for link in links for subject in list_revocable_subjects(link))
    return next((subject for subject in named if subject in revocations), "")


def list_revocable_subjects(delegation: Delegation) -> Iterator[str]:
    """List the subjects by which a revocation can name a delegation."""
    yield delegation.agent
    yield delegation.sub
    yield delegation.owner
    yield from delegation.actors
    yield f"run:{delegation.id}"
    yield f"rule:{delegation.rule}"
    yield delegation.run
