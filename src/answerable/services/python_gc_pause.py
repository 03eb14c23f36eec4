"""Pause Python's garbage collector while large immutable data is built.

A snapshot of ten thousand identities is millions of small immutable objects. The
collector traverses them repeatedly during a build and finds nothing, which took more
than half of the time.

A full collection in a server stops every request until it has traversed the whole
snapshot. A server therefore runs one over the results of builds only after the inventory
was replaced: an inventory and its evaluators refer to each other, so that reference
counts alone do not free them.
"""

import atexit
import gc
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import count

# Builds between collections of replaced results: a command makes two or three, and
# pays for none.
_COLLECT_EVERY = 8
_BUILD_COUNTER = count(1)
# During a build in a server: a collection of up to 60,000 young objects, and no full one.
_SERVER_THRESHOLDS = (10_000, 5, 1_000_000)

# At interpreter exit, leak checkers of libraries must find it collected.
atexit.register(gc.unfreeze)


class _Builds:
    """Builds that run in the threads of this process.

    Attributes:
        is_server: Whether requests must not wait for a full collection.
    """

    def __init__(self) -> None:
        self.is_server = False
        self._lock = threading.Lock()
        self._running = 0
        self._usual = (0, 0, 0)

    @contextmanager
    def run_without_full_collections(self) -> Iterator[None]:
        """Collect only young objects meanwhile: the cycles that requests leave."""
        with self._lock:
            if not self._running:
                self._usual = gc.get_threshold()
                gc.set_threshold(*_SERVER_THRESHOLDS)
            self._running += 1
        try:
            yield
            gc.collect(1)
            gc.freeze()
        finally:
            with self._lock:
                self._running -= 1
                if not self._running:
                    gc.set_threshold(*self._usual)

    @contextmanager
    def run_without_collections(self) -> Iterator[None]:
        """Disable the collector meanwhile; every eighth time, collect earlier results."""
        if next(_BUILD_COUNTER) % _COLLECT_EVERY == 0:
            collect_replaced_results()
        was = gc.isenabled()
        gc.disable()
        try:
            yield
            gc.freeze()
        finally:
            if was:
                gc.enable()


_builds = _Builds()


def keep_requests_running() -> None:
    """Declare this process a server: no build stops its requests for a collection."""
    _builds.is_server = True


def collect_replaced_results() -> None:
    """Free the results of earlier builds that a newer one replaced."""
    gc.unfreeze()
    gc.collect()


def collect_recent_objects() -> None:
    """Free the cycles of a part of a build, during which the collector is paused."""
    gc.collect(1)


def pause_garbage_collection() -> AbstractContextManager[None]:
    """Pause garbage collection in the context, and never collect its result later.

    In a command, every eighth call collects the results of earlier builds, which were
    released, with their open files.
    """
    if _builds.is_server:
        return _builds.run_without_full_collections()
    return _builds.run_without_collections()
