"""DPoP proofs are good once (RFC 9449 11.1), also across a restart.

What was seen is kept in memory for as long as a proof could be shown again. A worker
that has just started has forgotten what the one before it saw, so for that long it
takes proofs with a nonce alone, and a nonce given since then (RFC 9449 9).
"""

import hashlib
import hmac
from collections import Counter
from dataclasses import dataclass, field

from answerable.federate.dpop import WINDOW
from answerable.federate.errors import ProofRefused, Reason
from answerable.federate.reading import SKEW
from answerable.federate.strict import Unread, base64url, unbase64url
from answerable.model.claims import Proof
from answerable.serving.secret import derived

# Seconds from the first moment a proof can be shown to the last; both checks of its age
# are in whole seconds.
LIFE = WINDOW + SKEW + 1

_SLOT = 30  # seconds of arrival that lie in one slot
_SLOTS = 4  # a slot is three whole ones old, 90 seconds, when it is dropped
MAX_PER_CALLER = 100_000  # whatever number of keys its tokens are bound to
MAX_PROOFS = 400_000  # some 40 MB

_STAMP = 8  # bytes: milliseconds since 1970
_TAG = 16  # bytes
NONCE_LIFE = 300  # seconds


@dataclass(slots=True)
class _Slot:
    """Proofs that came within one slot: digests of key and `jti`, and whose they are."""

    number: int
    seen: set[bytes] = field(default_factory=set)
    of: Counter[str] = field(default_factory=Counter)


class SeenProofs:
    """The proofs of the last while, in slots by the time they came."""

    def __init__(self) -> None:
        self._slots: list[_Slot] = []

    def see(self, proof: Proof, principal: str, now: float) -> None:
        """Remember a proof that holds.

        Args:
            proof: Of the present request.
            principal: Whose token it came with.
            now: NumericDate.

        Raises:
            ProofRefused: It was seen before, or may have been; or its caller shows more
                than are remembered, and is refused before it crowds out the others.
        """
        slot = self._slot(int(now) // _SLOT)
        if proof.expires < slot.number * _SLOT:
            # The clock went back, and what was seen at this time is forgotten by now.
            raise ProofRefused(Reason.PROOF_AGE, "expected a proof of a later time")
        # A thumbprint has one length, so no two pairs run together alike.
        digest = hashlib.sha256(f"{proof.jkt}{proof.jti}".encode()).digest()[:_TAG]
        if any(digest in each.seen for each in self._slots):
            raise ProofRefused(Reason.REPLAYED, "expected a proof not seen before")
        kept = sum(len(each.seen) for each in self._slots)
        own = sum(each.of[principal] for each in self._slots)
        if own >= MAX_PER_CALLER or kept >= MAX_PROOFS:
            raise ProofRefused(Reason.TOO_MANY_PROOFS, "expected fewer proofs")
        slot.seen.add(digest)
        slot.of[principal] += 1

    def _slot(self, number: int) -> _Slot:
        """Give the newest slot, after dropping those whose proofs have all ended."""
        if not self._slots or self._slots[-1].number < number:
            oldest = number - _SLOTS + 1
            self._slots = [each for each in self._slots if each.number >= oldest]
            self._slots.append(_Slot(number))
        # Where the clock went back, the newest one takes what comes: kept longer.
        return self._slots[-1]


class Nonces:
    """Nonces that carry when they were given; any worker can check one.

    Args:
        secret: What the workers share.
        since: NumericDate at which this worker began to remember proofs.
    """

    def __init__(self, secret: bytes, since: float) -> None:
        self._key = derived(secret, "dpop-nonce")
        self._since = since

    def are_asked_for(self, now: float) -> bool:
        """Tell whether a proof could be shown that was seen before this worker was."""
        return now < self._since + LIFE

    def give(self, now: float) -> str:
        """Make a nonce."""
        stamp = int(now * 1000).to_bytes(_STAMP, "big")
        return base64url(stamp + self._tag(stamp))

    def holds(self, nonce: str, now: float) -> bool:
        """Tell whether a nonce is one of ours, not old, and given since we began."""
        try:
            data = unbase64url(nonce)
        except Unread:
            return False
        stamp, tag = data[:_STAMP], data[_STAMP:]
        if not hmac.compare_digest(tag, self._tag(stamp)):
            return False
        given = int.from_bytes(stamp, "big")
        first = max(self._since, now - NONCE_LIFE)
        return given >= int(first * 1000)

    def _tag(self, stamp: bytes) -> bytes:
        return hmac.digest(self._key, stamp, "sha256")[:_TAG]
