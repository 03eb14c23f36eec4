"""What `serve` has to do with the store: whom it knows, and where evidence goes."""

import time
from pathlib import Path

from answerable.flows import snapshots
from answerable.flows.ship import Shipped, ship
from answerable.model.errors import AnswerableError
from answerable.store.store import Store


def known_agents(root: Path) -> tuple[str, ...]:
    """Name the agents of the newest snapshot; none where nothing was scanned.

    Raises:
        EnvironmentRefused: The store may not be read.
        VerificationError: A stored object is not what it was.
    """
    if not root.is_dir():
        return ()
    now = time.time_ns()
    with Store.open(root, now=now) as store:
        return tuple(snapshots.load(store).agents)


def make_store(root: Path) -> None:
    """Make the store where there is none.

    Raises:
        UsageError: The folder holds something else.
        EnvironmentRefused: It may not be written.
    """
    Store.open(root, now=time.time_ns()).close()


def ship_spool(root: Path, spool: Path) -> Shipped | AnswerableError:
    """Store what waits in the spool.

    Returns:
        What became of it; or why it stays where it is, to be shipped later.
    """
    now = time.time_ns()
    try:
        with Store.open(root, now=now) as store:
            return ship(store, spool, now=now)
    except AnswerableError as error:
        return error
