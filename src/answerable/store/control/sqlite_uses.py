"""What is good once, in SQLite: put behind what was used before, and found in memory.

Its keys lie anywhere in their order: in a table of that order each of them would write a
page of its own, to the log and to the file. The table `used` only grows at its end. Each
process has the keys in memory as well, some hundred bytes for each until it has ended,
and first catches up with what others used.
"""

import sqlite3
from collections.abc import Iterable, Sequence

from answerable.store.control.contract import Committed, Outcome, Use

# Octets of a key that name it: half a digest, which is as good as all of it here.
_OCTETS = 16

_BOUNDS = """SELECT epoch, swept, (SELECT ifnull(max(number), 0) FROM used)
    FROM state"""
_OTHERS = "SELECT key, expires FROM used WHERE number > ?"
_USE = "INSERT INTO used (key, expires) VALUES (?, ?)"


class Uses:
    """Sees things once; whatever it is asked is within a transaction that writes.

    Args:
        connection: Whose transactions these are.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._execute, self._many = connection.execute, connection.executemany
        self._seen: set[bytes] = set()
        self._ends: dict[int, list[bytes]] = {}  # what of these ends when
        self._known = 0  # number of the last one among them
        # Of one transaction: epoch and last sweep, what it sees, what ended before it.
        self._epoch = self._swept = self._ended = 0
        self._new: dict[bytes, int] = {}

    def begin(self) -> None:
        """Begin a transaction: catch up with what other processes used."""
        self._epoch, self._swept, last = self._execute(_BOUNDS).fetchone()
        self._new, self._ended = {}, 0
        if last != self._known:
            self._learn(self._execute(_OTHERS, (self._known,)))
            self._known = last

    def committed(self) -> None:
        """Keep what the transaction saw, once it is committed."""
        if self._new:
            # They were put behind the last one: `number` goes on by one for each.
            self._known += len(self._new)
            self._learn(self._new.items())
        if self._ended:  # once in many commits
            for end in [each for each in self._ends if each < self._ended]:
                self._seen.difference_update(self._ends.pop(end))

    def see_all(self, uses: Sequence[Use]) -> bool:
        """See each of them for the first time, or say that one of them is not to be."""
        if any(self._perhaps_seen(use) for use in uses):
            return False
        rows = {use.key[:_OCTETS]: use.expires for use in uses}
        if len(rows) < len(uses) or not self._seen.isdisjoint(rows):
            return False
        self._put(rows)
        return True

    def see(self, uses: Sequence[Use]) -> Committed | None:
        """See one after the other; tell of the first that is not to be."""
        for use in uses:
            key = use.key[:_OCTETS]
            if key in self._seen or key in self._new:
                return Committed(Outcome.SEEN, use)
            if self._perhaps_seen(use):
                return Committed(Outcome.PERHAPS_SEEN, use)
            self._put({key: use.expires})
        return None

    def forget(self, limit: int) -> bool:
        """Forget what ended before a time once this is committed; say whether any did."""
        self._ended = limit
        return any(each < limit for each in self._ends)

    def _put(self, rows: dict[bytes, int]) -> None:
        self._many(_USE, rows.items())
        self._new |= rows

    def _learn(self, rows: Iterable[tuple[bytes, int]]) -> None:
        for key, expires in rows:
            self._seen.add(key)
            self._ends.setdefault(expires, []).append(key)

    def _perhaps_seen(self, use: Use) -> bool:
        return use.since < self._epoch or use.expires < self._swept
