"""Lock a state folder exclusively, so that one server at a time uses it.

The lock file contains the path of the store that its server reads, so that a revocation
reaches a server that was started with another store.
"""

import fcntl
import os
from pathlib import Path
from typing import IO

from answerable.model.errors import EnvironmentFailure
from answerable.store.durable_files import (
    make_private_folder,
    make_store_folder,
    open_new_file,
    refuse_root_in_foreign_folder,
)

_MAX_PATH = 4096  # bytes of a path (PATH_MAX)


def lock_state_folder(state_folder: Path, store: Path, server: str) -> IO[bytes]:
    """Create the folder if it is missing, and lock it until the file is closed.

    Args:
        state_folder: State folder of the server.
        store: Folder of the store that it reads.
        server: Name of the server, for the message.

    Raises:
        EnvironmentFailure: It may not be used, or another server has locked it.
    """
    refuse_root_in_foreign_folder(state_folder)
    make_private_folder(state_folder.parent)
    make_store_folder(state_folder, read_only=True)
    try:
        handle = open_new_file(state_folder / "lock", os.O_WRONLY | os.O_APPEND)
        held = os.fdopen(handle, "ab")
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        held.truncate(0)
        held.write(os.fsencode(store.resolve()))
        held.flush()
    except BlockingIOError:
        held.close()
        raise EnvironmentFailure(
            f"another {server} runs with {state_folder}",
            "stop that gateway, or name another folder: `state` in the configuration",
        ) from None
    except OSError as error:
        raise EnvironmentFailure(
            f"cannot use {state_folder} ({error.strerror})",
            "make it writable for the server's user, or name another folder: `state`",
        ) from None
    return held


def is_locked_for_store(state_folder: Path, store: Path) -> bool:
    """Return whether the server that last locked a folder uses this store.

    False for one of an earlier release, which stores no path; True where none ever ran.
    """
    try:
        handle = os.open(
            state_folder / "lock", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
        )
    except OSError:
        return True
    try:
        return os.read(handle, _MAX_PATH) == os.fsencode(store.resolve())
    except OSError:
        return True
    finally:
        os.close(handle)
