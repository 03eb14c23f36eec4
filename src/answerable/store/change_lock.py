"""Lock of the log for a change of the store, or for its plan."""

import os
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from answerable.store.store import EvidenceStore


def lock_log(store: "EvidenceStore", *, dry_run: bool) -> AbstractContextManager[None]:
    """Lock the log for a change, or for its plan.

    A plan needs no lock where this process cannot write, e.g. on a read-only disk.
    """
    if dry_run and not os.access(store.layout.log / ".lock", os.W_OK):
        return nullcontext()
    return store.log.lock()
