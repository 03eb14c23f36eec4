"""Requests turned away before a decision: counted, and recorded once a second.

Whoever shows nothing can send as fast as the network carries. So such requests leave
one record per reason and second, and never a word of their own.
"""

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

MOST = 256  # different ones within a second; what comes after is told apart by why only
MOST_WHYS = 64  # reasons within a second; what comes after is told by no reason
MOST_OF_AGENT = 32  # of those, of one agent, which nobody else is to pay for
LONGEST = 256  # characters of a server or method
OTHER = "other"  # a reason may quote what was shown, and so be any


class Alike(NamedTuple):
    """What refusals of one count have in common."""

    why: str
    agent: str
    server: str
    method: str


class TurnedAway:
    """Counts of the running second."""

    def __init__(self) -> None:
        self._counts: Counter[Alike] = Counter()
        self._kinds: Counter[str] = Counter()  # different ones, by agent
        self._whys: set[str] = set()

    def count(self, why: str, agent: str, server: str, method: str) -> None:
        """Count one.

        Args:
            why: The reason.
            agent: Whose; empty where no caller was identified.
            server: As configured or asked for; kept for an identified caller only.
            method: Likewise.
        """
        if why not in self._whys and len(self._whys) >= MOST_WHYS:
            why = OTHER
        self._whys.add(why)
        alike = Alike(why, "", "", "")
        if agent:
            told = Alike(why, agent, server[:LONGEST], method[:LONGEST])
            alike = self._with_room(told)
        if alike not in self._counts:
            self._kinds[agent] += 1
        self._counts[alike] += 1

    def take(self) -> Mapping[Alike, int]:
        """Give the counts, and begin anew."""
        counts = self._counts
        self._counts, self._kinds, self._whys = Counter(), Counter(), set()
        return counts

    def _with_room(self, told: Alike) -> Alike:
        """Leave out what there is no room for: what was asked, then who asked."""
        if told in self._counts:
            return told
        if self._kinds[told.agent] >= MOST_OF_AGENT:
            told = told._replace(server="", method="")
        if told not in self._counts and len(self._counts) >= MOST:
            told = told._replace(agent="", server="", method="")
        return told
