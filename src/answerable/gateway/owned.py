"""Whose something is that a server handed out, and that comes back from a client.

A `requestState`, a task and a question of a server are known by digests, and belong to
the principal that they were sent to. Each principal has a room of its own, of which the
oldest is forgotten first, so that nobody can make another's be forgotten. Forgotten and
never seen are the same: a worker that starts anew knows nothing.
"""

from collections import OrderedDict
from enum import Enum

MOST = 8192

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
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._owners: dict[Key, int] = {}  # how many; two may be given the same
        self._of: dict[str, OrderedDict[Key, None]] = {}

    def give(self, key: Key, principal: str) -> None:
        """Remember what was handed out."""
        held = self._of.setdefault(principal, OrderedDict())
        if key not in held:
            self._owners[key] = self._owners.get(key, 0) + 1
        held[key] = None
        held.move_to_end(key)
        if len(held) > self._most:
            oldest, _ = held.popitem(last=False)
            self._release(oldest)

    def take(self, key: Key, principal: str) -> None:
        """Forget what a principal has brought back, and may bring back but once."""
        if self.whose(key, principal) is Whose.ITS_OWN:
            del self._of[principal][key]
            self._release(key)

    def whose(self, key: Key, principal: str) -> Whose:
        """Say whose it is."""
        if key in self._of.get(principal, ()):
            return Whose.ITS_OWN
        return Whose.ANOTHERS if key in self._owners else Whose.UNKNOWN

    def _release(self, key: Key) -> None:
        self._owners[key] -= 1
        if not self._owners[key]:
            del self._owners[key]
