"""Replay cache for DPoP proofs (RFC 9449 11.1), and nonces for the first minutes.

Seen proofs are kept in memory for as long as they could be presented again. A new
worker has not seen the proofs of the previous one, so for that long it requires a nonce
in each proof, issued since its start (RFC 9449 9).
"""

import hashlib
import hmac
from collections import Counter
from dataclasses import dataclass, field

from answerable.federation.claim_parsing import CLOCK_SKEW
from answerable.federation.dpop import PROOF_WINDOW
from answerable.federation.strict_json import (
    AmbiguousInput,
    decode_base64url,
    encode_base64url,
)
from answerable.federation.token_errors import ProofRejected, TokenFault
from answerable.model.token_claims import DpopProof
from answerable.server.shared_secret import derive_key

# Seconds in which a proof can be presented; both checks of its age are in whole
# seconds.
PROOF_LIFETIME = PROOF_WINDOW + CLOCK_SKEW + 1

_SLOT_SECONDS = 30  # seconds of arrival that lie in one slot
_SLOT_COUNT = 4  # a slot is three whole ones old, 90 seconds, when it is dropped
MAX_PER_CALLER = 100_000  # for all keys of its tokens
MAX_PROOFS = 400_000  # some 40 MB

_STAMP_BYTES = 8  # bytes: milliseconds since 1970
_TAG_BYTES = 16  # bytes
NONCE_LIFETIME = 300  # seconds


@dataclass(slots=True)
class _TimeSlot:
    """Proofs of one time slot: digests of key and `jti`, and counts by principal."""

    number: int
    seen: set[bytes] = field(default_factory=set)
    of: Counter[str] = field(default_factory=Counter)


class DpopReplayCache:
    """Recently seen proofs, in slots by arrival time."""

    def __init__(self) -> None:
        self._slots: list[_TimeSlot] = []

    def add_proof(self, proof: DpopProof, principal: str, now: float) -> None:
        """Add a valid proof; reject it if it was seen before.

        Args:
            proof: Proof of the present request.
            principal: Principal of its token.
            now: NumericDate.

        Raises:
            ProofRejected: It was seen before, or may have been; or the principal has
                reached its limit, and must not evict the proofs of others.
        """
        slot = self._get_current_time_slot(int(now) // _SLOT_SECONDS)
        if proof.expires < slot.number * _SLOT_SECONDS:
            # The clock went back to a time whose proofs are dropped already.
            raise ProofRejected(TokenFault.PROOF_AGE, "expected a more recent proof")
        # A thumbprint has one length, so no two pairs run together alike.
        digest = hashlib.sha256(f"{proof.jkt}{proof.jti}".encode()).digest()[
            :_TAG_BYTES
        ]
        if any(digest in each.seen for each in self._slots):
            raise ProofRejected(
                TokenFault.REPLAYED, "expected a proof that was not used before"
            )
        kept = sum(len(each.seen) for each in self._slots)
        own = sum(each.of[principal] for each in self._slots)
        if own >= MAX_PER_CALLER or kept >= MAX_PROOFS:
            raise ProofRejected(TokenFault.TOO_MANY_PROOFS, "expected fewer proofs")
        slot.seen.add(digest)
        slot.of[principal] += 1

    def _get_current_time_slot(self, slot_number: int) -> _TimeSlot:
        """Return the time slot for new proofs, after dropping expired slots."""
        if not self._slots or self._slots[-1].number < slot_number:
            oldest = slot_number - _SLOT_COUNT + 1
            self._slots = [each for each in self._slots if each.number >= oldest]
            self._slots.append(_TimeSlot(slot_number))
        # After the clock went back, the newest slot is used: its proofs are kept longer.
        return self._slots[-1]


class DpopNonces:
    """Nonces that contain their issue time; any worker can check one.

    Args:
        secret: Secret that the workers share.
        since: NumericDate from which this worker keeps proofs.
    """

    def __init__(self, secret: bytes, since: float) -> None:
        self._key = derive_key(secret, "dpop-nonce")
        self._since = since

    def are_required(self, now: float) -> bool:
        """Return whether a proof may have been used before this worker started."""
        return now < self._since + PROOF_LIFETIME

    def issue(self, now: float) -> str:
        """Issue a nonce that contains the present time and an HMAC."""
        stamp = int(now * 1000).to_bytes(_STAMP_BYTES, "big")
        return encode_base64url(stamp + self._compute_nonce_mac(stamp))

    def is_valid(self, nonce: str, now: float) -> bool:
        """Return whether a nonce is ours, recent, and issued since the start."""
        try:
            data = decode_base64url(nonce)
        except AmbiguousInput:
            return False
        stamp, tag = data[:_STAMP_BYTES], data[_STAMP_BYTES:]
        if not hmac.compare_digest(tag, self._compute_nonce_mac(stamp)):
            return False
        given = int.from_bytes(stamp, "big")
        first = max(self._since, now - NONCE_LIFETIME)
        return given >= int(first * 1000)

    def _compute_nonce_mac(self, issue_time: bytes) -> bytes:
        """Return the HMAC of a nonce's time."""
        return hmac.digest(self._key, issue_time, "sha256")[:_TAG_BYTES]
