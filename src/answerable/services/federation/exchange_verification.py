"""Verify the subject and actor tokens of a token exchange request (RFC 8693).

First step of an exchange: it decides nothing and consumes nothing.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from answerable.federation.jws_parsing import UnverifiedToken, parse_jws
from answerable.federation.spiffe_id import parse_trust_domain
from answerable.federation.token_errors import TokenFault, TokenRejected, UnknownKey
from answerable.federation.token_exchange_decision import OwnToken as HeldNow
from answerable.federation.token_exchange_decision import TicketGrant
from answerable.federation.token_verification import IssuerIndex, verify_parsed_token
from answerable.model.config import IssuerConfig
from answerable.model.token_claims import SignedClaims, TokenType
from answerable.model.token_request import (
    PEER_TYPE_URI,
    TICKET_TYPE_URI,
    OAuthError,
    TokenRequestRefusal,
)
from answerable.model.workload_attestation import Attestation
from answerable.services.federation.exchange_audit_records import PresentedRequest
from answerable.services.federation.issued_token_verification import OwnTokenVerifier
from answerable.store.token_state.interface import TokenState, TokenStateUnavailable
from answerable.store.token_state.replay_keys import ReplayKey, build_token_replay_key

# Accepted token types for our own tokens.
OWN_TOKEN_TYPES = frozenset({TokenType.ACCESS_TOKEN.value, TokenType.JWT.value})


class TokenReviewNeeded(Exception):  # noqa: N818 - a signal, no error
    """Signal that the API server has to confirm a token first (Kubernetes TokenReview).

    Attributes:
        issuer: Name of its issuer.
        unverified_token: The token; its signature is verified.
        sha256: Digest of the token.
    """

    def __init__(self, claims: SignedClaims, unverified_token: str) -> None:
        super().__init__(f"a token of {claims.issuer} requires a check")
        self.issuer, self.sub = claims.issuer, claims.sub
        self.unverified_token, self.sha256 = unverified_token, claims.token_sha256


class ExchangeRefused(Exception):  # noqa: N818 - ends the story
    """Refusal of a token exchange request."""

    def __init__(self, error: OAuthError, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.refusal = TokenRequestRefusal(error, reason, detail)


def build_database_unavailable_refusal() -> ExchangeRefused:
    """Build the OAuth error `temporarily_unavailable`: the token database is down."""
    return ExchangeRefused(OAuthError.TEMPORARILY_UNAVAILABLE, "control")


@dataclass(slots=True)
class VerifiedCredentials:
    """Credentials of a request that are verified so far.

    Attributes:
        subject: Subject of the requested token; None until it is verified.
        actor: Actor of the requested token; None until it is verified.
        replay_keys: One-time values that the exchange consumes.
        token: Foreign token, which the rule may allow to be presented again.
    """

    subject: SignedClaims | Attestation | HeldNow | TicketGrant | None = None
    actor: HeldNow | Attestation | None = None
    replay_keys: list[ReplayKey] = field(default_factory=list)
    token: ReplayKey | None = None


class ExchangeVerifier:
    """Verifier of the credentials of exchange requests.

    Args:
        issuers: Returns the foreign issuers with their usable keys.
        pinned_issuers: Returns the issuers of the configuration, by name.
    """

    def __init__(
        self,
        own_tokens: OwnTokenVerifier,
        token_state: TokenState,
        issuers: Callable[[float], IssuerIndex],
        pinned_issuers: Callable[[], Mapping[str, IssuerConfig]],
    ) -> None:
        self._own_tokens, self._token_state = own_tokens, token_state
        self._issuers, self._pinned_issuers = issuers, pinned_issuers

    def verify(
        self, presented: PresentedRequest, verified: VerifiedCredentials, now: float
    ) -> None:
        """Verify the subject and actor tokens of a request; nothing is consumed.

        Args:
            verified: Receives what is verified.
            now: NumericDate.

        Raises:
            ExchangeRefused: A credential is invalid.
            UnknownKey: Reload the keys of that issuer, then retry.
            TokenReviewNeeded: Ask the API server of that issuer, then retry.
        """
        request = presented.request
        if presented.proof is not None:
            verified.replay_keys.append(presented.proof)
        try:
            verified.subject = self._verify_subject(presented, verified, now)
            if request.actor_type == PEER_TYPE_URI:
                verified.actor = _require_attested_peer(presented)
            elif request.actor_type:
                verified.actor = self._verify_own_token(
                    parse_jws(request.unverified_actor), now
                )
        except UnknownKey:
            raise
        except TokenRejected as refused:
            raise _build_invalid_grant_refusal(refused.reason.value) from None
        except TokenStateUnavailable:
            raise build_database_unavailable_refusal() from None

    def _verify_subject(
        self, presented: PresentedRequest, verified: VerifiedCredentials, now: float
    ) -> SignedClaims | Attestation | HeldNow | TicketGrant:
        """Verify the subject token by its type: peer, ticket, own or foreign token."""
        request = presented.request
        if request.subject_type == PEER_TYPE_URI:
            return _require_attested_peer(presented)
        if request.subject_type == TICKET_TYPE_URI:
            return self._verify_delegation_ticket(request.unverified_subject, now)
        admitted = parse_jws(request.unverified_subject)
        if self._own_tokens.claims_own_issuer(admitted):
            if request.subject_type not in OWN_TOKEN_TYPES:
                raise _build_invalid_grant_refusal(TokenFault.TOKEN_TYPE.value)
            return self._verify_own_token(admitted, now)
        return self._verify_foreign_token(presented, admitted, verified, now)

    def _verify_foreign_token(
        self,
        presented: PresentedRequest,
        unverified: UnverifiedToken,
        verified: VerifiedCredentials,
        now: float,
    ) -> SignedClaims:
        """Verify a token of a pinned issuer; it may need a Kubernetes TokenReview."""
        request, issuers = presented.request, self._issuers(now)
        kind = TokenType(request.subject_type)
        if kind is TokenType.JWT and _is_jwt_svid(unverified, issuers):
            kind = TokenType.JWT_SVID
        claims = verify_parsed_token(unverified, issuers, int(now), kind)
        issuer = self._pinned_issuers().get(claims.issuer)
        if issuer is not None and issuer.review is not None:
            # A workload presents one token repeatedly; the API server knows whether
            # its pod still runs.
            if claims.token_sha256 not in presented.reviewed_tokens:
                raise TokenReviewNeeded(claims, request.unverified_subject)
        else:
            verified.token = build_token_replay_key(claims)
        return claims

    def _verify_own_token(self, unverified: UnverifiedToken, now: float) -> HeldNow:
        """Verify a token of this service, and that its delegation is active."""
        held = self._own_tokens.verify_active_token(unverified, now)
        return HeldNow(held.claims, held.chain.links)

    def _verify_delegation_ticket(self, secret: str, now: float) -> TicketGrant:
        """Find an unused delegation ticket by its digest, and check its parent."""
        sha256 = hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
        ticket = self._token_state.find_ticket(sha256, now)
        if ticket is None:
            raise _build_invalid_grant_refusal("ticket")
        chain = self._token_state.find_delegation_chain(ticket.parent, now)
        if not chain.is_active:
            raise _build_invalid_grant_refusal("dead", chain.why or "")
        return TicketGrant(ticket, chain.links)


def _is_jwt_svid(unverified: UnverifiedToken, issuers: IssuerIndex) -> bool:
    """Return whether a JWT names a pinned SPIFFE trust domain; not verified yet.

    SPIFFE has no token type of its own in an exchange, so clients declare a JWT.
    """
    said = unverified.payload
    domain = parse_trust_domain(said.get("sub"))
    return (
        issuers.find_issuer(said.get("iss")) is None
        and issuers.find_issuer(domain) is not None
    )


def _require_attested_peer(presented: PresentedRequest) -> Attestation:
    """Return the attested peer process; refuse the request if there is none."""
    if presented.attested is None:
        raise _build_invalid_grant_refusal("no-peer")
    return presented.attested


def _build_invalid_grant_refusal(reason: str, detail: str = "") -> ExchangeRefused:
    """Build a refusal with the OAuth error `invalid_grant`."""
    return ExchangeRefused(OAuthError.INVALID_GRANT, reason, detail)
