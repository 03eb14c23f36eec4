"""Shipping of a gateway's spool into the store."""

import fcntl
from dataclasses import dataclass
from pathlib import Path

import msgspec

from answerable.connectors.gateway.fetch import Spool, held
from answerable.model.connector import EventLimits
from answerable.model.sighting import Problem
from answerable.presentation.inventory_lists import problem_line
from answerable.services.evidence.ingest import few_collections
from answerable.store.durable_files import refused
from answerable.store.store import Store


@dataclass(frozen=True, slots=True)
class Shipped:
    """Result of shipping a spool.

    Attributes:
        stored: New events.
        duplicate: Events that the store had already.
        conflict: Events that the store had with other bytes; both are kept.
        quarantined: Lines that could not be parsed; they are kept.
        problems: Missing, cut or inconsistent records.
    """

    stored: int
    duplicate: int
    conflict: int
    quarantined: int
    problems: tuple[Problem, ...]


def ship(store: Store, spool: Path, *, now: int) -> Shipped:
    """Store and seal the complete records of a spool, then remove them from it.

    A running call is shipped once it has ended; after a crash of its gateway it is
    shipped with an unknown outcome. Shipping is idempotent after a crash at any step.

    Args:
        spool: Folder of all recorders' folders.
        now: UTC nanoseconds.

    Raises:
        EnvironmentRefused: The store or spool cannot be used, or another process is
            shipping the spool; unsealed records stay in the spool.
    """
    with refused("ship", spool), held(spool, fcntl.LOCK_EX), few_collections():
        reading = Spool(spool)
        shipped = _store(store, reading, now)
        store.seal(now)
        reading.settle()
    return shipped


def _store(store: Store, reading: Spool, now: int) -> Shipped:
    stored = duplicate = conflict = quarantined = 0
    problems: list[Problem] = []
    for batch in reading.batches(EventLimits()):
        appended = store.append(batch.events, now)
        stored += appended.stored
        duplicate += appended.duplicate
        conflict += appended.conflict
        quarantined += store.quarantine(batch.quarantined, now)
        problems += batch.problems
    if problems:  # the spool that shows them is removed
        said = msgspec.json.encode([problem_line(each) for each in problems])
        store.put_object("spool-problems", said, now)
    return Shipped(stored, duplicate, conflict, quarantined, tuple(problems))
