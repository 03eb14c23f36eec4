"""Verify DPoP proofs (RFC 9449).

The caller must also check in a replay cache that the pair (jkt, jti) is new.
"""

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from answerable.federation.algorithms import KEY_TYPES, compatible_algorithms
from answerable.federation.claim_parsing import CLOCK_SKEW
from answerable.federation.jwk import VerificationKey, parse_public_jwk
from answerable.federation.jws_parsing import (
    JoseHeader,
    UnverifiedToken,
    is_identifier,
    parse_jws,
)
from answerable.federation.strict_json import (
    AmbiguousInput,
    JsonObject,
    encode_base64url,
)
from answerable.federation.token_errors import (
    NonceRequired,
    ProofRejected,
    TokenFault,
    TokenMalformed,
    TokenRejected,
)
from answerable.federation.uri_normalisation import normalise_uri
from answerable.model.token_claims import DpopProof

PROOF_WINDOW = 60  # seconds that a proof is taken for
# Algorithms in our metadata (RFC 9449 5.1).
PROOF_ALGORITHMS = tuple(KEY_TYPES)
_CACHED_KEYS = 1024  # keys of clients that are kept ready


@dataclass(frozen=True, slots=True)
class _ProofKey:
    """Public key of a DPoP client, ready to verify."""

    key: VerificationKey
    thumbprint: str


def verify_proof(
    unverified_proof: str,
    method: str,
    url: str,
    now: int,
    *,
    access_token: str = "",
    jkt: str = "",
    is_nonce_valid: Callable[[str], bool] | None = None,
    algs: tuple[str, ...] = PROOF_ALGORITHMS,
) -> DpopProof:
    """Verify a proof, except for replay (RFC 9449 4.3).

    Args:
        unverified_proof: The DPoP header field of the request.
        now: NumericDate.
        access_token: The token sent with it, empty at a token endpoint.
        jkt: Thumbprint that the token is bound to, empty if not bound yet.
        is_nonce_valid: Checks a nonce; None if nonces are off.

    Raises:
        NonceRequired: Only the nonce is missing or stale.
        ProofRejected: The proof is invalid.
    """
    try:
        admitted = parse_jws(unverified_proof)
    except (TokenMalformed, TokenRejected) as refused:
        raise ProofRejected(refused.reason, refused.message) from None
    if admitted.head.typ != "dpop+jwt":
        raise ProofRejected(TokenFault.TYP, "expected a proof with the typ dpop+jwt")
    thumbprint = _verify_signature(admitted, algs)
    _check_method_and_url(admitted.payload, method, url)
    iat = _check_proof_age(admitted.payload, now)
    _check_access_token_hash(admitted.payload, access_token)
    if jkt and not hmac.compare_digest(_encode_utf8(jkt), _encode_utf8(thumbprint)):
        raise ProofRejected(
            TokenFault.THUMBPRINT, "expected the key to which the token is bound"
        )
    jti = _read_text_claim(admitted.payload, "jti")
    if is_nonce_valid is not None:
        _check_nonce(admitted.payload, is_nonce_valid)
    return DpopProof(jkt=thumbprint, jti=jti, iat=iat, expires=iat + PROOF_WINDOW)


def _verify_signature(proof: UnverifiedToken, algs: tuple[str, ...]) -> str:
    """Verify a proof's signature with the public key in its own header.

    Returns:
        Thumbprint of that key.
    """
    head = proof.head
    prover = (_cached_proof_key if head.kept else _load_proof_key)(head, algs)
    if not prover.key.verify(proof.signing_input, proof.signature):
        raise ProofRejected(
            TokenFault.SIGNATURE, "expected a signature of the proof's key"
        )
    return prover.thumbprint


def _load_proof_key(header: JoseHeader, algs: tuple[str, ...]) -> _ProofKey:
    """Load the public key (`jwk`) in a DPoP proof's header."""
    members = header.header.get("jwk")
    if not isinstance(members, dict):
        raise ProofRejected(TokenFault.PROOF_KEY, "expected a public key in the proof")
    try:
        jwk = parse_public_jwk(members)
        if header.alg not in compatible_algorithms(algs, jwk.kty, jwk.crv):
            raise ProofRejected(
                TokenFault.ALG, "expected an algorithm of the proof's key"
            )
        key = VerificationKey.load(jwk, header.alg)
    except AmbiguousInput as unread:
        raise ProofRejected(unread.reason, unread.message) from None
    return _ProofKey(key, jwk.thumbprint)


# A header that is kept is one object for all proofs that have it.
_cached_proof_key = lru_cache(maxsize=_CACHED_KEYS)(_load_proof_key)


def _check_method_and_url(payload: JsonObject, method: str, url: str) -> None:
    """Check that `htm` and `htu` name the method and URL of this request."""
    # RFC 9110 9.1: methods are case-sensitive.
    if _read_text_claim(payload, "htm") != method:
        raise ProofRejected(
            TokenFault.PROOF_METHOD, "expected htm to be the request's method"
        )
    signed, asked = normalise_uri(_read_text_claim(payload, "htu")), normalise_uri(url)
    if signed is None or signed != asked:
        raise ProofRejected(
            TokenFault.PROOF_URL, "expected htu to be the request's URL"
        )


def _check_proof_age(payload: JsonObject, now: int) -> int:
    """Check iat, exp and nbf of a proof against the clock; return iat."""
    iat = _read_time_claim(payload, "iat")
    if not now - PROOF_WINDOW <= iat <= now + CLOCK_SKEW:
        raise ProofRejected(
            TokenFault.PROOF_AGE, f"expected a proof of the last {PROOF_WINDOW} seconds"
        )
    # RFC 9449 4.2: other claims may stand in a proof; these two say when it holds.
    if "exp" in payload and now >= _read_time_claim(payload, "exp") + CLOCK_SKEW:
        raise ProofRejected(TokenFault.PROOF_AGE, "expected a proof before its exp")
    if "nbf" in payload and now + CLOCK_SKEW < _read_time_claim(payload, "nbf"):
        raise ProofRejected(TokenFault.PROOF_AGE, "expected a proof after its nbf")
    return iat


def _read_time_claim(payload: JsonObject, name: str) -> int:
    """Return a claim in whole seconds, else reject the proof."""
    value = payload.get(name)
    if type(value) is not int:
        raise ProofRejected(
            TokenFault.CLAIM_TYPE, f"expected {name} to be a whole number of seconds"
        )
    return value


def _check_access_token_hash(payload: JsonObject, access_token: str) -> None:
    """Check `ath` (RFC 9449 4.2): the proof was made for this token."""
    if not access_token:
        return
    try:
        digest = hashlib.sha256(access_token.encode("ascii")).digest()
    except UnicodeEncodeError:
        raise ProofRejected(
            TokenFault.PROOF_TOKEN, "expected a token in ASCII"
        ) from None
    signed = _read_text_claim(payload, "ath")
    if not hmac.compare_digest(
        _encode_utf8(signed), _encode_utf8(encode_base64url(digest))
    ):
        raise ProofRejected(
            TokenFault.PROOF_TOKEN, "expected ath to be the token's digest"
        )


def _check_nonce(payload: JsonObject, is_valid: Callable[[str], bool]) -> None:
    """Require a `nonce` that we issued and that is valid now."""
    nonce = payload.get("nonce")
    if not is_identifier(nonce) or not is_valid(nonce):
        raise NonceRequired(
            TokenFault.NONCE, "expected a current nonce of this service"
        )


def _read_text_claim(payload: JsonObject, name: str) -> str:
    """Return a claim as printable text, else reject the proof."""
    value = payload.get(name)
    if not is_identifier(value):
        raise ProofRejected(
            TokenFault.CLAIM_TYPE, f"expected {name} to be a printable string"
        )
    return value


def _encode_utf8(text: str) -> bytes:
    """Encode a text as bytes for `compare_digest`, which takes only ASCII text."""
    # compare_digest takes octets; text outside ASCII it refuses.
    return text.encode("utf-8")
