"""Whose something is that a server handed out, and that comes back from a client.

A `requestState`, a task and a question of a server are known by digests, and belong to
the principal that they were sent to. Each principal has a room of its own, of which the
oldest is forgotten first, so that nobody can make another's be forgotten. Forgotten and
never seen are the same: a worker that starts anew knows nothing.

All rooms together have a bound, too. Whoever holds the most then gives up its oldest,
and of several that hold as much the one that was not heard of for longest. So a
principal that holds little keeps it, however much one other asks for: to have the last
thing of it forgotten takes as many principals as the bound has places.
"""

from collections import OrderedDict
from enum import Enum

MOST = 8192
MOST_OF_ALL = 65536

Key = tuple[str, ...]


class Whose(Enum):
    """Whose a thing is, seen from one principal."""

    ITS_OWN = "its own"
    ANOTHERS = "another's"
    UNKNOWN = "unknown"


class Owned:
    """What was handed out, and to whom.

    Args:
        most: How much is remembered of one principal.
        most_of_all: How much is remembered of all together.
    """

    def __init__(self, most: int = MOST, most_of_all: int = MOST_OF_ALL) -> None:
        self._most, self._most_of_all = most, most_of_all
        self._owners: dict[Key, int] = {}  # how many; two may be given the same
        self._of: dict[str, OrderedDict[Key, None]] = {}
        self._sizes = _Sizes()
        self._held = 0

    def __len__(self) -> int:
        """Say how much is remembered."""
        return self._held

    def give(self, key: Key, principal: str) -> None:
        """Remember what was handed out."""
        room = self._of.setdefault(principal, OrderedDict())
        if key not in room:
            self._owners[key] = self._owners.get(key, 0) + 1
            self._held += 1
        room[key] = None
        room.move_to_end(key)
        self._sizes.put(principal, len(room))
        if len(room) > self._most:
            self._forget(principal)
        elif self._held > self._most_of_all:
            self._forget(self._sizes.largest())

    def take(self, key: Key, principal: str) -> None:
        """Forget what a principal has brought back, and may bring back but once."""
        if self.whose(key, principal) is Whose.ITS_OWN:
            del self._of[principal][key]
            self._released(key, principal)

    def whose(self, key: Key, principal: str) -> Whose:
        """Say whose it is; the principal is whoever asks."""
        room = self._of.get(principal)
        if room is not None:
            self._sizes.put(principal, len(room))
            if key in room:
                return Whose.ITS_OWN
        return Whose.ANOTHERS if key in self._owners else Whose.UNKNOWN

    def _forget(self, principal: str) -> None:
        """Forget the oldest thing of a principal."""
        oldest, _ = self._of[principal].popitem(last=False)
        self._released(oldest, principal)

    def _released(self, key: Key, principal: str) -> None:
        self._held -= 1
        self._owners[key] -= 1
        if not self._owners[key]:
            del self._owners[key]
        room = self._of[principal]
        self._sizes.put(principal, len(room))
        if not room:
            del self._of[principal]


class _Sizes:
    """Which principal holds the most; each answer takes the same time.

    A size changes by one at a time, and so does the largest.
    """

    def __init__(self) -> None:
        self._size_of: dict[str, int] = {}
        self._at: dict[int, OrderedDict[str, None]] = {}  # the longest unheard first
        self._largest = 0

    def put(self, principal: str, size: int) -> None:
        """Note how much a principal holds, and that it was heard of."""
        before = self._size_of.pop(principal, 0)
        if before:
            alike = self._at[before]
            del alike[principal]
            if not alike:
                del self._at[before]
        if size:
            self._size_of[principal] = size
            self._at.setdefault(size, OrderedDict())[principal] = None
        self._largest = max(self._largest, size)
        if self._largest not in self._at:
            self._largest -= 1

    def largest(self) -> str:
        """Name who holds the most."""
        return next(iter(self._at[self._largest]))
