"""Three processes write to one store and are killed at random steps: counts are exact."""

import random
import subprocess
import sys
from pathlib import Path

import pytest

from answerable.model.progress import ignore_progress_report
from answerable.store import fsck
from answerable.store.store import EvidenceStore
from tests.store.conftest import NOW

WRITERS, BATCHES, SIZE = 3, 12, 5
# Steps until a kill: some end in the first batch, some seal.
MAX_STEPS = 60
ROUNDS = 60
# Appends the batches that it is given, and says which were acknowledged.
WRITER = """
import os, signal, sys
from pathlib import Path
from answerable.store import durable_files
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

durable_files.crash_hook = count_down
with EvidenceStore.open(place, now=NOW) as store:
    for number, batch in enumerate(batches):
        store.append(events(batch), NOW)
        print(batch, flush=True)
        if number % 4 == 3:
            store.seal(NOW)
    store.seal(NOW)
""".replace("SIZE", str(SIZE))


def start_writer(
    place: Path, writer: int, steps: int, batches: list[int]
) -> "subprocess.Popen[str]":
    words = map(str, (writer, steps, *batches))
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(place), *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )


@pytest.mark.world
@pytest.mark.parametrize("seed", [1, 2])
def test_three_writers_that_are_killed_lose_and_double_nothing(
    tmp_path: Path, seed: int
) -> None:
    place, chance = tmp_path / "store", random.Random(seed)  # noqa: S311 - repeatable
    EvidenceStore.open(place, now=NOW).close()
    left = {writer: list(range(BATCHES)) for writer in range(WRITERS)}
    killed = 0
    for _ in range(ROUNDS):
        running = {
            writer: start_writer(place, writer, chance.randint(1, MAX_STEPS), batches)
            for writer, batches in left.items()
            if batches
        }
        if not running:
            break
        for writer, process in running.items():
            said, errors = process.communicate(timeout=300)
            assert process.returncode in {0, -9}, errors
            killed += process.returncode == -9
            # A batch without an answer is repeated, as a sender would.
            known = set(map(int, said.split()))
            left[writer] = [each for each in left[writer] if each not in known]
    assert not any(left.values())
    assert killed > WRITERS
    with EvidenceStore.open(place, now=NOW) as store:
        store.seal(NOW)
        query = "SELECT count(*), count(DISTINCT event_id) FROM events"
        total = (WRITERS + 1) * BATCHES * SIZE
        assert store.run_query(query) == [(total, total)]
        checks = fsck.verify_store(store, None, None, ignore_progress_report)
        assert [each.detail for each in checks if not each.ok] == []
