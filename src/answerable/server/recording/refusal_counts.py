"""Count requests refused before a decision; the counts are recorded every second.

Unauthenticated clients can send at network speed. So such requests leave one record per
reason and second, without any text of theirs.
"""

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

MAX_KEYS = 256  # keys within a second; later refusals are counted by reason alone
MAX_REASONS = 64  # reasons within a second; later ones are counted as `OTHER_REASON`
MAX_KEYS_PER_AGENT = 32  # of those, keys of one agent, so that others have room
MAX_TEXT = 256  # characters of a server or method
OTHER_REASON = "other"  # reasons may contain input, and so be unbounded


class RefusalKey(NamedTuple):
    """Key of a refusal count."""

    why: str
    agent: str
    server: str
    method: str


class RefusalCounts:
    """Counts of the current second."""

    def __init__(self) -> None:
        self._counts: Counter[RefusalKey] = Counter()
        self._kinds: Counter[str] = Counter()  # different ones, by agent
        self._whys: set[str] = set()

    def count_refusal(self, reason: str, agent: str, server: str, method: str) -> None:
        """Count a refused request instead of recording each one.

        Args:
            reason: The reason.
            agent: Agent of the caller; empty without an authenticated one.
            server: Configured or requested server; kept for an authenticated caller
                only.
            method: Requested method; kept for an authenticated caller only.
        """
        if reason not in self._whys and len(self._whys) >= MAX_REASONS:
            reason = OTHER_REASON
        self._whys.add(reason)
        alike = RefusalKey(reason, "", "", "")
        if agent:
            told = RefusalKey(reason, agent, server[:MAX_TEXT], method[:MAX_TEXT])
            alike = self._coarsen_key_if_full(told)
        if alike not in self._counts:
            self._kinds[agent] += 1
        self._counts[alike] += 1

    def take_counts(self) -> Mapping[RefusalKey, int]:
        """Return the counts of refused requests by reason, and start from zero."""
        counts = self._counts
        self._counts, self._kinds, self._whys = Counter(), Counter(), set()
        return counts

    def _coarsen_key_if_full(self, key: RefusalKey) -> RefusalKey:
        """Return the key if there is room, else a coarser one that counts more."""
        if key in self._counts:
            return key
        if self._kinds[key.agent] >= MAX_KEYS_PER_AGENT:
            key = key._replace(server="", method="")
        if key not in self._counts and len(self._counts) >= MAX_KEYS:
            key = key._replace(agent="", server="", method="")
        return key
