"""Lock of a file that one process holds, waited for within a limit."""

import fcntl
import time
from pathlib import Path

from answerable.model.errors import EnvironmentFailure

_POLL = 0.02  # seconds between two attempts, where the wait is limited


def wait_for_lock(handle: int, timeout: float | None, root: Path) -> None:
    """Lock an open file of a store, within `timeout` seconds where there is one.

    Raises:
        EnvironmentFailure: Another process holds it all that time.
    """
    if timeout is None:
        fcntl.flock(handle, fcntl.LOCK_EX)
        return
    end = time.monotonic() + timeout
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= end:
                raise EnvironmentFailure(
                    f"the store is locked by another process ({root})",
                    "run the command again when it has ended",
                ) from None
        else:
            return
        time.sleep(_POLL)
