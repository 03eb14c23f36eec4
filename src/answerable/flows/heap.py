"""Python's search for cycles, put off while a story builds what holds none.

A snapshot of ten thousand identities is millions of small immutable objects. The search
walks over all of them again and again while more are built, and finds nothing: it took
more than half of the time.
"""

import atexit
import gc
from collections.abc import Iterator
from contextlib import contextmanager

# Libraries that count what is left at the end must find it collected.
atexit.register(gc.unfreeze)


@contextmanager
def settled() -> Iterator[None]:
    """Build without searching; what was built is left out of later searches."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        if was:
            gc.enable()
