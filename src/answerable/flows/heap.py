"""Suspension of Python's cyclic garbage collector while large immutable data is built.

A snapshot of ten thousand identities is millions of small immutable objects. The search
walks over all of them again and again while more are built, and finds nothing: it took
more than half of the time.
"""

import atexit
import gc
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

# So many builds of one process leave what they replaced before it is searched for: a
# command makes two or three, and pays for no search.
_KEPT = 8
_BUILDS = count(1)

# Libraries that count what is left at the end must find it collected.
atexit.register(gc.unfreeze)


@contextmanager
def settled(*, replaces: bool = False) -> Iterator[None]:
    """Suspend collection while building, and exclude the result from later collections.

    Args:
        replaces: Whether what an earlier call built was let go of: it is collected, and
            with it the files that it held open. Every eighth call does so in any case.
    """
    if next(_BUILDS) % _KEPT == 0 or replaces:
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
