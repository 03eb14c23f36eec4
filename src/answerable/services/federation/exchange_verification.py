"""Verification of the credentials of a token exchange request.

First step of an exchange: it decides nothing and consumes nothing.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from answerable.federation.errors import KeyUnknown, Reason, TokenRefused
from answerable.federation.jws_parsing import Admitted, admit
from answerable.federation.spiffe_id import trust_domain
from answerable.federation.token_exchange import Handed
from answerable.federation.token_exchange import Held as HeldNow
from answerable.federation.token_verification import Issuers, verify_admitted
from answerable.model.attestation import Attestation
from answerable.model.claims import SignedClaims, TokenType
from answerable.model.config import PinnedIssuer
from answerable.model.exchange import PEER, TICKET, OAuthError, Refusal
from answerable.services.federation.exchange_records import Shown
from answerable.services.federation.own_tokens import OwnTokens
from answerable.store.token_state.interface import (
    Control,
    ControlUnavailable,
    Use,
    token_use,
)

# Accepted token types for our own tokens.
OWN_TYPES = frozenset({TokenType.ACCESS_TOKEN.value, TokenType.JWT.value})


class ReviewNeeded(Exception):  # noqa: N818 - a step that somebody else has to take
    """Signal that the API server has to confirm a token first (Kubernetes TokenReview).

    Attributes:
        issuer: Name of its issuer.
        unverified_token: The token; its signature is verified.
        sha256: Digest of the token.
    """

    def __init__(self, claims: SignedClaims, unverified_token: str) -> None:
        super().__init__(f"a token of {claims.issuer} has to be reviewed")
        self.issuer, self.sub = claims.issuer, claims.sub
        self.unverified_token, self.sha256 = unverified_token, claims.token_sha256


class NotGiven(Exception):  # noqa: N818 - ends the story
    """Refusal of a token exchange request."""

    def __init__(self, error: OAuthError, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.refusal = Refusal(error, reason, detail)


def unavailable() -> NotGiven:
    """Build the refusal for an unavailable control database."""
    return NotGiven(OAuthError.TEMPORARILY_UNAVAILABLE, "control")


@dataclass(slots=True)
class Found:
    """Credentials of a request that are verified so far.

    Attributes:
        subject: Subject of the requested token; None until it is verified.
        actor: Actor of the requested token; None until it is verified.
        uses: One-time values that the exchange consumes.
        token: Foreign token, which the rule may allow to be presented again.
    """

    subject: SignedClaims | Attestation | HeldNow | Handed | None = None
    actor: HeldNow | Attestation | None = None
    uses: list[Use] = field(default_factory=list)
    token: Use | None = None


class Verifying:
    """Verifier of the credentials of exchange requests.

    Args:
        issuers: Returns the foreign issuers with their usable keys.
        pinned: Returns the issuers of the configuration, by name.
    """

    def __init__(
        self,
        own: OwnTokens,
        control: Control,
        issuers: Callable[[float], Issuers],
        pinned: Callable[[], Mapping[str, PinnedIssuer]],
    ) -> None:
        self._own, self._control = own, control
        self._issuers, self._pinned = issuers, pinned

    def find(self, shown: Shown, found: Found, now: float) -> None:
        """Verify the credentials of a request.

        Args:
            found: Receives what is verified.
            now: NumericDate.

        Raises:
            NotGiven: A credential is invalid.
            KeyUnknown: Reload the keys of that issuer, then retry.
            ReviewNeeded: Ask the API server of that issuer, then retry.
        """
        request = shown.request
        if shown.proof is not None:
            found.uses.append(shown.proof)
        try:
            found.subject = self._subject(shown, found, now)
            if request.actor_type == PEER:
                found.actor = _peer(shown)
            elif request.actor_type:
                found.actor = self._held(admit(request.unverified_actor), now)
        except KeyUnknown:
            raise
        except TokenRefused as refused:
            raise _refuse(refused.reason.value) from None
        except ControlUnavailable:
            raise unavailable() from None

    def _subject(
        self, shown: Shown, found: Found, now: float
    ) -> SignedClaims | Attestation | HeldNow | Handed:
        request = shown.request
        if request.subject_type == PEER:
            return _peer(shown)
        if request.subject_type == TICKET:
            return self._handed(request.unverified_subject, now)
        admitted = admit(request.unverified_subject)
        if self._own.is_ours(admitted):
            if request.subject_type not in OWN_TYPES:
                raise _refuse(Reason.TOKEN_TYPE.value)
            return self._held(admitted, now)
        return self._foreign(shown, admitted, found, now)

    def _foreign(
        self, shown: Shown, admitted: Admitted, found: Found, now: float
    ) -> SignedClaims:
        request, issuers = shown.request, self._issuers(now)
        kind = TokenType(request.subject_type)
        if kind is TokenType.JWT and _is_svid(admitted, issuers):
            kind = TokenType.JWT_SVID
        claims = verify_admitted(admitted, issuers, int(now), kind)
        issuer = self._pinned().get(claims.issuer)
        if issuer is not None and issuer.review is not None:
            # A workload presents one token repeatedly; the API server knows whether
            # its pod still runs.
            if claims.token_sha256 not in shown.reviewed:
                raise ReviewNeeded(claims, request.unverified_subject)
        else:
            found.token = token_use(claims)
        return claims

    def _held(self, admitted: Admitted, now: float) -> HeldNow:
        held = self._own.held(admitted, now)
        return HeldNow(held.claims, held.chain.links)

    def _handed(self, secret: str, now: float) -> Handed:
        sha256 = hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
        ticket = self._control.ticket(sha256, now)
        if ticket is None:
            raise _refuse("ticket")
        chain = self._control.chain(ticket.parent, now)
        if not chain.live:
            raise _refuse("dead", chain.why or "")
        return Handed(ticket, chain.links)


def _is_svid(admitted: Admitted, issuers: Issuers) -> bool:
    """Return whether a JWT claims a pinned trust domain; keys decide later.

    SPIFFE has no token type of its own in an exchange, so clients declare a JWT.
    """
    said = admitted.payload
    domain = trust_domain(said.get("sub"))
    return issuers.find(said.get("iss")) is None and issuers.find(domain) is not None


def _peer(shown: Shown) -> Attestation:
    if shown.attested is None:
        raise _refuse("no-peer")
    return shown.attested


def _refuse(reason: str, detail: str = "") -> NotGiven:
    return NotGiven(OAuthError.INVALID_GRANT, reason, detail)
