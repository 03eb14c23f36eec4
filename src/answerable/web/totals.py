"""Cache of totals: who pages through an answer has it counted once."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable

_MOST = 64


class TotalCache:
    """The newest 64 totals by question; a key names the version of the store."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._totals: OrderedDict[Hashable, int] = OrderedDict()

    def get(self, key: Hashable, count: Callable[[], int]) -> int:
        """Give the total of a question, counted where it was not before.

        Args:
            key: Names the question, whose it is, and the version of the store.
            count: Counts.
        """
        with self._lock:
            known = self._totals.get(key)
        if known is not None:
            return known
        found = count()
        with self._lock:
            self._totals[key] = found
            while len(self._totals) > _MOST:
                self._totals.popitem(last=False)
        return found
