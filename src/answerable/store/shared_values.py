"""Values that the connections of one process to one store compute once for all of them."""

import threading
from collections.abc import Callable
from typing import TypeVar, cast

ValueT = TypeVar("ValueT")


class SharedValues:
    """Values derived from objects that a digest names, the newest one by name."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}
        self._values: dict[str, tuple[str, object]] = {}

    def get(self, name: str, digest: str, compute: Callable[[], ValueT]) -> ValueT:
        """Return the value of a name; of several threads that need it, one computes it.

        Args:
            digest: Identifies the input; another one replaces the value.
        """
        with self._guard:
            lock = self._locks.setdefault(name, threading.Lock())
        with lock:
            known = self._values.get(name)
            if known is None or known[0] != digest:
                known = self._values[name] = digest, compute()
            return cast("ValueT", known[1])
