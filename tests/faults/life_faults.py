"""Faults at each step of the life of a store: SIGKILL, an I/O error, loss of power.

    python -m tests.faults.life_faults [--every N] [--seed N] [--only ACT]

Each act works on a copy of a prepared store in a child process, and meets one fault at one
step. Another child opens what is left: it verifies, nothing acknowledged is lost or
doubled, and the act can be repeated.
"""

import argparse
import errno
import json
import os
import random
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from answerable.model.errors import AnswerableError
from answerable.model.progress import ignore_progress_report
from answerable.store import durable_files
from answerable.store.fsck import verify_store
from answerable.store.store import EvidenceStore
from answerable.store.store_layout import STORE_SCHEMA, StoreLayout, read_format
from answerable.store.store_migration import migrate_store
from answerable.store.store_repair import repair_store
from answerable.usecases.evidence.export_checkpoint import export_checkpoint
from tests.faults.counts import Count
from tests.faults.power import PowerLost, losing_power
from tests.store.conftest import NOW, _make
from tests.store.test_life_faults import ACTS as CHANGES
from tests.store.test_life_faults import write

Note = Callable[[str], None]
FAULTS = ("killed", "I/O error", "power lost")
NEW = [_make(1000 + number, source="new") for number in range(12)]
_NEVER = 1 << 30


def change(act: str) -> Callable[[Path, Note], None]:
    """Return an act on the rows of a store."""

    def run(root: Path, acknowledge: Note) -> None:
        with EvidenceStore.open(root, now=NOW) as store:
            CHANGES[act](store)
        acknowledge("done")

    return run


def ingest(root: Path, acknowledge: Note) -> None:
    """Append events in three batches."""
    with EvidenceStore.open(root, now=NOW) as store:
        for at in range(0, 12, 4):
            store.append(NEW[at : at + 4], NOW)
            for each in NEW[at : at + 4]:
                acknowledge(each.event_id.hex())


def seal(root: Path, acknowledge: Note) -> None:
    """Append events, and seal them."""
    ingest(root, acknowledge)
    with EvidenceStore.open(root, now=NOW) as store:
        store.seal(NOW)


def checkpoint(root: Path, acknowledge: Note) -> None:
    """Append to the log, and export its checkpoint."""
    with EvidenceStore.open(root, now=NOW) as store:
        acknowledge(store.put_object("sync", b"one", NOW))
        export_checkpoint(store, str(root.parent / "exported"), now=NOW)
    acknowledge("exported")


def migrate(root: Path, acknowledge: Note) -> None:
    """Migrate a store to a next format, whose step writes a file."""

    def step(layout: StoreLayout) -> None:
        durable_files.write_file(layout.root / "migrated", b"1\n")
        durable_files.mark_crash_point("migration-step")

    migrate_store(root, {STORE_SCHEMA: step}, STORE_SCHEMA + 1)
    acknowledge("done")


ACTS: dict[str, Callable[[Path, Note], None]] = {
    "ingest": ingest,
    "seal": seal,
    "checkpoint": checkpoint,
    **{act: change(act) for act in CHANGES},
    "migrate": migrate,
}


def list_rows(store: EvidenceStore) -> list[str]:
    """List the ids of all events."""
    rows = store.run_query("SELECT lower(hex(event_id)) FROM events")
    return sorted(str(row[0]) for row in rows)


def check(
    root: Path, act: str, acknowledged: set[str], expected: list[list[str]]
) -> Count:
    """Open what is left, verify it, and repeat the act.

    Args:
        root: The store.
        act: The act that met the fault.
        acknowledged: Ids of events and digests that the act acknowledged, and `done`.
        expected: Ids before the act, and after it.
    """
    count = Count("")
    before, after = expected
    if act == "migrate":
        version = read_format(StoreLayout(root), STORE_SCHEMA + 1)
        if version == STORE_SCHEMA and "done" in acknowledged:
            count.complain("the migration is lost")
        migrate(root, lambda _: None)
        if not (root / "migrated").exists():
            count.complain("a step of the migration is lost")
        (root / "format.json").write_bytes(b'{"store":%d}\n' % STORE_SCHEMA)
    with EvidenceStore.open(root, now=NOW) as store:
        repair_store(store, None, NOW, dry_run=False)
        found = list_rows(store)
        objects = {each.digest for each in store.list_objects("sync")}
        ids = {each for each in acknowledged if len(each) >= 32}
        count.compare(ids, found + sorted(objects))
        if not set(before) & set(after) <= set(found) <= set(before) | set(after):
            count.complain("rows are lost, or there are others")
        if "done" in acknowledged and act in CHANGES and found != after:
            count.complain("the change is lost")
        complain_of_failed_checks(store, count)
    ACTS[act](root, lambda _: None)
    if act == "migrate":
        (root / "format.json").write_bytes(b'{"store":%d}\n' % STORE_SCHEMA)
    with EvidenceStore.open(root, now=NOW) as store:
        if list_rows(store) != after:
            count.complain("the repeated act has another result")
        complain_of_failed_checks(store, count)
    return count


def complain_of_failed_checks(store: EvidenceStore, count: Count) -> None:
    """Add the failed checks of a verification."""
    for each in verify_store(store, None, None, ignore_progress_report):
        if not each.ok:
            count.complain(f"{each.check}: {each.detail}")


def in_child(work: Callable[[int], None]) -> tuple[bool, bytes]:
    """Run work in a child; return whether it was not killed, and what it wrote."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        code = 1
        try:
            work(writing)
            code = 0
        except (PowerLost, AnswerableError, OSError) as error:
            code = 0 if isinstance(error, PowerLost) else 3
        finally:
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading, "rb") as file:
        written = file.read()
    _, status = os.waitpid(child, 0)
    return os.WIFEXITED(status) and os.WEXITSTATUS(status) in (0, 3), written


def meet_fault(folder: Path, act: str, fault: str, step: int, seed: int) -> set[str]:
    """Run an act until its step with this number meets the fault; return what it acknowledged."""
    root = folder / "store"

    def work(writing: int) -> None:
        def acknowledge(what: str) -> None:
            os.write(writing, f"{what}\n".encode())

        seen = 0

        def hook(_: str) -> None:
            nonlocal seen
            seen += 1
            if seen == step + 1 and fault == "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            if seen == step + 1:
                raise OSError(errno.EIO, os.strerror(errno.EIO))

        if fault == "power lost":
            chance = random.Random(f"{seed} {act} {step}")  # noqa: S311 - no secret
            with losing_power(root, folder / "after", step, chance):
                ACTS[act](root, acknowledge)
            return
        durable_files.crash_hook = hook
        ACTS[act](root, acknowledge)

    return set(in_child(work)[1].decode().split())


def list_steps(folder: Path, act: str) -> list[str]:
    """List the steps of an act, in order."""

    def work(writing: int) -> None:
        def hook(name: str) -> None:
            os.write(writing, f"{name}\n".encode())

        durable_files.crash_hook = hook
        ACTS[act](folder / "store", lambda _: None)

    return in_child(work)[1].decode().split()


def list_expected_rows(folder: Path, act: str) -> list[list[str]]:
    """List the ids of all events before and after an act."""

    def work(writing: int) -> None:
        found = []
        for number in range(2):
            with EvidenceStore.open(folder / "store", now=NOW) as store:
                found.append(list_rows(store))
            if not number:
                ACTS[act](folder / "store", lambda _: None)
                if act == "migrate":
                    (folder / "store" / "format.json").write_bytes(
                        b'{"store":%d}\n' % STORE_SCHEMA
                    )
        os.write(writing, json.dumps(found).encode())

    return list(json.loads(in_child(work)[1]))


def fault_each_step(
    every: int, seed: int, acts: list[str] | None = None
) -> Iterator[Count]:
    """Bring about each fault at each step of each act.

    Args:
        every: Take each such step, and leave out those between.
        seed: First step, and the seed of torn writes.
        acts: Names of acts; None for all.
    """
    root = Path(tempfile.mkdtemp(prefix="answerable-life-"))
    named: set[tuple[str, str]] = set()
    try:
        in_child(lambda _: write(root / "prepared" / "store"))
        for act in acts or ACTS:
            expected = list_expected_rows(_copy(root, "expected"), act)
            steps = list_steps(_copy(root, "steps"), act)
            for fault in FAULTS:
                count = Count(f"{act}: {fault}")
                for step in range(seed % every, len(steps), every):
                    named.add((act, steps[step]))
                    _try_step(
                        _copy(root, "tried"), act, fault, (step, seed), expected, count
                    )
                # Every Nth step may be none of this act.
                if count.tried or every == 1:
                    yield count
    finally:
        shutil.rmtree(root)
    print(f"{len(named)} named steps of {len({act for act, _ in named})} acts")


def _copy(root: Path, name: str) -> Path:
    """Copy the prepared store into a new folder."""
    shutil.rmtree(root / name, ignore_errors=True)
    shutil.copytree(root / "prepared", root / name)
    return root / name


def _try_step(
    folder: Path,
    act: str,
    fault: str,
    place: tuple[int, int],
    expected: list[list[str]],
    count: Count,
) -> None:
    """Meet one fault, and check what is left."""
    step, seed = place
    acknowledged = meet_fault(folder, act, fault, step, seed)
    left = folder / ("after" if fault == "power lost" else "store")

    def work(writing: int) -> None:
        try:
            one = check(left, act, acknowledged, expected)
        except AnswerableError as error:
            one = Count("")
            one.complain(error.message)
        found = (one.acknowledged, one.lost, one.doubled, one.wrong)
        os.write(writing, json.dumps(found).encode())

    ended, written = in_child(work)
    count.tried += 1
    if not ended or not written:
        count.complain(f"step {step}: the check ended early")
        return
    acknowledged_count, lost, doubled, wrong = json.loads(written)
    count.acknowledged += acknowledged_count
    count.lost += lost
    count.doubled += doubled
    for each in wrong:
        count.complain(f"step {step}: {each}")


def main() -> int:
    """Bring about the faults, print the counts, and fail where something does not hold."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=list(ACTS), action="append")
    said = parser.parse_args()
    holds = True
    for count in fault_each_step(said.every, said.seed, said.only):
        print(count.line(), *count.wrong, sep="\n  ", flush=True)
        holds = holds and (count.holds or not count.tried)
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
