"""DPoP proof verification (RFC 9449).

The caller must also check in a replay cache that the pair (jkt, jti) is new.
"""

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from answerable.federation.algorithms import KINDS, fitting
from answerable.federation.claim_parsing import SKEW
from answerable.federation.errors import (
    NonceRequired,
    ProofRefused,
    Reason,
    TokenMalformed,
    TokenRefused,
)
from answerable.federation.jwk import VerificationKey, read_public_jwk
from answerable.federation.jws_parsing import Admitted, Head, admit, is_name
from answerable.federation.strict_json import JsonObject, Unread, base64url
from answerable.federation.uri_normalisation import normalise
from answerable.model.claims import Proof

WINDOW = 60  # seconds that a proof is taken for
# Algorithms in our metadata (RFC 9449 5.1).
ALGS = tuple(KINDS)
_PROVERS = 1024  # keys of clients that are kept ready


@dataclass(frozen=True, slots=True)
class _Prover:
    """Public key of a DPoP client, ready to verify."""

    key: VerificationKey
    thumbprint: str


def read_proof(
    unverified_proof: str,
    method: str,
    url: str,
    now: int,
    *,
    access_token: str = "",
    jkt: str = "",
    nonce_holds: Callable[[str], bool] | None = None,
    algs: tuple[str, ...] = ALGS,
) -> Proof:
    """Verify a proof, except for replay (RFC 9449 4.3).

    Args:
        unverified_proof: The DPoP header field of the request.
        now: NumericDate.
        access_token: The token sent with it, empty at a token endpoint.
        jkt: Thumbprint that the token is bound to, empty if not bound yet.
        nonce_holds: Checks a nonce; None if nonces are off.

    Raises:
        NonceRequired: Only the nonce is missing or stale.
        ProofRefused: The proof is invalid.
    """
    try:
        admitted = admit(unverified_proof)
    except (TokenMalformed, TokenRefused) as refused:
        raise ProofRefused(refused.reason, refused.message) from None
    if admitted.head.typ != "dpop+jwt":
        raise ProofRefused(Reason.TYP, "expected a proof of the typ dpop+jwt")
    thumbprint = _check_signature(admitted, algs)
    _check_request(admitted.payload, method, url)
    iat = _check_age(admitted.payload, now)
    _check_token(admitted.payload, access_token)
    if jkt and not hmac.compare_digest(_octets(jkt), _octets(thumbprint)):
        raise ProofRefused(Reason.THUMBPRINT, "expected the key the token is bound to")
    jti = _text(admitted.payload, "jti")
    if nonce_holds is not None:
        _check_nonce(admitted.payload, nonce_holds)
    return Proof(jkt=thumbprint, jti=jti, iat=iat, expires=iat + WINDOW)


def _check_signature(admitted: Admitted, algs: tuple[str, ...]) -> str:
    """Verify the signature with the key in the header.

    Returns:
        Thumbprint of that key.
    """
    head = admitted.head
    prover = (_kept_prover if head.kept else _prover)(head, algs)
    if not prover.key.holds(admitted.signing_input, admitted.signature):
        raise ProofRefused(Reason.SIGNATURE, "expected a signature of the proof's key")
    return prover.thumbprint


def _prover(head: Head, algs: tuple[str, ...]) -> _Prover:
    """Load the key in a proof's header."""
    members = head.header.get("jwk")
    if not isinstance(members, dict):
        raise ProofRefused(Reason.PROOF_KEY, "expected a public key in the proof")
    try:
        jwk = read_public_jwk(members)
        if head.alg not in fitting(algs, jwk.kty, jwk.crv):
            raise ProofRefused(Reason.ALG, "expected an algorithm of the proof's key")
        key = VerificationKey.of(jwk, head.alg)
    except Unread as unread:
        raise ProofRefused(unread.reason, unread.message) from None
    return _Prover(key, jwk.thumbprint)


# A header that is kept is one object for all proofs that have it.
_kept_prover = lru_cache(maxsize=_PROVERS)(_prover)


def _check_request(payload: JsonObject, method: str, url: str) -> None:
    # RFC 9110 9.1: methods are case-sensitive.
    if _text(payload, "htm") != method:
        raise ProofRefused(Reason.PROOF_METHOD, "expected the request's method as htm")
    signed, asked = normalise(_text(payload, "htu")), normalise(url)
    if signed is None or signed != asked:
        raise ProofRefused(Reason.PROOF_URL, "expected the request's URL as htu")


def _check_age(payload: JsonObject, now: int) -> int:
    iat = _time(payload, "iat")
    if not now - WINDOW <= iat <= now + SKEW:
        raise ProofRefused(
            Reason.PROOF_AGE, f"expected a proof of the last {WINDOW} seconds"
        )
    # RFC 9449 4.2: other claims may stand in a proof; these two say when it holds.
    if "exp" in payload and now >= _time(payload, "exp") + SKEW:
        raise ProofRefused(Reason.PROOF_AGE, "expected a proof before its exp")
    if "nbf" in payload and now + SKEW < _time(payload, "nbf"):
        raise ProofRefused(Reason.PROOF_AGE, "expected a proof after its nbf")
    return iat


def _time(payload: JsonObject, name: str) -> int:
    value = payload.get(name)
    if type(value) is not int:
        raise ProofRefused(Reason.CLAIM_TYPE, f"expected {name} as whole seconds")
    return value


def _check_token(payload: JsonObject, access_token: str) -> None:
    """Check `ath` (RFC 9449 4.2): the proof was made for this token."""
    if not access_token:
        return
    try:
        digest = hashlib.sha256(access_token.encode("ascii")).digest()
    except UnicodeEncodeError:
        raise ProofRefused(Reason.PROOF_TOKEN, "expected a token in ASCII") from None
    signed = _text(payload, "ath")
    if not hmac.compare_digest(_octets(signed), _octets(base64url(digest))):
        raise ProofRefused(Reason.PROOF_TOKEN, "expected the token's digest as ath")


def _check_nonce(payload: JsonObject, holds: Callable[[str], bool]) -> None:
    nonce = payload.get("nonce")
    if not is_name(nonce) or not holds(nonce):
        raise NonceRequired(Reason.NONCE, "expected a nonce of ours that is good now")


def _text(payload: JsonObject, name: str) -> str:
    value = payload.get(name)
    if not is_name(value):
        raise ProofRefused(Reason.CLAIM_TYPE, f"expected {name} as a printable text")
    return value


def _octets(text: str) -> bytes:
    # compare_digest takes octets; text outside ASCII it refuses.
    return text.encode("utf-8")
