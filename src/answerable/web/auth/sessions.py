"""Sessions, kept in memory by the digest of their cookie.

A session is created only at sign-in, so a planted cookie is never one (session
fixation). It ends after 30 minutes without a request, after eight hours, at sign-out,
and with the process.
"""

import hashlib
import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass, field

from answerable.model.ids import PersonId
from answerable.web.visitor import Role

IDLE = 30 * 60  # seconds
LONGEST = 8 * 3600
FRESH = 5 * 60  # since the person authenticated
MOST = 10_000
MOST_OF_ONE = 20

_SIZE = 32  # bytes


@dataclass(slots=True)
class Session:
    """One signed-in session.

    Attributes:
        person: None if the sign-in names no person.
        by: `local`, or the issuer.
        began: Seconds since the epoch.
        last: Time of the last use.
        proved: Time of the last authentication, possibly long before.
        said: Confirmation to show on the next page.
    """

    key: bytes
    person: PersonId | None
    roles: frozenset[Role]
    by: str
    began: float
    last: float
    proved: float
    said: str = ""
    _secret: bytes = field(
        default_factory=lambda: secrets.token_bytes(_SIZE), repr=False
    )

    def token(self) -> str:
        """Return a CSRF token, masked anew for each page.

        Pages are compressed with attacker-chosen text: the length of an unmasked token
        would leak it (BREACH).
        """
        mask = secrets.token_bytes(_SIZE)
        return urlsafe_b64encode(mask + _xor(mask, self._secret)).decode().rstrip("=")

    def wrote(self, token: str) -> bool:
        """Tell whether a CSRF token belongs to this session."""
        try:
            data = urlsafe_b64decode(token.encode("ascii") + b"==")
        except ValueError:
            return False
        if len(data) != 2 * _SIZE:
            return False
        return hmac.compare_digest(_xor(data[:_SIZE], data[_SIZE:]), self._secret)


class Sessions:
    """All sessions of the process.

    Args:
        clock: Seconds since the epoch.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._open: dict[bytes, Session] = {}

    def __len__(self) -> int:
        self._sweep()
        return len(self._open)

    def begin(
        self,
        person: PersonId | None,
        roles: frozenset[Role],
        by: str,
        proved: float | None = None,
    ) -> tuple[str, Session]:
        """Create a session.

        Returns:
            Cookie value and session.
        """
        self._sweep()
        self._make_room(person)
        cookie, now = secrets.token_urlsafe(_SIZE), self._clock()
        shown = now if proved is None else proved
        session = Session(_digest(cookie), person, roles, by, now, now, shown)
        self._open[session.key] = session
        return cookie, session

    def find(self, cookie: str) -> Session | None:
        """Return the session of a cookie and extend it."""
        session = self._open.get(_digest(cookie)) if cookie else None
        if session is None or not self.lives(session):
            return None
        session.last = self._clock()
        return session

    def lives(self, session: Session) -> bool:
        """Tell whether a session has not ended, without extending it."""
        now = self._clock()
        over = now >= session.began + LONGEST or now >= session.last + IDLE
        if over:
            self._open.pop(session.key, None)
        return session.key in self._open

    def is_fresh(self, session: Session) -> bool:
        """Tell whether the person authenticated within the last minutes."""
        return self._clock() < session.proved + FRESH

    def end(self, session: Session) -> None:
        """End a session."""
        self._open.pop(session.key, None)

    def end_all(self, but: str = "") -> None:
        """End all sessions, except those by `but`."""
        for session in list(self._open.values()):
            if session.by != but:
                self.end(session)

    def _sweep(self) -> None:
        for session in list(self._open.values()):
            self.lives(session)

    def _make_room(self, person: PersonId | None) -> None:
        own = [each for each in self._open.values() if each.person == person]
        for crowd, most in ((own, MOST_OF_ONE), (list(self._open.values()), MOST)):
            crowd.sort(key=lambda each: each.last)
            for session in crowd[: max(0, len(crowd) - most + 1)]:
                self.end(session)


def _digest(cookie: str) -> bytes:
    return hashlib.sha256(cookie.encode("utf-8", "surrogateescape")).digest()


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))
