"""Compile a snapshot once for all permission questions; one question runs at a time."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import wraps
from typing import ParamSpec, TypeVar

from answerable.model.inventory import Inventory
from answerable.services.reach.platform_registry import PLATFORMS

QueryParams = ParamSpec("QueryParams")
QueryResult = TypeVar("QueryResult")
_LOCK = "lock of permission questions"
_PAUSE_SECONDS = 2.0  # that a long query leaves to others at a time


class QueryLock:
    """Reentrant lock of a snapshot whose holder can let waiting queries run."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._guard = threading.Lock()
        self._waiting = 0
        self._depth = 0

    def __enter__(self) -> None:
        if not self._lock.acquire(blocking=False):
            with self._guard:
                self._waiting += 1
            self._lock.acquire()
            with self._guard:
                self._waiting -= 1
        self._depth += 1

    def __exit__(self, *_: object) -> None:
        self._depth -= 1
        self._lock.release()

    def has_waiting(self) -> bool:
        """Return whether a thread waits for the lock."""
        return self._waiting > 0

    def let_waiting_run(self) -> None:
        """Release the lock while others wait for it, for a limited time.

        A lock is given to no waiting thread in particular, so that its holder has to
        wait until they have had it.
        """
        if not self.has_waiting() or self._depth != 1:
            return
        self.__exit__()
        until = time.monotonic() + _PAUSE_SECONDS
        while self.has_waiting() and time.monotonic() < until:
            time.sleep(0.001)
        self.__enter__()


def compile_snapshot(inventory: Inventory, before: Inventory | None = None) -> None:
    """Compile an inventory's policies and grants, for all later reach questions.

    Args:
        before: The previous snapshot of the store, whose results may be reused. Both
            then share a lock, as intermediate results are cached.
    """
    lock = (before.get_value_if_computed(_LOCK) if before else None) or QueryLock()
    with nullcontext() if before is None else lock_compiled_snapshot(before):
        for platform in PLATFORMS:
            platform.compile_snapshot(inventory, before)
    inventory.get_or_compute_value(_LOCK, lambda _: lock)


@contextmanager
def lock_compiled_snapshot(inventory: Inventory) -> Iterator[None]:
    """Hold the lock of a snapshot while a question uses its compiled policies."""
    lock = inventory.get_value_if_computed(_LOCK)
    with lock if isinstance(lock, QueryLock) else nullcontext():
        yield


def let_waiting_queries_run(inventory: Inventory) -> None:
    """Let queries run that wait for a snapshot, between two parts of a long one."""
    lock = inventory.get_value_if_computed(_LOCK)
    if isinstance(lock, QueryLock):
        lock.let_waiting_run()


def serialize_queries(
    function: Callable[QueryParams, QueryResult],
) -> Callable[QueryParams, QueryResult]:
    """Decorate a use case so that only one query at a time uses a compiled snapshot."""

    @wraps(function)
    def run_locked(*args: QueryParams.args, **named: QueryParams.kwargs) -> QueryResult:
        about = next(each for each in args if isinstance(each, Inventory))
        with lock_compiled_snapshot(about):
            return function(*args, **named)

    return run_locked
