"""LRU cache of results over many events: a query is counted once for several pages."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

ResultT = TypeVar("ResultT")
_MOST = 64


class ResultCache(Generic[ResultT]):
    """LRU cache of 64 results; keys include the version of the store."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._results: OrderedDict[Hashable, ResultT] = OrderedDict()

    def get(self, key: Hashable, compute: Callable[[], ResultT]) -> ResultT:
        """Return the result of a key; compute it if it is not cached.

        Args:
            key: Query, visitor scope and version of the store.
            compute: Computes the result on a miss.
        """
        with self._lock:
            if key in self._results:
                self._results.move_to_end(key)
                return self._results[key]
        result = compute()
        with self._lock:
            self._results[key] = result
            while len(self._results) > _MOST:
                self._results.popitem(last=False)
        return result
