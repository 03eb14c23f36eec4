"""Keep what was erased out of derived files that other processes write meanwhile.

An erasure logs what it removes, and deletes all derived files. A process that read the
evidence before writes a derived file of it afterwards. So a file is put in place under a
shared lock, if no erasure was logged since its input was read. The erasure has the lock
alone while it deletes.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator

from answerable.evidence.log_entries import count_erasures
from answerable.model.errors import EnvironmentFailure
from answerable.store.durable_files import translate_os_errors
from answerable.store.store_layout import StoreLayout
from answerable.store.transparency_log import TransparencyLog


@contextlib.contextmanager
def lock_derived_files(layout: StoreLayout, *, alone: bool = False) -> Iterator[None]:
    """Lock the derived files: alone to delete them, with others to put one in place.

    Raises:
        EnvironmentFailure: The log cannot be read.
    """
    with translate_os_errors("lock", layout.log):
        handle = os.open(layout.log, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        yield
    finally:
        os.close(handle)


@contextlib.contextmanager
def put_derived_file(
    layout: StoreLayout, log: TransparencyLog, erasures: int
) -> Iterator[None]:
    """Put a derived file in place within the context.

    Args:
        layout: Layout of the store.
        log: Its log.
        erasures: Number of erasures, counted before the input of the file was read.

    Raises:
        EnvironmentFailure: Something was erased since then; the file is not current.
    """
    with lock_derived_files(layout):
        if count_erasures(log.entries()) != erasures:
            raise EnvironmentFailure(
                "events were erased while a file was derived from them",
                "run the command again",
            )
        yield
