"""Spill folders of the query engine: locked by their process, removed after it ended."""

import fcntl
import os
import shutil
import tempfile
import time
from pathlib import Path

SPILL_PREFIX = "answerable-spill-"
_MIN_AGE_SECONDS = 60  # a new folder is locked within this time


class SpillFolder:
    """Spill folder of this process, locked while it is in use."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix=SPILL_PREFIX)
        self.name = self._folder.name
        self._handle = os.open(self.name, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(self._handle, fcntl.LOCK_EX)

    def cleanup(self) -> None:
        """Remove the folder, and unlock it."""
        self._folder.cleanup()
        if self._handle >= 0:
            os.close(self._handle)
        self._handle = -1


def sweep_spill_folders() -> list[str]:
    """Remove spill folders that killed processes of this user left; return their paths."""
    removed: list[str] = []
    for path in sorted(Path(tempfile.gettempdir()).glob(f"{SPILL_PREFIX}*")):
        if _is_abandoned(path):
            shutil.rmtree(path, ignore_errors=True)
            removed.append(str(path))
    return removed


def _is_abandoned(path: Path) -> bool:
    """Return whether a folder is ours, not new, and locked by no process."""
    try:
        facts = path.lstat()
        new = time.time() - facts.st_mtime < _MIN_AGE_SECONDS
        if new or facts.st_uid != os.getuid() or path.is_symlink():
            return False
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(handle)
    return True
