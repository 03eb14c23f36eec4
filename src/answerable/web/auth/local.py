"""The token that is printed at start: of use once, for ten minutes, on this machine."""

import hashlib
import hmac
import secrets
from collections.abc import Callable
from ipaddress import ip_address

LIVES = 10 * 60  # seconds
TRIES = 10  # of wrong ones, then it is of no use any more

_SIZE = 32  # bytes


class LocalToken:
    """One token.

    Args:
        clock: Seconds since the epoch.

    Attributes:
        text: The token, told to the operator; empty once it was.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.text = secrets.token_urlsafe(_SIZE)
        self._digest = _digest(self.text)
        self._until = clock() + LIVES
        self._tries = TRIES

    def tell(self) -> str:
        """Give it, and keep it no longer."""
        text, self.text = self.text, ""
        return text

    def take(self, token: str) -> str:
        """Use it.

        Returns:
            Why it may not be; empty where it was used, and now is of no use any more.
        """
        if not self._tries:
            return "used"
        if self._clock() >= self._until:
            return "expired"
        if not hmac.compare_digest(_digest(token), self._digest):
            self._tries -= 1
            return "wrong"
        self._tries = 0
        return ""


def is_near(peer: str) -> bool:
    """Whether the other end of a connection is on this machine."""
    try:
        address = ip_address(peer)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
