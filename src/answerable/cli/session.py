"""Open the store for one command, and load its inventory."""

import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from answerable.cli.settings import Settings, find_home, find_store
from answerable.model.errors import UsageError
from answerable.model.progress import ProgressCallback, ignore_progress_report

if TYPE_CHECKING:
    from answerable.model.inventory import Inventory
    from answerable.store.store import EvidenceStore


class StoreSession:
    """Open store, with the start time of the command.

    Attributes:
        snapshot: The snapshot named with `STORE@SNAPSHOT`, empty for the latest.
        now: UTC nanoseconds.
        progress: Receives the stages of what is derived for this command.
    """

    def __init__(self, store: "EvidenceStore", snapshot: str, now: int) -> None:
        self.store = store
        self.snapshot = snapshot
        self.now = now
        self.progress: ProgressCallback = ignore_progress_report

    @property
    def home(self) -> Path:
        """Home directory of the user; refused if none is known."""
        return find_home()

    def load_inventory(self, progress: "ProgressCallback | None" = None) -> "Inventory":
        """Load the inventory snapshot that the command works on.

        Args:
            progress: Receives the stages of what is derived from it.
        """
        from answerable.services.inventory import snapshots

        if progress is None:
            return snapshots.load_inventory(self.store, self.snapshot)
        return snapshots.load_inventory(self.store, self.snapshot, progress=progress)


@contextmanager
def open_session(
    settings: Settings, *, create: bool = False, writes: bool = False
) -> Iterator[StoreSession]:
    """Open the store that the settings name, for the duration of one command.

    Only commands that add data create a missing store: a mistyped path is an error, and
    nothing is created there.

    Args:
        settings: Settings with the store.
        create: Create a missing store; implies `writes`.
        writes: The command writes, so that no snapshot may be named.

    Raises:
        UsageError: The store is missing and `create` is off; or a snapshot is named for
            a command that writes.
    """
    from answerable.store.store import EvidenceStore

    settings.is_repeatable &= not (create or writes)
    root, snapshot = find_store(settings)
    if snapshot and (create or writes):
        raise UsageError(
            f"snapshots are read-only (got {f'{root.name}@{snapshot}'!r})",
            f"name the store without the snapshot: --store {shlex.quote(str(root))}",
        )
    now = time.time_ns()
    with EvidenceStore.open(root, now=now, create=create) as store:
        yield StoreSession(store, snapshot, now)
