"""Temporary folders in a store: locked by their process, removed after a crash of it.

A folder that a killed process left keeps links to segments, or copies of events, that
retention and erasure would otherwise have removed.
"""

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from answerable.store.durable_files import make_store_folder, translate_os_errors
from answerable.store.store_layout import StoreLayout

BACKUP_PREFIX = ".backup-"  # in the store
SPARK_PREFIX = "spark-"  # in `derived`
RUNS_PREFIX = "runs-"  # in `derived`


@contextmanager
def make_temporary_folder(parent: Path, prefix: str) -> Iterator[Path]:
    """Make a folder that is locked within the context, and removed after it.

    Folders of this prefix that ended processes left are removed first.

    Raises:
        EnvironmentFailure: It cannot be made.
    """
    make_store_folder(parent)
    _sweep_folders(parent, prefix)
    path = parent / f"{prefix}{secrets.token_hex(8)}"
    # Locked before it has its name: an unlocked folder belongs to no process.
    hidden = parent / f".{path.name}.new"
    make_store_folder(hidden)
    with translate_os_errors("open", hidden):
        handle = os.open(hidden, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with translate_os_errors("lock", hidden):
            fcntl.flock(handle, fcntl.LOCK_EX)
            hidden.rename(path)
        yield path
    finally:
        for each in (path, hidden):
            shutil.rmtree(each, ignore_errors=True)
        os.close(handle)


def sweep_temporary_folders(layout: StoreLayout) -> None:
    """Remove the temporary folders of a store that ended processes left."""
    _sweep_folders(layout.root, BACKUP_PREFIX)
    for prefix in (SPARK_PREFIX, RUNS_PREFIX):
        _sweep_folders(layout.root / "derived", prefix)


def _sweep_folders(parent: Path, prefix: str) -> None:
    """Remove the folders of a prefix that no process has locked."""
    for path in parent.glob(f"{prefix}*"):
        try:
            handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError:  # removed meanwhile, or not a folder
            continue
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path, ignore_errors=True)
        except BlockingIOError:
            continue
        finally:
            os.close(handle)
