"""LRU cache of result totals, so that paging counts a query only once."""

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
        """Return the total of a key; count it if it is not cached.

        Args:
            key: Query, visitor scope and version of the store.
            count: Counts on a miss.
        """
        with self._lock:
            cached = self._totals.get(key)
        if cached is not None:
            return cached
        total = count()
        with self._lock:
            self._totals[key] = total
            while len(self._totals) > _MOST:
                self._totals.popitem(last=False)
        return total
