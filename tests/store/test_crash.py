"""A crash or a full disk at any step: nothing acknowledged is lost, nothing doubled."""

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from answerable.model.errors import EnvironmentFailure
from answerable.model.event import AuditEvent
from answerable.model.progress import ignore_progress_report
from answerable.store import durable_files, fsck
from answerable.store.store import EvidenceStore

Make = Callable[..., AuditEvent]

# What a process does that is ended at a step: one batch acknowledged, one more, sealed.
CHILD = """
import importlib.util, os, sys
from pathlib import Path
from answerable.store import durable_files
from answerable.store.store import EvidenceStore

place, conftest, step, count = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
spec = importlib.util.spec_from_file_location("made", conftest)
made = importlib.util.module_from_spec(spec)
spec.loader.exec_module(made)
left = count

def hook(name):
    global left
    if name == step:
        left -= 1
        if left < 0:
            os._exit(77)

store = EvidenceStore.open(Path(place), now=made.NOW)
store.append([made._make(n) for n in range(10)], made.NOW)
print("acknowledged 10", flush=True)
durable_files.crash_hook = hook
store.append([made._make(n) for n in range(5, 20)], made.NOW)
print("acknowledged 20", flush=True)
store.put_object("sync", b"{}", made.NOW)
store.seal(made.NOW)
print("sealed", flush=True)
"""

STEPS = (
    "write",
    "journal-write",
    "journal-written",
    "journal-synced",
    "journal-acknowledged",
    "object-written",
    "object-logged",
    "seal-begin",
    "segment-begin",
    "segment-parquet-write",
    "segment-parquet",
    "segment-leaves",
    "segment-manifest",
    "log-begin",
    "log-entries",
    "log-tiles",
    "log-checkpoint",
    "seal-committed",
    "seal-removed",
)


def ids(store: EvidenceStore) -> list[object]:
    return [row[0] for row in store.run_query("SELECT event_id FROM events ORDER BY 1")]


def wrong(store: EvidenceStore) -> list[str]:
    return [
        c.detail
        for c in fsck.verify_store(store, None, None, ignore_progress_report)
        if not c.ok
    ]


def finish(place: Path, make: Make, now: int, acknowledged: int) -> None:
    """Open the store again: all is there once, verifies, and work goes on."""
    everything = [make(number).event_id for number in range(20)]
    with EvidenceStore.open(place, now=now) as store:
        assert wrong(store) == []
        found = ids(store)
        assert len(found) == len(set(found))
        assert set(everything[:acknowledged]) <= set(found)
        store.append([make(number) for number in range(20)], now)
        assert ids(store) == sorted(everything)
        store.seal(now)
        assert ids(store) == sorted(everything)
        assert wrong(store) == []
        assert list(store.layout.journal.glob("*.log")) == []


@pytest.mark.parametrize(
    ("step", "count"), [*((step, 0) for step in STEPS), ("write", 6), ("log-tiles", 1)]
)
def test_a_process_killed_at_a_step_loses_and_doubles_nothing(
    place: Path, make: Make, now: int, step: str, count: int
) -> None:
    conftest = Path(__file__).with_name("conftest.py")
    child = subprocess.run(
        [sys.executable, "-c", CHILD, str(place), str(conftest), step, str(count)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert child.returncode == 77, child.stderr
    said = [line for line in child.stdout.splitlines() if line.startswith("ack")]
    finish(place, make, now, int(said[-1].split()[1]))


def test_the_steps_of_this_test_are_the_steps_of_the_store(
    place: Path, make: Make, now: int
) -> None:
    seen: list[str] = []
    durable_files.crash_hook = seen.append
    with EvidenceStore.open(place, now=now) as store:
        store.append([make(0)], now)
        store.put_object("sync", b"{}", now)
        store.seal(now)
    assert set(seen) == {*STEPS, "journal-header", "journal-made"}


def full_disk(step: int) -> Callable[[str], None]:
    """Refuse the write with that number, and every later one."""
    writes = 0

    def hook(name: str) -> None:
        nonlocal writes
        if name in (
            "write",
            "journal-write",
            "journal-header",
            "segment-parquet-write",
        ):
            writes += 1
            if writes > step:
                raise OSError(errno.ENOSPC, "No space left on device")

    return hook


@pytest.mark.parametrize("step", range(22))
def test_a_disk_that_is_full_from_some_write_on_is_refused_in_one_line(
    place: Path, make: Make, now: int, step: int
) -> None:
    with EvidenceStore.open(place, now=now) as store:
        store.append([make(number) for number in range(10)], now)
        acknowledged, refusal = 10, None
        durable_files.crash_hook = full_disk(step)
        try:
            store.append([make(number) for number in range(5, 20)], now)
            acknowledged = 20
            store.put_object("sync", b"{}", now)
            store.seal(now)
            store.append([make(100)], now)
            store.seal(now)
        except EnvironmentFailure as error:
            refusal = error
        assert refusal is not None
        assert "No space left" in refusal.message
        assert "\n" not in refusal.message + refusal.hint
        assert "free some space" in refusal.hint
        durable_files.crash_hook = None
        # The same process goes on once there is space.
        assert acknowledged <= len(set(ids(store)))
        assert wrong(store) == []
        store.append([make(number) for number in range(20)], now)
        assert set(ids(store)) >= {make(number).event_id for number in range(20)}
        assert len(ids(store)) == len(set(ids(store)))
        store.seal(now)
        assert wrong(store) == []


@pytest.mark.parametrize("step", ["journal-write", "journal-written"])
def test_a_batch_that_was_refused_half_way_leaves_the_journal_as_it_was(
    place: Path,
    make: Make,
    now: int,
    step: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write = os.write
    with EvidenceStore.open(place, now=now) as store:
        store.append([make(0)], now)
        (journal,) = store.layout.journal.glob("*.log")
        size = journal.stat().st_size

        def half(handle: int, data: bytes) -> int:
            if os.fstat(handle).st_size > size:
                raise OSError(errno.ENOSPC, "No space left on device")
            return write(handle, data[:100])

        def refuse(name: str) -> None:
            if name == step:
                if step == "journal-write":
                    monkeypatch.setattr("os.write", half)
                else:
                    raise OSError(errno.ENOSPC, "No space left on device")

        durable_files.crash_hook = refuse
        with pytest.raises(EnvironmentFailure):
            store.append([make(1)], now)
        durable_files.crash_hook = None
        monkeypatch.setattr("os.write", write)
        assert journal.stat().st_size == size
        assert store.append([make(0), make(1)], now).stored == 1
        assert len(ids(store)) == 2
        store.seal(now)
        assert wrong(store) == []


@pytest.mark.parametrize("step", ["journal-written", "journal-acknowledged"])
def test_a_group_that_could_not_be_taken_back_at_once_is_before_the_next(
    place: Path, make: Make, now: int, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk refuses to cut the journal as well, or a signal comes at the end."""

    def refuse(name: str) -> None:
        if name == step:
            durable_files.crash_hook = None
            raise OSError(errno.EIO, "Input/output error")

    with EvidenceStore.open(place, now=now) as store:
        store.append([make(0)], now)
        with monkeypatch.context() as patch:
            patch.setattr("os.ftruncate", _refused)
            durable_files.crash_hook = refuse
            with pytest.raises((EnvironmentFailure, OSError)):
                store.append([make(number) for number in range(1, 6)], now)
        assert store.append([make(0), make(1)], now).stored == 1
        assert ids(store) == sorted(make(number).event_id for number in range(2))
        assert wrong(store) == []
        store.seal(now)
        assert wrong(store) == []


def _refused(handle: int, length: int) -> None:
    raise OSError(errno.EIO, "Input/output error")


def test_a_batch_torn_in_the_middle_was_never_stored(
    place: Path, make: Make, now: int
) -> None:
    with EvidenceStore.open(place, now=now) as store:
        store.append([make(0)], now)
        (journal,) = store.layout.journal.glob("*.log")
        whole = journal.stat().st_size
        head = journal.with_suffix(".head")
        first = head.read_bytes()
        store.append([make(1)], now)
    data = journal.read_bytes()
    with EvidenceStore.open(place, now=now) as store:
        # The second head file never reached the disk, the second group half.
        head.write_bytes(first)
        journal.write_bytes(data[: whole + (len(data) - whole) // 2])
        assert ids(store) == [make(0).event_id]
        assert wrong(store) == []
        assert store.append([make(0), make(1)], now).stored == 1
        store.seal(now)
        assert len(ids(store)) == 2
        assert wrong(store) == []
