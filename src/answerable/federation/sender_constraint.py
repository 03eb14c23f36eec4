"""Sender constraint: only the holder of the bound key may use a token.

RFC 9449 7.1 and 8705 3: the token's binding decides the required proof. Downgrades are
rejected both ways: a bound token sent as bearer, and an unbound token sent as bound.
"""

import hashlib
import hmac
from collections.abc import Callable

from answerable.federation.dpop import read_proof
from answerable.federation.errors import ProofRefused, Reason
from answerable.federation.strict_json import base64url
from answerable.model.claims import (
    Binding,
    Confirmation,
    Presented,
    Proof,
    SenderConstrained,
    SignedClaims,
)


def check_sender(
    unverified_token: str,
    claims: SignedClaims,
    presented: Presented,
    now: int,
    *,
    nonce_holds: Callable[[str], bool] | None = None,
    bearer: bool = False,
) -> SenderConstrained:
    """Check that the presenter holds the key that a token is bound to.

    Args:
        unverified_token: The text that `claims` were verified from.
        claims: Result of `verify`.
        presented: Proofs and certificate of the request.
        now: NumericDate.
        nonce_holds: Checks a DPoP nonce; None if nonces are off.
        bearer: Accept an unbound token.

    Returns:
        Its binding. A DPoP proof in it still needs the replay check.

    Raises:
        NonceRequired: The proof needs a nonce of ours.
        ProofRefused: The presenter did not prove possession.
    """
    octets = unverified_token.encode("utf-8", "surrogatepass")
    if hashlib.sha256(octets).digest() != claims.token_sha256:
        raise ProofRefused(Reason.PROOF_TOKEN, "expected the token of these claims")
    cnf = claims.cnf
    _check_scheme(cnf, presented)
    if not cnf.bound and not bearer:
        raise ProofRefused(Reason.BEARER, "expected a token that is bound to a key")
    if cnf.x5t_s256:
        check_certificate(cnf.x5t_s256, presented.certificate)
    proof: Proof | None = None
    if cnf.jkt:
        proof = read_proof(
            presented.proofs[0],
            presented.method,
            presented.url,
            now,
            access_token=unverified_token,
            jkt=cnf.jkt,
            nonce_holds=nonce_holds,
        )
    return SenderConstrained(_binding(cnf), proof)


def check_certificate(x5t_s256: str, certificate: bytes) -> None:
    """Check a certificate against `x5t#S256` (RFC 8705 3.1).

    Args:
        certificate: DER of the TLS client certificate; empty for none. Its validity is
            checked by the TLS terminator.

    Raises:
        ProofRefused: It is missing, or another one.
    """
    shown = base64url(hashlib.sha256(certificate).digest())
    same = hmac.compare_digest(shown.encode(), x5t_s256.encode())
    if not certificate or not same:
        raise ProofRefused(
            Reason.CERTIFICATE, "expected the client certificate the token is bound to"
        )


def _check_scheme(cnf: Confirmation, presented: Presented) -> None:
    # RFC 9110 11.1: the case of a scheme means nothing.
    scheme = presented.scheme.lower()
    if scheme != ("dpop" if cnf.jkt else "bearer"):
        raise ProofRefused(Reason.SCHEME, "expected the scheme of the token's binding")
    # RFC 9449 4.3: not more than one, and one where the token asks for it.
    if len(presented.proofs) > 1 or (cnf.jkt and not presented.proofs):
        raise ProofRefused(Reason.PROOF_COUNT, "expected one DPoP proof")


def _binding(cnf: Confirmation) -> Binding:
    if cnf.jkt and cnf.x5t_s256:
        return Binding.BOTH
    if cnf.jkt:
        return Binding.DPOP
    return Binding.MTLS if cnf.x5t_s256 else Binding.BEARER
