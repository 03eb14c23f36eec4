"""Signature counters of security keys, to detect a cloned one.

A security key counts its signatures. A count that is not above the last one seen means
that two devices have the same key (WebAuthn 6.1.1). The counts are those of this
process: a restart forgets them.
"""

import threading

from answerable.evidence import dsse
from answerable.evidence.signed_statements import verify_key_signature
from answerable.model.errors import VerificationError
from answerable.model.owner_signing_key import OwnerKey, OwnerKeyId


class SignatureCounters:
    """Highest signature count of each security key that this process has seen."""

    def __init__(self) -> None:
        self._last: dict[OwnerKeyId, int] = {}
        self._lock = threading.Lock()

    def require_new_signature(self, key: OwnerKey, envelope: bytes) -> None:
        """Refuse an envelope whose signature count was seen before.

        A wrong signature is not counted; the caller refuses it. A key without a counter
        (always 0) is accepted.

        Raises:
            VerificationError: The count is not above the last one.
        """
        count = verify_key_signature(dsse.decode_envelope(envelope), key)
        if count is None:
            return
        with self._lock:
            last = self._last.get(key.id, 0)
            if (count or last) and count <= last:
                raise VerificationError(
                    f"the security key of {key.id} may be cloned: its signature count "
                    f"did not rise (got {count}, expected more than {last})",
                    "revoke this key at /keys, and enroll another",
                )
            self._last[key.id] = count
