"""Move the decision records of a gateway's spool into the store."""

import fcntl
from dataclasses import dataclass
from pathlib import Path

import msgspec

from answerable.connectors.gateway.fetch import SpoolReader, lock_spool
from answerable.model.connector import EventLimits
from answerable.model.sighting import ReadProblem
from answerable.presentation.answer_coverage import format_problem
from answerable.services.evidence.python_gc_tuning import reduce_garbage_collection
from answerable.store.durable_files import translate_os_errors
from answerable.store.store import EvidenceStore


@dataclass(frozen=True, slots=True)
class ShipResult:
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
    problems: tuple[ReadProblem, ...]


def ship_spool(store: EvidenceStore, spool: Path, *, now: int) -> ShipResult:
    """Store and seal the complete records of a spool, then remove them from it.

    A running call is shipped once it has ended; after a crash of its gateway it is
    shipped with an unknown outcome. Shipping is idempotent after a crash at any step.

    Args:
        spool: Folder of all recorders' folders.
        now: UTC nanoseconds.

    Raises:
        EnvironmentFailure: The store or spool cannot be used, or another process is
            shipping the spool; unsealed records stay in the spool.
    """
    with (
        translate_os_errors("ship", spool),
        lock_spool(spool, fcntl.LOCK_EX),
        reduce_garbage_collection(),
    ):
        reading = SpoolReader(spool)
        shipped = _store_records(store, reading, now)
        store.seal(now)
        reading.remove_shipped()
    return shipped


def _store_records(store: EvidenceStore, reader: SpoolReader, now: int) -> ShipResult:
    """Append the spooled events, and quarantine records that cannot be read."""
    stored = duplicate = conflict = quarantined = 0
    problems: list[ReadProblem] = []
    for batch in reader.read_batches(EventLimits()):
        appended = store.append(batch.events, now)
        stored += appended.stored
        duplicate += appended.duplicate
        conflict += appended.conflict
        quarantined += store.quarantine(batch.quarantined, now)
        problems += batch.problems
    if problems:  # the spool that shows them is removed
        said = msgspec.json.encode([format_problem(each) for each in problems])
        store.put_object("spool-problems", said, now)
    return ShipResult(stored, duplicate, conflict, quarantined, tuple(problems))
