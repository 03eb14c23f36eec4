"""Read a stamp of the transparency log that changes with every entry.

It imports no query engine, so that a command can tell in a millisecond whether what it
verified before is still the newest state of the store.
"""

import hashlib
from pathlib import Path

from answerable.store.durable_files import read_file


def read_log_stamp(root: Path) -> str:
    """Return the digest of the newest checkpoint of a store; empty without one.

    Raises:
        EnvironmentFailure: The store is not readable.
    """
    try:
        return hashlib.sha256(read_file(root / "log" / "checkpoint")).hexdigest()
    except (FileNotFoundError, NotADirectoryError):
        return ""
