"""Requests turned away before a decision: counted, and recorded once a second.

Whoever shows nothing can send as fast as the network carries. So such requests leave
one record per reason and second, and never a word of their own.
"""

from typing import NamedTuple

MOST = 256  # different ones within a second; what comes after is told apart by why only
LONGEST = 256  # characters of a server or method


class Alike(NamedTuple):
    """What refusals of one count have in common."""

    why: str
    agent: str
    server: str
    method: str


class TurnedAway:
    """Counts of the running second."""

    def __init__(self) -> None:
        self._counts: dict[Alike, int] = {}

    def count(self, why: str, agent: str, server: str, method: str) -> None:
        """Count one.

        Args:
            why: The reason.
            agent: Whose; empty where no caller was identified.
            server: As configured or asked for; kept for an identified caller only.
            method: Likewise.
        """
        alike = Alike(why, "", "", "")
        if agent and len(self._counts) < MOST:
            alike = Alike(why, agent, server[:LONGEST], method[:LONGEST])
        self._counts[alike] = self._counts.get(alike, 0) + 1

    def take(self) -> dict[Alike, int]:
        """Give the counts, and begin anew."""
        counts, self._counts = self._counts, {}
        return counts
