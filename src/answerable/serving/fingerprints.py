"""The keyed fingerprint of a secret: the same here as in the store's inventory.

Whoever scans a machine and finds the secret there knows it by the same id.
"""

from collections.abc import Callable
from pathlib import Path

from answerable.store.keys import Keys
from answerable.store.layout import Layout


def fingerprints(store: Path) -> Callable[[str], str]:
    """Give what fingerprints by the key of a store, which is read with the first.

    What it gives raises `EnvironmentRefused` where the key may not be read.
    """
    return Keys(Layout(store)).fingerprint
