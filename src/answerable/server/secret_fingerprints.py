"""Compute keyed fingerprints of secrets, equal to those in the store's inventory.

A scan that finds the secret on a machine gives it the same id.
"""

from collections.abc import Callable
from pathlib import Path
from threading import Lock

from answerable.model.errors import EnvironmentFailure
from answerable.store.store_keys import LogKeys
from answerable.store.store_layout import StoreLayout


def build_fingerprinter(store: Path) -> Callable[[str], str]:
    """Return a function that computes fingerprints with the key of a store.

    It may be called by several threads, and raises `EnvironmentFailure` where the key
    may not be read.
    """
    keys, lock = LogKeys(StoreLayout(store)), Lock()

    def fingerprint(value: str) -> str:
        with lock:  # the first of them may have to make the key
            try:
                return keys.fingerprint(value)
            except EnvironmentFailure as error:
                raise EnvironmentFailure(
                    f"the store {store} cannot be used, and its key identifies "
                    f"credentials in records ({error.message})",
                    "restore this folder, or move it away and start again",
                ) from None

    return fingerprint
