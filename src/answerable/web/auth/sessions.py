"""Who has signed in: kept in memory, by the digest of what their cookie says.

A session is made at sign-in and at nothing else, so a cookie that somebody planted is
never one. It ends after half an hour without a request, after eight hours whatever
happens, when its person signs out, and with the process.
"""

import hashlib
import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass, field

from answerable.model.ids import PersonId
from answerable.web.visit import Role

IDLE = 30 * 60  # seconds
LONGEST = 8 * 3600
FRESH = 5 * 60  # since somebody showed who they are
MOST = 10_000
MOST_OF_ONE = 20

_SIZE = 32  # bytes


@dataclass(slots=True)
class Session:
    """One sign-in.

    Attributes:
        key: Digest of its cookie.
        person: Who signed in; None where the way they did names nobody.
        roles: What they are here.
        by: How: `local`, or the issuer that vouched for them.
        began: Seconds since the epoch.
        last: When it was last used.
        proved: When its person last showed who they are, which may be long before.
        said: What was done, to be shown on the next page.
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
        """Give what a form has to carry, masked anew for each page.

        A page is compressed beside what a visitor's address says: unmasked, its length
        would tell the token letter by letter (BREACH).
        """
        mask = secrets.token_bytes(_SIZE)
        return urlsafe_b64encode(mask + _xor(mask, self._secret)).decode().rstrip("=")

    def wrote(self, token: str) -> bool:
        """Whether a token is one of this session's."""
        try:
            data = urlsafe_b64decode(token.encode("ascii") + b"==")
        except ValueError:
            return False
        if len(data) != 2 * _SIZE:
            return False
        return hmac.compare_digest(_xor(data[:_SIZE], data[_SIZE:]), self._secret)


class Sessions:
    """All of them.

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
        """Begin one; what it says in its cookie is known to its browser alone.

        Returns:
            What goes into the cookie, and the session.
        """
        self._sweep()
        self._make_room(person)
        cookie, now = secrets.token_urlsafe(_SIZE), self._clock()
        shown = now if proved is None else proved
        session = Session(_digest(cookie), person, roles, by, now, now, shown)
        self._open[session.key] = session
        return cookie, session

    def find(self, cookie: str) -> Session | None:
        """Find the session of a cookie; that it is used keeps it for longer."""
        session = self._open.get(_digest(cookie)) if cookie else None
        if session is None or not self.lives(session):
            return None
        session.last = self._clock()
        return session

    def lives(self, session: Session) -> bool:
        """Whether a session has not ended; asking does not prolong it."""
        now = self._clock()
        over = now >= session.began + LONGEST or now >= session.last + IDLE
        if over:
            self._open.pop(session.key, None)
        return session.key in self._open

    def is_fresh(self, session: Session) -> bool:
        """Whether its person showed who they are just now."""
        return self._clock() < session.proved + FRESH

    def end(self, session: Session) -> None:
        """End one."""
        self._open.pop(session.key, None)

    def end_all(self, but: str = "") -> None:
        """End every one, as who may do what has changed; but for those by `but`."""
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
