"""Verify the proofs of possession in a request: DPoP proof, client certificate.

Replay is checked in the record of delegations. If records may have been lost, proofs
must carry a recent nonce of ours (RFC 9449 8).
"""

import hashlib
from collections.abc import Callable
from functools import partial

import msgspec

from answerable.federation.dpop import verify_proof
from answerable.federation.jws_parsing import parse_jws
from answerable.federation.sender_constraint import check_sender_constraint
from answerable.federation.strict_json import encode_base64url
from answerable.federation.token_errors import ProofRejected, TokenFault, TokenRejected
from answerable.model.token_claims import Confirmation, TokenPresentation
from answerable.server.dpop_replay_cache import DpopNonces
from answerable.services.federation.issued_token_verification import (
    LiveOwnToken,
    OwnTokenVerifier,
)
from answerable.store.token_state.interface import CommitOutcome, TokenState
from answerable.store.token_state.replay_keys import ReplayKey, build_dpop_replay_key
from answerable.sts.http.request import StsRequest


class ProvenKeys(msgspec.Struct, frozen=True, gc=False):
    """Keys that a requester proved.

    Attributes:
        use: Replay cache entry of the DPoP proof; None without one.
    """

    cnf: Confirmation
    use: ReplayKey | None


class ProofVerifier:
    """Verifier of the proofs in requests.

    Args:
        url: The service's `iss`; proofs name its public endpoint URLs.
    """

    def __init__(
        self, url: str, nonces: DpopNonces, control: TokenState, own: OwnTokenVerifier
    ) -> None:
        self._at = url.rstrip("/")
        self._nonces, self._control, self._own = nonces, control, own

    def build_nonce_field(self, now: float) -> dict[str, str]:
        """Return a fresh DPoP nonce as a response field."""
        return {"dpop-nonce": self._nonces.issue(now)}

    def verify_proofs(self, request: StsRequest, path: str, now: float) -> ProvenKeys:
        """Verify DPoP proof and client certificate of a token request.

        Raises:
            NonceRequired: The proof needs a nonce of ours.
            ProofRejected: The proof is invalid.
        """
        certificate = request.link.certificate
        x5t = (
            encode_base64url(hashlib.sha256(certificate).digest())
            if certificate
            else ""
        )
        text = request.head.fields.get("dpop")
        if text is None:
            return ProvenKeys(Confirmation(x5t_s256=x5t), None)
        holds = self._build_nonce_check(now)
        proof = verify_proof(
            text, request.head.method, self._at + path, int(now), is_nonce_valid=holds
        )
        use = build_dpop_replay_key(proof, has_fresh_nonce=holds is not None)
        return ProvenKeys(Confirmation(jkt=proof.jkt, x5t_s256=x5t), use)

    def authenticate(self, request: StsRequest, path: str, now: float) -> LiveOwnToken:
        """Authenticate a request by a token that this service issued, with its proofs.

        Raises:
            NonceRequired: The proof needs a nonce of ours.
            TokenRejected: There is no live token, or the presenter did not prove
                possession.
            TokenStateUnavailable: The record cannot be read.
        """
        scheme, _, token = request.head.fields.get("authorization", "").partition(" ")
        if not token:
            raise TokenRejected(
                TokenFault.SCHEME, "expected a token of this token service"
            )
        held = self._own.verify_active_token(parse_jws(token), now)
        proof = request.head.fields.get("dpop")
        presented = TokenPresentation(
            scheme=scheme,
            method=request.head.method,
            url=self._at + path,
            proofs=() if proof is None else (proof,),
            certificate=request.link.certificate,
        )
        holds = self._build_nonce_check(now)
        sender = check_sender_constraint(
            token, held.claims, presented, int(now), is_nonce_valid=holds
        )
        if sender.proof is not None:
            use = build_dpop_replay_key(sender.proof, has_fresh_nonce=holds is not None)
            if self._control.record_single_use_key(use, now) is not CommitOutcome.DONE:
                raise ProofRejected(
                    TokenFault.REPLAYED, "expected a proof that was not used before"
                )
        return held

    def _build_nonce_check(self, now: float) -> Callable[[str], bool] | None:
        """Return the check of DPoP nonces; None while none are required."""
        asked = self._nonces.are_required(now)
        return partial(self._nonces.is_valid, now=now) if asked else None
