"""Delete expired rows from the SQLite tables gradually, along with commits.

The tables have no index on expiry. A cursor walks each table in key order and deletes
expired rows, which is cheaper per row than an index.
"""

from collections.abc import Callable
from typing import Any

from answerable.store.token_state.interface import EXPIRY_MARGIN

COMMITS_PER_SWEEP = 64  # commits of one process between two sweeps

# Table, its key, rows looked at for each commit (more than a commit adds), and which of
# the last ones stay even if they have ended.
_EXPIRING_TABLES = (
    # By the number of the last one, other processes tell that there are more.
    ("used", "number", 8, "AND number < (SELECT max(number) FROM used)"),
    ("delegation", "id", 4, ""),
    ("token", "delegation", 4, ""),
    ("ticket", "sha256", 4, ""),
)


class ExpiryCursors:
    """Cursors over the tables, run within other transactions.

    Args:
        execute: Executes a statement.
        forget: Deletes expired keys outside the tables; returns whether any were.
    """

    def __init__(
        self, execute: Callable[..., Any], forget: Callable[[int], bool]
    ) -> None:
        self._execute, self._forget = execute, forget
        self._commits = 0
        self._hands: dict[str, str | int] = {"used": 0}

    def delete_expired_after_commits(self, now: float, commits: int = 1) -> None:
        """Delete some expired rows after every few commits."""
        self._commits += commits
        if self._commits >= COMMITS_PER_SWEEP:
            self._commits = 0
            self.delete_expired_at_cursors(now, COMMITS_PER_SWEEP)

    def delete_expired_at_cursors(self, now: float, commits: int) -> int:
        """Delete a few expired rows at each table's cursor, and move the cursors on.

        Args:
            now: NumericDate.
            commits: Rows to check, expressed in commits.

        Returns:
            Number of deleted rows.
        """
        limit = int(now) - EXPIRY_MARGIN
        gone = 0
        for table, key, rows, stays in _EXPIRING_TABLES:
            hand = self._hands.get(table, "")
            asked = f"SELECT {key} FROM {table} WHERE {key} >= ? ORDER BY {key} LIMIT 1 OFFSET ?"  # noqa: S608 - our own names
            found = self._execute(asked, (hand, commits * rows)).fetchone()
            until, values = stays, [hand, limit]
            if found is not None:
                until, values = f"AND {key} < ?", [hand, limit, found[0]]
            ends = f"DELETE FROM {table} WHERE {key} >= ? AND expires < ? {until}"  # noqa: S608 - our own names
            gone += self._execute(ends, values).rowcount
            self._hands[table] = found[0] if found else type(hand)()
        if self._forget(limit) or gone:
            self._execute("UPDATE state SET swept = max(swept, ?)", (limit,))
        return gone
