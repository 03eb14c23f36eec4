"""The store under loss of power: at each of its steps, with torn writes by chance."""

import random
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from answerable.evidence.log_entries import JournalSealed
from answerable.model.errors import AnswerableError
from answerable.model.event import AuditEvent, QuarantinedRecord
from answerable.model.progress import ignore_progress_report
from answerable.store import fsck
from answerable.store.store import EvidenceStore
from tests.faults.counts import Count
from tests.faults.power import PowerLost, losing_power
from tests.store.conftest import NOW, _make

BATCH = 4
BATCHES = 8
BEFORE = 5

Note = Callable[[str], None]


def _batch(number: int) -> list[AuditEvent]:
    return [_make(number * BATCH + each) for each in range(BATCH)]


def _put(store: EvidenceStore, number: int, acknowledge: Note) -> None:
    events = _batch(number)
    store.append(events, NOW)
    for event in events:
        acknowledge(event.event_id.hex())


def work(place: Path, acknowledge: Note) -> None:
    """Do what a store does: append, keep objects and records, seal, and go on."""
    with EvidenceStore.open(place, now=NOW) as store:
        for number in range(4):
            _put(store, number, acknowledge)
        acknowledge(store.put_object("sync", b"one", NOW))
        store.quarantine([QuarantinedRecord("a", 0, "why", b"raw")], NOW)
        store.seal(NOW)
        _put(store, 4, acknowledge)
        _put(store, 5, acknowledge)
        acknowledge(store.put_object("sync", b"two", NOW))
    with EvidenceStore.open(place, now=NOW) as store:
        _put(store, 6, acknowledge)
        store.seal(NOW)
        _put(store, 7, acknowledge)


def everything() -> list[str]:
    """Give the ids of all events of `work`."""
    return [e.event_id.hex() for number in range(BATCHES) for e in _batch(number)]


def recorded(store: EvidenceStore) -> list[str]:
    """Give the ids of events and the digests of objects that are on record."""
    rows = store.run_query("SELECT lower(hex(event_id)) FROM events")
    return [str(row[0]) for row in rows]


def check(place: Path, acknowledged: set[str], count: Count) -> None:
    """Open what the disk holds: nothing is lost or doubled, and work goes on."""
    with EvidenceStore.open(place, now=NOW) as store:
        found = recorded(store)
        objects = [each.digest for each in store.list_objects("sync")]
        for digest in set(objects):
            store.get_object(digest)
        count.compare(acknowledged, found + list(dict.fromkeys(objects)))
        for each in fsck.verify_store(store, None, None, ignore_progress_report):
            if not each.ok:
                count.complain(f"{each.check}: {each.detail}")
        for number in range(BATCHES):
            store.append(_batch(number), NOW)
        store.seal(NOW)
        if sorted(recorded(store)) != sorted(everything()):
            count.complain("not each event is there once after it was given again")
        left = {e.journal for e in store.log.entries() if isinstance(e, JournalSealed)}
        if not left:
            count.complain("nothing was sealed")
        for each in fsck.verify_store(store, None, None, ignore_progress_report):
            if not each.ok:
                count.complain(f"later, {each.check}: {each.detail}")


def steps_of(place: Path) -> int:
    """Count the steps of the work."""
    with losing_power(place, place, 1 << 30, random.Random(0)) as steps:  # noqa: S311
        work(place, lambda _: None)
    return len(steps)


def lose_power(
    seeds: int, seed: int, every: int = 1, deaf: str = ""
) -> Iterator[Count]:
    """Lose the power at each step, several times; torn writes differ by the seed.

    Args:
        seeds: How often at each step.
        seed: The first one.
        every: Take each such step, and leave out those between.
        deaf: Ending of the files whose syncs are ignored, to see that it is found.
    """
    count = Count("power lost: torn writes, lost fsyncs")
    root = Path(tempfile.mkdtemp(prefix="answerable-power-"))
    try:
        total = steps_of(root / "whole")
        for step in range(seed % every, total, every):
            for number in range(seed, seed + seeds):
                chance = random.Random(f"{number} {step}")  # noqa: S311 - no secret
                _lose(root / f"{step}-{number}", step, chance, count, deaf)
    finally:
        shutil.rmtree(root)
    yield count


def _lose(
    folder: Path, step: int, chance: random.Random, count: Count, deaf: str
) -> None:
    place, target = folder / "store", folder / "after"
    folder.mkdir()
    acknowledged: set[str] = set()
    with suppress(PowerLost), losing_power(place, target, step, chance, deaf) as steps:
        work(place, acknowledged.add)
    one = Count("")
    try:
        check(target, acknowledged, one)
    except AnswerableError as error:
        one.complain(error.message)
    count.tried += 1
    count.acknowledged += one.acknowledged
    count.lost += one.lost
    count.doubled += one.doubled
    for each in one.wrong:
        count.complain(f"step {step} ({steps[-1]}): {each}")
    shutil.rmtree(folder)
