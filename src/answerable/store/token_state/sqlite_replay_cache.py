"""Replay cache in SQLite: rejects tokens and proofs that were presented before.

Keys are random: in a table sorted by key each insert would write its own page, to the
log and to the file. The table `used` only grows at its end. Each process also holds the
keys in memory, about a hundred bytes each until expiry, and first loads those that
other processes added.
"""

import sqlite3
from collections.abc import Iterable, Sequence

from answerable.store.token_state.interface import CommitOutcome, CommitResult
from answerable.store.token_state.replay_keys import ReplayKey

# Octets of a key that name it: half a digest, which is as good as all of it here.
_KEY_BYTES = 16

_SELECT_BOUNDS = """SELECT epoch, swept, (SELECT ifnull(max(number), 0) FROM used)
    FROM state"""
_SELECT_NEW_USES = "SELECT key, expires FROM used WHERE number > ?"
_INSERT_USE = "INSERT INTO used (key, expires) VALUES (?, ?)"


class SqliteReplayCache:
    """Replay cache; every method runs within a write transaction.

    Args:
        connection: Connection of these transactions.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._execute, self._many = connection.execute, connection.executemany
        self._seen: set[bytes] = set()
        self._ends: dict[int, list[bytes]] = {}  # what of these ends when
        self._known = 0  # number of the last one among them
        # Of one transaction: epoch and last sweep, what it sees, what ended before it.
        self._epoch = self._swept = self._ended = 0
        self._new: dict[bytes, int] = {}

    def load_keys_of_other_processes(self) -> None:
        """Load the replay keys that other processes recorded since the last load."""
        self._epoch, self._swept, last = self._execute(_SELECT_BOUNDS).fetchone()
        self._new, self._ended = {}, 0
        if last != self._known:
            self._cache_keys(self._execute(_SELECT_NEW_USES, (self._known,)))
            self._known = last

    def cache_committed_keys(self) -> None:
        """Remember in memory the token ids that a commit marked used."""
        if self._new:
            # Rows are appended after the last one: `number` grows by one for each.
            self._known += len(self._new)
            self._cache_keys(self._new.items())
        if self._ended:  # once in many commits
            for end in [each for each in self._ends if each < self._ended]:
                self._seen.difference_update(self._ends.pop(end))

    def record_all_keys(self, uses: Sequence[ReplayKey]) -> bool:
        """Record all keys; False if one was or may have been used before."""
        if any(self._may_have_been_used(use) for use in uses):
            return False
        rows = {use.key[:_KEY_BYTES]: use.expires for use in uses}
        if len(rows) < len(uses) or not self._seen.isdisjoint(rows):
            return False
        self._insert_keys(rows)
        return True

    def record_keys_in_order(self, uses: Sequence[ReplayKey]) -> CommitResult | None:
        """Record keys in order; return the first that may have been used."""
        for use in uses:
            key = use.key[:_KEY_BYTES]
            if key in self._seen or key in self._new:
                return CommitResult(CommitOutcome.SEEN, use)
            if self._may_have_been_used(use):
                return CommitResult(CommitOutcome.PERHAPS_SEEN, use)
            self._insert_keys({key: use.expires})
        return None

    def drop_expired_keys(self, limit: int) -> bool:
        """Drop keys that expired before a time, after the commit; return if any did."""
        self._ended = limit
        return any(each < limit for each in self._ends)

    def _insert_keys(self, rows: dict[bytes, int]) -> None:
        """Insert keys with their expiry into the table `used`."""
        self._many(_INSERT_USE, rows.items())
        self._new |= rows

    def _cache_keys(self, rows: Iterable[tuple[bytes, int]]) -> None:
        """Add keys to the index in memory, grouped by expiry."""
        for key, expires in rows:
            self._seen.add(key)
            self._ends.setdefault(expires, []).append(key)

    def _may_have_been_used(self, use: ReplayKey) -> bool:
        """Return whether the record of an earlier use may be lost or deleted."""
        return use.since < self._epoch or use.expires < self._swept
