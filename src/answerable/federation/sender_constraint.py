"""Check sender-constrained tokens: the presenter must prove the bound key.

RFC 9449 7.1 and 8705 3: the token's binding decides the required proof. Downgrades are
rejected both ways: a bound token sent as bearer, and an unbound token sent as bound.
"""

import hashlib
import hmac
from collections.abc import Callable

from answerable.federation.dpop import verify_proof
from answerable.federation.strict_json import encode_base64url
from answerable.federation.token_errors import ProofRejected, TokenFault
from answerable.model.token_claims import (
    Confirmation,
    DpopProof,
    SenderBinding,
    SenderConstrained,
    SignedClaims,
    TokenPresentation,
)


def check_sender_constraint(
    unverified_token: str,
    claims: SignedClaims,
    presented: TokenPresentation,
    now: int,
    *,
    is_nonce_valid: Callable[[str], bool] | None = None,
    allow_bearer: bool = False,
) -> SenderConstrained:
    """Check that the presenter holds the key that a token is bound to.

    Args:
        unverified_token: The text that `claims` were verified from.
        claims: Result of `verify`.
        presented: Proofs and certificate of the request.
        now: NumericDate.
        is_nonce_valid: Checks a DPoP nonce; None if nonces are off.
        allow_bearer: Accept an unbound token.

    Returns:
        Its binding. A DPoP proof in it still needs the replay check.

    Raises:
        NonceRequired: The proof needs a nonce of ours.
        ProofRejected: The presenter did not prove possession.
    """
    octets = unverified_token.encode("utf-8", "surrogatepass")
    if hashlib.sha256(octets).digest() != claims.token_sha256:
        raise ProofRejected(
            TokenFault.PROOF_TOKEN, "expected the token that contains these claims"
        )
    cnf = claims.cnf
    _check_authentication_scheme(cnf, presented)
    if not cnf.is_bound_to_key and not allow_bearer:
        raise ProofRejected(
            TokenFault.BEARER, "expected a token that is bound to a key"
        )
    if cnf.x5t_s256:
        check_certificate_binding(cnf.x5t_s256, presented.certificate)
    proof: DpopProof | None = None
    if cnf.jkt:
        proof = verify_proof(
            presented.proofs[0],
            presented.method,
            presented.url,
            now,
            access_token=unverified_token,
            jkt=cnf.jkt,
            is_nonce_valid=is_nonce_valid,
        )
    return SenderConstrained(_required_proof_of_binding(cnf), proof)


def check_certificate_binding(x5t_s256: str, certificate: bytes) -> None:
    """Check a certificate against `x5t#S256` (RFC 8705 3.1).

    Args:
        certificate: DER of the TLS client certificate; empty for none. Its validity is
            checked by the TLS terminator.

    Raises:
        ProofRejected: It is missing, or another one.
    """
    shown = encode_base64url(hashlib.sha256(certificate).digest())
    same = hmac.compare_digest(shown.encode(), x5t_s256.encode())
    if not certificate or not same:
        raise ProofRejected(
            TokenFault.CERTIFICATE,
            "expected the client certificate to which the token is bound",
        )


def _check_authentication_scheme(
    cnf: Confirmation, presented: TokenPresentation
) -> None:
    """Require the scheme of the token's binding, and at most one DPoP proof."""
    # RFC 9110 11.1: the case of a scheme means nothing.
    scheme = presented.scheme.lower()
    if scheme != ("dpop" if cnf.jkt else "bearer"):
        raise ProofRejected(
            TokenFault.SCHEME, "expected the scheme of the token's binding"
        )
    # RFC 9449 4.3: not more than one, and one where the token asks for it.
    if len(presented.proofs) > 1 or (cnf.jkt and not presented.proofs):
        raise ProofRejected(TokenFault.PROOF_COUNT, "expected one DPoP proof")


def _required_proof_of_binding(cnf: Confirmation) -> SenderBinding:
    """Return the proof that a confirmation claim requires: DPoP, mTLS, both, none."""
    if cnf.jkt and cnf.x5t_s256:
        return SenderBinding.BOTH
    if cnf.jkt:
        return SenderBinding.DPOP
    return SenderBinding.MTLS if cnf.x5t_s256 else SenderBinding.BEARER
