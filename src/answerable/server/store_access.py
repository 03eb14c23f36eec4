"""Store access of servers: known agents, creation, and shipping of the spool."""

import time
from pathlib import Path

from answerable.model.errors import AnswerableError
from answerable.services.inventory import snapshots
from answerable.store.store import EvidenceStore
from answerable.usecases.evidence.ship_spool import ShipResult, ship_spool


def known_agents(root: Path) -> tuple[str, ...]:
    """List the agents of the newest snapshot; empty before the first scan.

    Raises:
        EnvironmentFailure: The store may not be read.
        VerificationError: A stored object was altered.
    """
    if not root.is_dir():
        return ()
    now = time.time_ns()
    with EvidenceStore.open(root, now=now) as store:
        return tuple(snapshots.load_inventory(store).agents)


def create_store(root: Path) -> None:
    """Create the store if it does not exist.

    Raises:
        UsageError: The folder holds something else.
        EnvironmentFailure: It may not be written.
    """
    EvidenceStore.open(root, now=time.time_ns()).close()


def ship_store_spool(root: Path, spool: Path) -> ShipResult | AnswerableError:
    """Ship the spool to the store.

    Returns:
        The result; or the error, where it stays for a later shipping.
    """
    now = time.time_ns()
    try:
        with EvidenceStore.open(root, now=now) as store:
            return ship_spool(store, spool, now=now)
    except AnswerableError as error:
        return error
