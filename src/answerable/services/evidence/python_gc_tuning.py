"""Reduce Python's garbage collection while audit logs are ingested."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

# Events per durable batch: small files share one.
BATCH_SIZE = 10_000


@contextmanager
def reduce_garbage_collection() -> Iterator[None]:
    """Collect garbage less often while batches are read."""
    usual = gc.get_threshold()
    gc.set_threshold(100_000, 50, 100)
    try:
        yield
    finally:
        gc.set_threshold(*usual)
