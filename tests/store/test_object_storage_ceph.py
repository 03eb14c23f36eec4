"""A store on a real S3 server: the gateway of Ceph, over TLS, killed and started again."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from answerable.connectors import s3_bucket
from answerable.store import bucket_openers
from answerable.store.store import EvidenceStore
from tests.lake.conftest import make_record
from tests.store.ceph_cluster import ACCESS_KEY, HAS_CEPH, SECRET_KEY, CephCluster
from tests.store.conftest import NOW
from tests.store.s3_machines import (
    check_killed_process,
    count,
    make_root,
    run_killed_writers,
    wrong,
)
from tests.store.test_object_storage import STEPS

BUCKET = "evidence"
pytestmark = [
    pytest.mark.world,
    pytest.mark.skipif(
        not HAS_CEPH, reason="needs Debian's ceph-mon, ceph-osd, radosgw"
    ),
]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CephCluster]:
    running = CephCluster(tmp_path_factory.mktemp("ceph"))
    try:
        boto3.client(
            "s3",
            endpoint_url=running.address,
            region_name="us-east-1",
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
        ).create_bucket(Bucket=BUCKET)
        yield running
    finally:
        running.close()


@pytest.fixture
def place(
    cluster: CephCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """Location of a new store in the cluster."""
    for name, value in {
        "AWS_ENDPOINT_URL_S3": cluster.tls_address,
        "AWS_CA_BUNDLE": str(cluster.authority),
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("answerable.store.remote_log._MAX_AGE", 0.0)
    before = list(bucket_openers)
    bucket_openers[:] = [s3_bucket.open_s3_bucket]
    yield f"s3://{BUCKET}/{tmp_path.name}"
    bucket_openers[:] = before


def test_three_machines_that_are_killed_lose_and_double_nothing(
    place: str, tmp_path: Path
) -> None:
    total = run_killed_writers(tmp_path, place)
    for name in "abcd":
        with EvidenceStore.open(make_root(tmp_path, name, place), now=NOW) as store:
            assert count(store) == (total, total)
            assert wrong(store) == []


@pytest.mark.parametrize("step", ["remote-key", "remote-created", *STEPS])
def test_a_process_killed_at_a_step_loses_and_doubles_nothing(
    place: str, tmp_path: Path, step: str
) -> None:
    check_killed_process(tmp_path, place, step)


def _start(home: Path, place: str, *words: str) -> "subprocess.Popen[str]":
    command = (sys.executable, "-m", "answerable", "--store", place, "-o", "json")
    return subprocess.Popen(
        [*command, "-q", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"XDG_DATA_HOME": str(home)},
    )


def _run(home: Path, place: str, *words: str) -> Any:
    said, errors = _start(home, place, *words).communicate(timeout=600)
    assert said, errors
    return json.loads(said)["items"]


def test_commands_of_two_machines_while_the_server_is_killed(
    cluster: CephCluster, place: str, tmp_path: Path
) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    trail = tmp_path / "trail.json"
    query = ("sql", "SELECT count(*) AS n, count(DISTINCT event_id) AS ids FROM events")
    for number in range(1, 4):
        records = [make_record(n) for n in range(number * 500)]
        trail.write_text(json.dumps({"Records": records}))
        running = _start(first, place, "ingest", f"cloudtrail:{trail}")
        if number > 1:  # the first one creates the store
            cluster.kill_gateway()
            cluster.start_gateway()
        _, errors = running.communicate(timeout=600)
        if running.returncode:  # the server was away for too long
            assert running.returncode == 5, errors
            _run(first, place, "ingest", f"cloudtrail:{trail}")
        expected = [{"n": number * 500, "ids": number * 500}]
        assert _run(first, place, *query) == expected
        if number == 1:
            (folder,) = (first / "answerable-s3").iterdir()
            keys = second / "answerable-s3" / folder.name / "keys"
            shutil.copytree(folder / "keys", keys)
        assert _run(second, place, *query) == expected
    for home in (first, second):
        checks = _run(home, place, "evidence", "verify")
        assert all(each["ok"] for each in checks), checks
