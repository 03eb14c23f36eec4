"""Build replay cache keys of tokens and DPoP proofs that may be presented once."""

import hashlib

import msgspec

from answerable.model.token_claims import DpopProof, SignedClaims

CLOCK_SKEW = 30  # maximum seconds that an issuer's clock may be ahead of ours


class ReplayKey(msgspec.Struct, frozen=True, gc=False):
    """Single-use key of the replay cache: a token or a DPoP proof.

    Attributes:
        key: Unique 32 octets: see `build_token_replay_key`, `build_dpop_replay_key`.
        since: Earliest time, by our clock, at which it can have been presented.
        expires: Time after which its verifier rejects it as too old; it is kept until
            then.
    """

    key: bytes
    since: int
    expires: int


def build_token_replay_key(claims: SignedClaims) -> ReplayKey:
    """Build the replay key of a presented token.

    The key is (issuer, audience, `jti`); without `jti` it uses `uti`, the same claim in
    tokens of Entra ID; without either, issuer and payload. It never uses the whole
    text: an ECDSA signature has a second valid form.

    Source:
    https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference
    """
    uti = claims.find_claim_at_path("uti")
    if claims.jti:
        key = _hash_texts_with_lengths("token", claims.iss, claims.aud, claims.jti)
    elif isinstance(uti, str) and uti:
        key = _hash_texts_with_lengths("token-uti", claims.iss, claims.aud, uti)
    else:
        key = _hash_texts_with_lengths(
            "token-payload", claims.iss, claims.payload_sha256.hex()
        )
    return ReplayKey(key, claims.iat - CLOCK_SKEW, claims.exp + CLOCK_SKEW)


def build_dpop_replay_key(
    proof: DpopProof, *, has_fresh_nonce: bool = False
) -> ReplayKey:
    """Build the replay key of a DPoP proof from (jkt, jti).

    Args:
        proof: A valid proof.
        has_fresh_nonce: It carried a nonce that we issued since the epoch.
    """
    since = proof.expires if has_fresh_nonce else proof.iat - CLOCK_SKEW
    return ReplayKey(
        _hash_texts_with_lengths("proof", proof.jkt, proof.jti), since, proof.expires
    )


def _hash_texts_with_lengths(*parts: str) -> bytes:
    """Hash texts with their lengths, so that no other list has the same hash."""
    # Each part with its length: different lists of parts never give the same bytes.
    whole = b""
    for part in parts:
        spelled = part.encode("utf-8", "surrogatepass")
        whole += len(spelled).to_bytes(4, "big") + spelled
    return hashlib.sha256(whole).digest()
