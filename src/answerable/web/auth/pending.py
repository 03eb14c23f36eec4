"""Sign-ins under way at a provider: kept here, found by a cookie, good for one answer."""

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from answerable.flows.web_sign_in import Begun

LIVES = 10 * 60  # seconds
MOST = 1000

_SIZE = 32  # bytes


@dataclass(frozen=True, slots=True)
class Pending:
    """One sign-in.

    Attributes:
        begun: What was asked.
        onward: Where its browser goes when it is done, a path of ours.
        until: Seconds since the epoch.
    """

    begun: Begun
    onward: str
    until: float


class PendingSignIns:
    """All of them; the oldest go first where there are too many.

    Args:
        clock: Seconds since the epoch.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._open: dict[bytes, Pending] = {}

    def __len__(self) -> int:
        return len(self._open)

    def begin(self, begun: Begun, onward: str) -> str:
        """Keep one; give what its browser's cookie says."""
        while len(self._open) >= MOST:
            del self._open[next(iter(self._open))]
        cookie = secrets.token_urlsafe(_SIZE)
        until = self._clock() + LIVES
        self._open[_digest(cookie)] = Pending(begun, onward, until)
        return cookie

    def take(self, cookie: str) -> Pending | None:
        """Give the one of a cookie, and keep it no longer, however it ends."""
        found = self._open.pop(_digest(cookie), None) if cookie else None
        return found if found is not None and self._clock() < found.until else None

    def clear(self) -> None:
        """Forget all: where people sign in has changed."""
        self._open.clear()


def _digest(cookie: str) -> bytes:
    return hashlib.sha256(cookie.encode("utf-8", "surrogateescape")).digest()
