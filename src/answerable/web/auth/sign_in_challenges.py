"""Challenges of the sign-in with an owner key, each valid once and for ten minutes.

A challenge is authenticated with a key of the process, so that a page can be shown to
anyone without a record of it. Only redeemed challenges are stored, until they expire.
"""

import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable

CHALLENGE_LIFETIME = 10 * 60  # seconds
_MAX_REDEEMED = 10_000
_TIME, _RANDOM, _TAG = 8, 16, 32  # bytes


class SignInChallenges:
    """Issuer of challenges.

    Args:
        clock: Seconds since the epoch.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._redeemed: dict[str, float] = {}

    def issue(self) -> str:
        """Return a new challenge."""
        until = int(self._clock()) + CHALLENGE_LIFETIME
        body = until.to_bytes(_TIME, "big") + secrets.token_bytes(_RANDOM)
        return urlsafe_b64encode(body + self._tag(body)).decode().rstrip("=")

    def redeem(self, challenge: str) -> bool:
        """Return whether a challenge was issued here, is fresh, and was not used yet."""
        try:
            data = urlsafe_b64decode(challenge.encode("ascii") + b"==")
        except ValueError:
            return False
        body, tag = data[:-_TAG], data[-_TAG:]
        if len(data) != _TIME + _RANDOM + _TAG or not hmac.compare_digest(
            tag, self._tag(body)
        ):
            return False
        now, until = self._clock(), int.from_bytes(body[:_TIME], "big")
        self._redeemed = {key: end for key, end in self._redeemed.items() if end > now}
        name = body.hex()  # two encodings in base64 are one challenge
        if (
            now >= until
            or name in self._redeemed
            or len(self._redeemed) > _MAX_REDEEMED
        ):
            return False
        self._redeemed[name] = until
        return True

    def _tag(self, body: bytes) -> bytes:
        """Return the HMAC-SHA-256 of a challenge."""
        return hmac.digest(self._key, body, "sha256")
