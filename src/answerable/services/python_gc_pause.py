"""Pause Python's garbage collector while large immutable data is built.

A snapshot of ten thousand identities is millions of small immutable objects. The
collector traverses them repeatedly during a build and finds nothing, which took more
than half of the time.
"""

import atexit
import gc
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

# Builds between collections of replaced results: a command makes two or three, and
# pays for none.
_COLLECT_EVERY = 8
_BUILD_COUNTER = count(1)

# At interpreter exit, leak checkers of libraries must find it collected.
atexit.register(gc.unfreeze)


@contextmanager
def pause_garbage_collection(*, collect_previous: bool = False) -> Iterator[None]:
    """Pause garbage collection in the context, and never collect its result later.

    Args:
        collect_previous: Collect the result of an earlier build, which was released,
            with its open files. Every eighth call collects in any case.
    """
    if next(_BUILD_COUNTER) % _COLLECT_EVERY == 0 or collect_previous:
        gc.unfreeze()
        gc.collect()
    was = gc.isenabled()
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        if was:
            gc.enable()
