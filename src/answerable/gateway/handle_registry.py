"""Register the handles that servers hand out (tasks, `requestState`), with their owner.

Handles are kept as digests and belong to the principal that they were sent to. Each
principal has its own quota, in which the oldest handle is evicted first, so no
principal can evict another's. An evicted handle is like one never seen; a new worker
knows none.

There is a total limit, too. When it is reached, the principal with the most handles
gives up its oldest; of several with as many, the least recently active one. To evict
the only handle of a principal takes as many principals as the total limit.
"""

from collections import OrderedDict
from enum import Enum

MAX_PER_PRINCIPAL = 8192
MAX_TOTAL = 65536

HandleKey = tuple[str, ...]


class HandleOwner(Enum):
    """Owner of a handle, relative to one principal."""

    ITS_OWN = "its own"
    ANOTHERS = "another's"
    UNKNOWN = "unknown"


class HandleRegistry:
    """Handles by the principal that they were sent to.

    Args:
        most: Maximum number of handles of one principal.
        most_of_all: Maximum number of handles in total.
    """

    def __init__(
        self, most: int = MAX_PER_PRINCIPAL, most_of_all: int = MAX_TOTAL
    ) -> None:
        self._most, self._most_of_all = most, most_of_all
        self._owners: dict[
            HandleKey, int
        ] = {}  # number of owners; two may share a handle
        self._of: dict[str, OrderedDict[HandleKey, None]] = {}
        self._sizes = _HandleCountIndex()
        self._held = 0

    def __len__(self) -> int:
        """Return the number of handles."""
        return self._held

    def add(self, key: HandleKey, principal: str) -> None:
        """Register a handle that was sent to a principal."""
        room = self._of.setdefault(principal, OrderedDict())
        if key not in room:
            self._owners[key] = self._owners.get(key, 0) + 1
            self._held += 1
        room[key] = None
        room.move_to_end(key)
        self._sizes.set_handle_count(principal, len(room))
        if len(room) > self._most:
            self._evict_oldest(principal)
        elif self._held > self._most_of_all:
            self._evict_oldest(self._sizes.find_principal_with_most())

    def consume_single_use(self, key: HandleKey, principal: str) -> None:
        """Remove a handle that may be used only once."""
        if self.find_owner(key, principal) is HandleOwner.ITS_OWN:
            del self._of[principal][key]
            self._update_counts_after_removal(key, principal)

    def find_owner(self, key: HandleKey, principal: str) -> HandleOwner:
        """Return whether a handle is the principal's, another's, or unknown."""
        room = self._of.get(principal)
        if room is not None:
            self._sizes.set_handle_count(principal, len(room))
            if key in room:
                return HandleOwner.ITS_OWN
        return HandleOwner.ANOTHERS if key in self._owners else HandleOwner.UNKNOWN

    def _evict_oldest(self, principal: str) -> None:
        """Evict the oldest tracked handle (session, task...) of a principal."""
        oldest, _ = self._of[principal].popitem(last=False)
        self._update_counts_after_removal(oldest, principal)

    def _update_counts_after_removal(self, key: HandleKey, principal: str) -> None:
        """Update the counts of a handle that was removed."""
        self._held -= 1
        self._owners[key] -= 1
        if not self._owners[key]:
            del self._owners[key]
        room = self._of[principal]
        self._sizes.set_handle_count(principal, len(room))
        if not room:
            del self._of[principal]


class _HandleCountIndex:
    """Index of principals by number of handles, with constant-time updates.

    A size changes by one at a time, and so does the largest.
    """

    def __init__(self) -> None:
        self._size_of: dict[str, int] = {}
        self._at: dict[int, OrderedDict[str, None]] = {}  # least recently active first
        self._largest = 0

    def set_handle_count(self, principal: str, size: int) -> None:
        """Set the size of a principal and mark it as the most recently active."""
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

    def find_principal_with_most(self) -> str:
        """Return the principal with the most tracked handles, to evict from it."""
        return next(iter(self._at[self._largest]))
