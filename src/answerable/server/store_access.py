"""Access the store from servers: known and declared agents, creation, the spool."""

import time
from pathlib import Path

from answerable.model.config import Config
from answerable.model.errors import AnswerableError
from answerable.services.inventory import snapshots
from answerable.services.inventory.declared_agents import record_declared_agents
from answerable.store.store import EvidenceStore
from answerable.usecases.evidence.ship_spool import ShipResult, ship_spool

# Seconds that a command waits for another writer, which usually seals in less.
COMMAND_LOCK_TIMEOUT = 3.0


def list_known_agents(store_root: Path) -> tuple[str, ...]:
    """List the agents of the newest snapshot; empty before the first scan.

    Raises:
        EnvironmentFailure: The store may not be read.
        VerificationError: A stored object was altered.
    """
    if not store_root.is_dir():
        return ()
    now = time.time_ns()
    with EvidenceStore.open(store_root, now=now) as store:
        return tuple(snapshots.load_inventory(store).agents)


def create_store(store_root: Path) -> None:
    """Create the store if it does not exist.

    Raises:
        UsageError: The folder holds something else.
        EnvironmentFailure: It may not be written.
    """
    EvidenceStore.open(store_root, now=time.time_ns()).close()


def ship_store_spool(
    store_root: Path, spool: Path, lock_timeout: float | None = None
) -> ShipResult | AnswerableError:
    """Move the audit records in the spool to the evidence store.

    Args:
        store_root: Folder of the store.
        spool: Folder of all recorders' folders.
        lock_timeout: Seconds to wait for another writer of the store; None for no limit.

    Returns:
        The result; or the error, where it stays for a later shipping.
    """
    now = time.time_ns()
    try:
        with EvidenceStore.open(store_root, now=now) as store:
            store.log.lock_timeout = lock_timeout
            return ship_spool(store, spool, now=now)
    except AnswerableError as error:
        return error


def record_agents_of_config(
    store_root: Path, config: Config, read_at: int, lock_timeout: float | None = None
) -> AnswerableError | None:
    """Record in the inventory the agents that `answerable.yaml` declares.

    Args:
        store_root: Folder of the store.
        config: Configuration that is applied.
        read_at: Time at which it was read, UTC nanoseconds.
        lock_timeout: Seconds to wait for another writer of the store; None for no limit.

    Returns:
        The error, where they could not be recorded.
    """
    now = time.time_ns()
    try:
        with EvidenceStore.open(store_root, now=now) as store:
            store.log.lock_timeout = lock_timeout
            record_declared_agents(store, config, read_at=read_at, now=now)
    except AnswerableError as error:
        return error
    return None
