"""Sender constraint: a token is worth something to whoever holds its key, alone.

RFC 9449 7.1 and 8705 3: what the token is bound to decides what has to be shown. Both
ways of losing the constraint are refused: a bound token shown as a bearer token, and an
unbound one shown as if it were bound.
"""

import hashlib
import hmac
from collections.abc import Callable

from answerable.federate.dpop import read_proof
from answerable.federate.errors import ProofRefused, Reason
from answerable.federate.strict import base64url
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
    """Check that the presenter of a token holds the key it is bound to.

    Args:
        unverified_token: The token that `claims` were made of.
        claims: What `verify` made of it.
        presented: What came with it.
        now: NumericDate.
        nonce_holds: Tells whether a DPoP nonce is ours and good now; None where we
            ask for none.
        bearer: Take a token that is bound to nothing.

    Returns:
        How it is bound. A DPoP proof among it is yet to be checked for replay.

    Raises:
        NonceRequired: The proof needs a nonce of ours.
        ProofRefused: The presenter did not show that the token is its own.
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
    """Hold a certificate against `x5t#S256` (RFC 8705 3.1).

    Args:
        x5t_s256: The claim.
        certificate: DER, as the TLS connection was made with; empty where there was
            none. Whether it is in force is the affair of whoever ended the connection.

    Raises:
        ProofRefused: There is none, or it is another.
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
