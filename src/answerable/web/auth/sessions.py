"""Store web sessions in memory, by the digest of their cookie.

A session is created only at sign-in, so a planted cookie is never one (session
fixation). It ends after 30 minutes without a request, after eight hours, at sign-out,
and with the process.
"""

import hashlib
import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from answerable.model.ids import PersonId
from answerable.web.visitor import WebRole

LOCAL_METHOD, KEY_METHOD = "local", "owner-key"
# Sign-ins that no provider vouches for: the printed token, and a key of its person.
LOCAL_METHODS = frozenset({LOCAL_METHOD, KEY_METHOD})
IDLE_TIMEOUT = 30 * 60  # seconds
MAX_LIFETIME = 8 * 3600
FRESH_PERIOD = 5 * 60  # since the person authenticated
MAX_SESSIONS = 10_000
MAX_PER_PERSON = 20

_SECRET_SIZE = 32  # bytes


@dataclass(slots=True)
class WebSession:
    """One signed-in session.

    Attributes:
        person: None if the sign-in names no person.
        by: `local`, `owner-key`, or the issuer.
        began: Seconds since the epoch.
        last: Time of the last use.
        authenticated_at: Time of the last authentication, possibly long before.
        confirmation: Confirmation to show on the next page.
    """

    key: bytes
    person: PersonId | None
    roles: frozenset[WebRole]
    by: str
    began: float
    last: float
    authenticated_at: float
    confirmation: str = ""
    _secret: bytes = field(
        default_factory=lambda: secrets.token_bytes(_SECRET_SIZE), repr=False
    )

    def csrf_token(self) -> str:
        """Return the CSRF token, with a new random mask for each page.

        Pages are compressed with attacker-chosen text: the length of an unmasked token
        would leak it (BREACH).
        """
        mask = secrets.token_bytes(_SECRET_SIZE)
        return (
            urlsafe_b64encode(mask + _xor_bytes(mask, self._secret))
            .decode()
            .rstrip("=")
        )

    def accepts_csrf(self, token: str) -> bool:
        """Return whether a CSRF token belongs to this session."""
        try:
            data = urlsafe_b64decode(token.encode("ascii") + b"==")
        except ValueError:
            return False
        if len(data) != 2 * _SECRET_SIZE:
            return False
        return hmac.compare_digest(
            _xor_bytes(data[:_SECRET_SIZE], data[_SECRET_SIZE:]), self._secret
        )


class SessionStore:
    """All sessions of the process.

    Args:
        clock: Seconds since the epoch.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._open: dict[bytes, WebSession] = {}

    def __len__(self) -> int:
        self._remove_timed_out_sessions()
        return len(self._open)

    def create(
        self,
        person: PersonId | None,
        roles: frozenset[WebRole],
        by: str,
        authenticated_at: float | None = None,
    ) -> tuple[str, WebSession]:
        """Create a session; evict the oldest ones above the limits.

        Returns:
            Cookie value and session.
        """
        self._remove_timed_out_sessions()
        self._evict_oldest_sessions(person)
        cookie, now = secrets.token_urlsafe(_SECRET_SIZE), self._clock()
        proved_at = now if authenticated_at is None else authenticated_at
        session = WebSession(
            key=_hash_cookie(cookie),
            person=person,
            roles=roles,
            by=by,
            began=now,
            last=now,
            authenticated_at=proved_at,
        )
        self._open[session.key] = session
        return cookie, session

    def find(self, cookie: str) -> WebSession | None:
        """Return the live session of a cookie and reset its idle timeout."""
        session = self._open.get(_hash_cookie(cookie)) if cookie else None
        if session is None or not self.is_alive(session):
            return None
        session.last = self._clock()
        return session

    def is_alive(self, session: WebSession) -> bool:
        """Return whether a session is open; remove it if a timeout has passed."""
        now = self._clock()
        over = now >= session.began + MAX_LIFETIME or now >= session.last + IDLE_TIMEOUT
        if over:
            self._open.pop(session.key, None)
        return session.key in self._open

    def is_recently_authenticated(self, session: WebSession) -> bool:
        """Return whether the person authenticated within the last five minutes."""
        return self._clock() < session.authenticated_at + FRESH_PERIOD

    def end(self, session: WebSession) -> None:
        """End a signed-in person's web session."""
        self._open.pop(session.key, None)

    def end_all(self, except_by: Collection[str] = ()) -> None:
        """End all sessions, except those of the sign-in methods `except_by`."""
        for session in list(self._open.values()):
            if session.by not in except_by:
                self.end(session)

    def _remove_timed_out_sessions(self) -> None:
        """Remove the sessions whose timeout has passed."""
        for session in list(self._open.values()):
            self.is_alive(session)

    def _evict_oldest_sessions(self, person: PersonId | None) -> None:
        """End the least recently used sessions of a person, and of the process."""
        own = [each for each in self._open.values() if each.person == person]
        for group, limit in (
            (own, MAX_PER_PERSON),
            (list(self._open.values()), MAX_SESSIONS),
        ):
            group.sort(key=lambda each: each.last)
            for session in group[: max(0, len(group) - limit + 1)]:
                self.end(session)


def _hash_cookie(cookie: str) -> bytes:
    """Return the SHA-256 digest of a cookie value."""
    return hashlib.sha256(cookie.encode("utf-8", "surrogateescape")).digest()


def _xor_bytes(first: bytes, second: bytes) -> bytes:
    """Return the bitwise XOR of two byte strings of equal length."""
    return bytes(a ^ b for a, b in zip(first, second, strict=True))
