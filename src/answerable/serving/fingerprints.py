"""The keyed fingerprint of a secret: the same here as in the store's inventory.

Whoever scans a machine and finds the secret there knows it by the same id.
"""

from collections.abc import Callable
from pathlib import Path
from threading import Lock

from answerable.store.keys import Keys
from answerable.store.layout import Layout


def fingerprints(store: Path) -> Callable[[str], str]:
    """Give what fingerprints by the key of a store, which is read with the first.

    It may be called by several threads, and raises `EnvironmentRefused` where the key
    may not be read.
    """
    keys, lock = Keys(Layout(store)), Lock()

    def fingerprint(value: str) -> str:
        with lock:  # the first of them may have to make the key
            return keys.fingerprint(value)

    return fingerprint
