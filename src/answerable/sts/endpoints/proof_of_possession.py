"""Proofs of possession in a request: DPoP proof and client certificate.

Replay is checked in the record of delegations. If records may have been lost, proofs
must carry a recent nonce of ours (RFC 9449 8).
"""

import hashlib
from collections.abc import Callable
from functools import partial

import msgspec

from answerable.federation.dpop import read_proof
from answerable.federation.errors import ProofRefused, Reason, TokenRefused
from answerable.federation.jws_parsing import admit
from answerable.federation.sender_constraint import check_sender
from answerable.federation.strict_json import base64url
from answerable.model.claims import Confirmation, Presented
from answerable.server.dpop_replay_cache import Nonces
from answerable.services.federation.own_tokens import Held, OwnTokens
from answerable.store.token_state.interface import Control, Outcome, Use, proof_use
from answerable.sts.http.request import Asked


class Shown(msgspec.Struct, frozen=True, gc=False):
    """Keys that a requester proved.

    Attributes:
        use: Replay cache entry of the DPoP proof; None without one.
    """

    cnf: Confirmation
    use: Use | None


class Proving:
    """Verifier of the proofs in requests.

    Args:
        url: The service's `iss`; proofs name its public endpoint URLs.
    """

    def __init__(
        self, url: str, nonces: Nonces, control: Control, own: OwnTokens
    ) -> None:
        self._at = url.rstrip("/")
        self._nonces, self._control, self._own = nonces, control, own

    def nonce(self, now: float) -> dict[str, str]:
        """Return a fresh nonce as a response field."""
        return {"dpop-nonce": self._nonces.give(now)}

    def shown(self, asked: Asked, path: str, now: float) -> Shown:
        """Verify the proofs of a token request.

        Raises:
            NonceRequired: The proof needs a nonce of ours.
            ProofRefused: The proof is invalid.
        """
        certificate = asked.link.certificate
        x5t = base64url(hashlib.sha256(certificate).digest()) if certificate else ""
        text = asked.head.fields.get("dpop")
        if text is None:
            return Shown(Confirmation(x5t_s256=x5t), None)
        holds = self._nonce_holds(now)
        proof = read_proof(
            text, asked.head.method, self._at + path, int(now), nonce_holds=holds
        )
        use = proof_use(proof, fresh=holds is not None)
        return Shown(Confirmation(jkt=proof.jkt, x5t_s256=x5t), use)

    def holder(self, asked: Asked, path: str, now: float) -> Held:
        """Return the live token of ours that authorises a request.

        Raises:
            NonceRequired: The proof needs a nonce of ours.
            TokenRefused: There is no live token, or the presenter did not prove
                possession.
            ControlUnavailable: The record cannot be read.
        """
        scheme, _, token = asked.head.fields.get("authorization", "").partition(" ")
        if not token:
            raise TokenRefused(Reason.SCHEME, "expected a token of ours")
        held = self._own.held(admit(token), now)
        proof = asked.head.fields.get("dpop")
        presented = Presented(
            scheme=scheme,
            method=asked.head.method,
            url=self._at + path,
            proofs=() if proof is None else (proof,),
            certificate=asked.link.certificate,
        )
        holds = self._nonce_holds(now)
        sender = check_sender(
            token, held.claims, presented, int(now), nonce_holds=holds
        )
        if sender.proof is not None:
            use = proof_use(sender.proof, fresh=holds is not None)
            if self._control.see(use, now) is not Outcome.DONE:
                raise ProofRefused(Reason.REPLAYED, "expected a proof not seen before")
        return held

    def _nonce_holds(self, now: float) -> Callable[[str], bool] | None:
        asked = self._nonces.are_asked_for(now)
        return partial(self._nonces.holds, now=now) if asked else None
