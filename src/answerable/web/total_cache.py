"""Cache of totals, so that paging counts an answer once."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable

_MOST = 64


class TotalCache:
    """LRU cache of 64 totals; keys include the version of the store."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._totals: OrderedDict[Hashable, int] = OrderedDict()

    def get(self, key: Hashable, count: Callable[[], int]) -> int:
        """Return a total, counted on a miss.

        Args:
            key: Query, visitor scope and version of the store.
            count: Counts on a miss.
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
