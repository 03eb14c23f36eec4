"""A store on moto's S3 with injected faults, and writers that are killed."""

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from answerable.connectors import s3_bucket
from answerable.model.errors import EnvironmentFailure
from answerable.model.event import AuditEvent
from answerable.model.progress import ignore_progress_report
from answerable.store import bucket_openers, fsck
from answerable.store.remote_store import bind_folder
from answerable.store.store import EvidenceStore
from tests.store.conftest import NOW
from tests.store.faulty_s3 import BUCKET, FaultyS3, serve_faulty_s3
from tests.store.test_object_storage import STEPS

Make = Callable[..., AuditEvent]
PLACE = f"s3://{BUCKET}/prod"
KINDS = ("refused", "lost", "torn", "cut", "conflict", "condition")


class RandomFaults:
    """Faults of a share of the requests."""

    def __init__(self, share: float, seed: int) -> None:
        self._share = share
        self._chance = random.Random(seed)  # noqa: S311 - repeatable

    def __call__(self, method: str, path: str) -> str:
        if self._chance.random() >= self._share:
            return ""
        return self._chance.choice(KINDS)


class EverySecondRequest:
    """Each kind of fault in turn, at every second request of a method."""

    def __init__(self) -> None:
        self._counts = {"GET": 0, "PUT": 0, "DELETE": 0}

    def __call__(self, method: str, path: str) -> str:
        self._counts[method] += 1
        turn, again = divmod(self._counts[method], 2)
        kinds = ("refused", "cut") if method == "GET" else KINDS
        return "" if again else kinds[turn % len(kinds)]


@pytest.fixture
def faulty_s3(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[FaultyS3]:
    with serve_faulty_s3(request.param) as (app, address):
        for name, value in {
            "AWS_ENDPOINT_URL_S3": address,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(s3_bucket, "_FIRST_DELAY", 0.001)
        monkeypatch.setattr("answerable.store.remote_log._MAX_AGE", 0.0)
        monkeypatch.setattr("answerable.store.journal_sealing._MAX_DELAY", 0.01)
        before = list(bucket_openers)
        bucket_openers[:] = [s3_bucket.open_s3_bucket]
        yield app
        bucket_openers[:] = before


def make_root(folder: Path, name: str) -> Path:
    root = folder / name
    bind_folder(root, PLACE)
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
    query = "SELECT count(*), count(DISTINCT event_id) FROM events"
    return store.run_query(query)[0]


def wrong(store: EvidenceStore) -> list[str]:
    checks = fsck.verify_store(store, None, None, ignore_progress_report)
    return [each.detail for each in checks if not each.ok]


@pytest.mark.parametrize("faulty_s3", [EverySecondRequest()], indirect=True)
def test_every_second_request_fails_and_nothing_is_lost_or_doubled(
    faulty_s3: FaultyS3, tmp_path: Path, make: Make
) -> None:
    with EvidenceStore.open(make_root(tmp_path, "a"), now=NOW) as first:
        repeat(lambda: first.put_object("sync", b"{}", NOW))
        with EvidenceStore.open(make_root(tmp_path, "b"), now=NOW) as second:
            repeat(lambda: first.append([make(n) for n in range(20)], NOW))
            repeat(lambda: second.append([make(n) for n in range(10, 30)], NOW))
            repeat(lambda: first.seal(NOW))
            repeat(lambda: second.seal(NOW))
            assert {"refused", "lost", "torn"} <= set(faulty_s3.faults)
            faulty_s3.fault = lambda method, path: ""
            assert wrong(first) == wrong(second) == []
            assert count(first) == count(second) == (30, 30)


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


@pytest.mark.world
@pytest.mark.parametrize(
    "faulty_s3", [RandomFaults(0.05, 1), RandomFaults(0.05, 2)], indirect=True
)
def test_three_machines_that_are_killed_lose_and_double_nothing(
    faulty_s3: FaultyS3, tmp_path: Path
) -> None:
    chance = random.Random(3)  # noqa: S311 - repeatable
    with EvidenceStore.open(make_root(tmp_path, "a"), now=NOW) as store:
        repeat(lambda: store.put_object("sync", b"{}", NOW))
    names = "abc"
    left = {writer: list(range(BATCHES)) for writer in range(WRITERS)}
    killed = 0
    for _ in range(ROUNDS):
        running = {
            writer: subprocess.Popen(
                [
                    sys.executable,
                    "-c",
                    WRITER,
                    str(make_root(tmp_path, names[writer])),
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
    for name in names:  # journals that a killed process left
        with EvidenceStore.open(make_root(tmp_path, name), now=NOW) as store:
            repeat(lambda: store.seal(NOW))
    total = (WRITERS + 1) * BATCHES * SIZE
    faulty_s3.fault = lambda method, path: ""
    for name in "abcd":
        with EvidenceStore.open(make_root(tmp_path, name), now=NOW) as store:
            assert count(store) == (total, total)
            assert wrong(store) == []


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


def no_fault(method: str, path: str) -> str:
    return ""


@pytest.mark.world
@pytest.mark.parametrize("faulty_s3", [no_fault], indirect=True)
@pytest.mark.parametrize("step", ["remote-key", "remote-created", *STEPS])
def test_a_process_killed_at_a_step_loses_and_doubles_nothing(
    faulty_s3: FaultyS3, tmp_path: Path, make: Make, step: str
) -> None:
    root = make_root(tmp_path, "a")
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
        assert {make(n).event_id for n in range(acknowledged)} <= ids
        store.append([make(n) for n in range(20)], NOW)
        store.seal(NOW)
        assert count(store) == (20, 20)
    with EvidenceStore.open(make_root(tmp_path, "b"), now=NOW) as other:
        assert count(other) == (20, 20)
        assert wrong(other) == []
