"""A store on moto's S3 with injected faults, and writers that are killed."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from answerable.connectors import s3_bucket
from answerable.model.event import AuditEvent
from answerable.store import bucket_openers
from answerable.store.store import EvidenceStore
from tests.store.conftest import NOW
from tests.store.faulty_s3 import BUCKET, FaultyS3, serve_faulty_s3
from tests.store.s3_machines import (
    check_killed_process,
    count,
    make_root,
    repeat,
    run_killed_writers,
    wrong,
)
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


@pytest.mark.parametrize("faulty_s3", [EverySecondRequest()], indirect=True)
def test_every_second_request_fails_and_nothing_is_lost_or_doubled(
    faulty_s3: FaultyS3, tmp_path: Path, make: Make
) -> None:
    with EvidenceStore.open(make_root(tmp_path, "a", PLACE), now=NOW) as first:
        repeat(lambda: first.put_object("sync", b"{}", NOW))
        with EvidenceStore.open(make_root(tmp_path, "b", PLACE), now=NOW) as second:
            repeat(lambda: first.append([make(n) for n in range(20)], NOW))
            repeat(lambda: second.append([make(n) for n in range(10, 30)], NOW))
            repeat(lambda: first.seal(NOW))
            repeat(lambda: second.seal(NOW))
            assert {"refused", "lost", "torn"} <= set(faulty_s3.faults)
            faulty_s3.fault = lambda method, path: ""
            assert wrong(first) == wrong(second) == []
            assert count(first) == count(second) == (30, 30)


@pytest.mark.world
@pytest.mark.parametrize(
    "faulty_s3", [RandomFaults(0.05, 1), RandomFaults(0.05, 2)], indirect=True
)
def test_three_machines_that_are_killed_lose_and_double_nothing(
    faulty_s3: FaultyS3, tmp_path: Path
) -> None:
    total = run_killed_writers(tmp_path, PLACE)
    faulty_s3.fault = lambda method, path: ""
    for name in "abcd":
        with EvidenceStore.open(make_root(tmp_path, name, PLACE), now=NOW) as store:
            assert count(store) == (total, total)
            assert wrong(store) == []


def no_fault(method: str, path: str) -> str:
    return ""


@pytest.mark.world
@pytest.mark.parametrize("faulty_s3", [no_fault], indirect=True)
@pytest.mark.parametrize("step", ["remote-key", "remote-created", *STEPS])
def test_a_process_killed_at_a_step_loses_and_doubles_nothing(
    faulty_s3: FaultyS3, tmp_path: Path, step: str
) -> None:
    check_killed_process(tmp_path, PLACE, step)
