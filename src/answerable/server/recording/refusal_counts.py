"""Counts of requests refused before a decision, recorded once a second.

Unauthenticated clients can send at network speed. So such requests leave one record per
reason and second, without any text of theirs.
"""

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

MOST = 256  # keys within a second; later refusals are counted by reason alone
MOST_WHYS = 64  # reasons within a second; later ones are counted as `OTHER`
MOST_OF_AGENT = 32  # of those, keys of one agent, so that others have room
LONGEST = 256  # characters of a server or method
OTHER = "other"  # reasons may contain input, and so be unbounded


class Alike(NamedTuple):
    """Key of a refusal count."""

    why: str
    agent: str
    server: str
    method: str


class TurnedAway:
    """Counts of the current second."""

    def __init__(self) -> None:
        self._counts: Counter[Alike] = Counter()
        self._kinds: Counter[str] = Counter()  # different ones, by agent
        self._whys: set[str] = set()

    def count(self, why: str, agent: str, server: str, method: str) -> None:
        """Count one refusal.

        Args:
            why: The reason.
            agent: Agent of the caller; empty without an authenticated one.
            server: Configured or requested server; kept for an authenticated caller
                only.
            method: Requested method; kept for an authenticated caller only.
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
        """Return the counts, and reset them."""
        counts = self._counts
        self._counts, self._kinds, self._whys = Counter(), Counter(), set()
        return counts

    def _with_room(self, told: Alike) -> Alike:
        """Shorten a key without room: drop the request, then the caller."""
        if told in self._counts:
            return told
        if self._kinds[told.agent] >= MOST_OF_AGENT:
            told = told._replace(server="", method="")
        if told not in self._counts and len(self._counts) >= MOST:
            told = told._replace(agent="", server="", method="")
        return told
