"""Machines that write to one store in S3 and are killed: what must hold after it."""

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from answerable.model.errors import EnvironmentFailure
from answerable.model.progress import ignore_progress_report
from answerable.store import fsck
from answerable.store.remote_store import bind_folder
from answerable.store.store import EvidenceStore
from tests.store.conftest import NOW, _make

WRITERS, BATCHES, SIZE, MAX_STEPS, ROUNDS = 3, 8, 5, 60, 60
WRITER = """
import os, signal, sys
from pathlib import Path
from answerable.connectors import s3_bucket
from answerable.store import bucket_openers, durable_files
from answerable.store.store import EvidenceStore
from tests.store.conftest import NOW, _make

place, writer, steps, *batches = Path(sys.argv[1]), *map(int, sys.argv[2:])
left = steps

def count_down(step):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)

def events(batch):
    first = batch * SIZE
    own = [_make(10_000 * (writer + 1) + n) for n in range(first, first + SIZE)]
    return [*own, *(_make(n) for n in range(first, first + SIZE))]  # of all writers

s3_bucket._FIRST_DELAY = 0.01
bucket_openers[:] = [s3_bucket.open_s3_bucket]
durable_files.crash_hook = count_down
with EvidenceStore.open(place, now=NOW) as store:
    for number, batch in enumerate(batches):
        store.append(events(batch), NOW)
        print(batch, flush=True)
        if number % 4 == 3:
            store.seal(NOW)
    store.seal(NOW)
""".replace("SIZE", str(SIZE))


# Ends itself by SIGKILL at a step, after one acknowledged batch.
ENDED = """
import os, signal, sys
from pathlib import Path
from answerable.connectors import s3_bucket
from answerable.store import bucket_openers, durable_files
from answerable.store.store import EvidenceStore
from tests.store.conftest import NOW, _make

place, step = Path(sys.argv[1]), sys.argv[2]

def end(reached):
    if reached == step:
        os.kill(os.getpid(), signal.SIGKILL)

bucket_openers[:] = [s3_bucket.open_s3_bucket]
durable_files.crash_hook = end
store = EvidenceStore.open(place, now=NOW)
store.append([_make(n) for n in range(10)], NOW)
print("10", flush=True)
store.put_object("sync", b"{}", NOW)
store.append([_make(n) for n in range(5, 20)], NOW)
print("20", flush=True)
store.seal(NOW)
"""


def make_root(folder: Path, name: str, place: str) -> Path:
    """Return the local folder of a machine, with the keys of the first one."""
    root = folder / name
    bind_folder(root, place)
    first = folder / "a" / "keys"
    if name != "a" and not (root / "keys").exists():
        shutil.copytree(first, root / "keys")
    return root


def repeat(call: Callable[[], object]) -> None:
    """Call until it succeeds, as a sender that gets no answer does."""
    for _ in range(20):
        try:
            call()
        except EnvironmentFailure:
            continue
        return
    pytest.fail("it never succeeded")


def count(store: EvidenceStore) -> tuple[object, ...]:
    """Count events, and their distinct ids."""
    query = "SELECT count(*), count(DISTINCT event_id) FROM events"
    return store.run_query(query)[0]


def wrong(store: EvidenceStore) -> list[str]:
    """List the checks of the evidence that fail."""
    checks = fsck.verify_store(store, None, None, ignore_progress_report)
    return [each.detail for each in checks if not each.ok]


def run_killed_writers(folder: Path, place: str) -> int:
    """Let three machines write until all is acknowledged; return the count of events.

    Each is killed at a random step, and started again with what it did not acknowledge.
    """
    chance = random.Random(3)  # noqa: S311 - repeatable
    with EvidenceStore.open(make_root(folder, "a", place), now=NOW) as store:
        repeat(lambda: store.put_object("sync", b"{}", NOW))
    left = {writer: list(range(BATCHES)) for writer in range(WRITERS)}
    killed = 0
    for _ in range(ROUNDS):
        running = {
            writer: subprocess.Popen(
                [
                    *(sys.executable, "-c", WRITER),
                    str(make_root(folder, "abc"[writer], place)),
                    *map(str, (writer, chance.randint(1, MAX_STEPS), *batches)),
                ],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                cwd=Path(__file__).parents[2],
                env=dict(os.environ),
            )
            for writer, batches in left.items()
            if batches
        }
        if not running:
            break
        for writer, process in running.items():
            said, errors = process.communicate(timeout=600)
            assert process.returncode in {0, -9}, errors
            killed += process.returncode == -9
            known = set(map(int, said.split()))
            left[writer] = [each for each in left[writer] if each not in known]
    assert not any(left.values())
    assert killed > WRITERS
    for name in "abc":  # journals that a killed process left
        with EvidenceStore.open(make_root(folder, name, place), now=NOW) as store:
            repeat(lambda: store.seal(NOW))
    return (WRITERS + 1) * BATCHES * SIZE


def check_killed_process(folder: Path, place: str, step: str) -> None:
    """Kill a process at a step; nothing acknowledged is lost, nothing is doubled."""
    root = make_root(folder, "a", place)
    ended = subprocess.run(
        [sys.executable, "-c", ENDED, str(root), step],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert ended.returncode == -9, ended.stderr
    acknowledged = int((ended.stdout.split() or ["0"])[-1])
    with EvidenceStore.open(root, now=NOW) as store:
        store.log.entries()
        assert wrong(store) == []
        ids = {row[0] for row in store.run_query("SELECT event_id FROM events")}
        assert {_make(n).event_id for n in range(acknowledged)} <= ids
        store.append([_make(n) for n in range(20)], NOW)
        store.seal(NOW)
        assert count(store) == (20, 20)
    with EvidenceStore.open(make_root(folder, "b", place), now=NOW) as other:
        assert count(other) == (20, 20)
        assert wrong(other) == []
