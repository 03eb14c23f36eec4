"""One-time sign-in token, printed at start, valid for ten minutes on this host."""

import hashlib
import hmac
import secrets
from collections.abc import Callable
from ipaddress import ip_address

TOKEN_LIFETIME = 10 * 60  # seconds
MAX_TRIES = 10  # wrong tries, then the token is invalid

_TOKEN_SIZE = 32  # bytes


class LocalToken:
    """The one-time token.

    Args:
        clock: Seconds since the epoch.

    Attributes:
        text: The token; empty once it was printed.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.text = secrets.token_urlsafe(_TOKEN_SIZE)
        self._digest = _hash_token(self.text)
        self._until = clock() + TOKEN_LIFETIME
        self._tries = MAX_TRIES

    def take_text_once(self) -> str:
        """Return the token text once; only its digest is kept."""
        text, self.text = self.text, ""
        return text

    def redeem(self, token: str) -> str:
        """Check a token; it is accepted once, after at most ten wrong tries.

        Returns:
            Why it is invalid; empty if it was redeemed.
        """
        if not self._tries:
            return "used"
        if self._clock() >= self._until:
            return "expired"
        if not hmac.compare_digest(_hash_token(token), self._digest):
            self._tries -= 1
            return "wrong"
        self._tries = 0
        return ""


def is_local_peer(peer: str) -> bool:
    """Return whether a peer address is a loopback address."""
    try:
        address = ip_address(peer)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def _hash_token(token: str) -> bytes:
    """Return the SHA-256 digest of a token."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
