"""The state folder belongs to one gateway at a time."""

import fcntl
from pathlib import Path
from typing import IO

from answerable.model.errors import EnvironmentRefused
from answerable.store.disk import make_folder


def claim(state: Path) -> IO[bytes]:
    """Make the folder if it is missing, and hold it until the file is closed.

    Raises:
        EnvironmentRefused: It may not be used, or another gateway holds it.
    """
    make_folder(state)
    try:
        held = (state / "lock").open("ab")
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        held.close()
        raise EnvironmentRefused(
            f"another gateway runs with {state}",
            "end that one, or name another folder: `state` in the configuration",
        ) from None
    except OSError as error:
        raise EnvironmentRefused(f"cannot use {state} ({error.strerror})") from None
    return held
