"""Log files that notifications in a queue name are read once; then they are deleted."""

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from msgspec.structs import replace

from answerable.cli.main import main
from answerable.collector import source_run
from answerable.collector.run_result import RunResult
from answerable.connectors.cloudtrail import bucket_listing, live
from answerable.connectors.cloudtrail.parse.notifications import (
    LogObject,
    NotificationError,
    parse_notification,
)
from answerable.store.collection_state import read_unread_logs
from answerable.store.store import EvidenceStore
from answerable.usecases.evidence import ingest_logs
from tests.collector.log_files import write_log
from tests.collector.running_collector import wait_until

BUCKET = "trail-bucket"
ACCOUNT = "111122223333"
PREFIX = f"AWSLogs/o-a1b2c3d4e5/{ACCOUNT}/CloudTrail/eu-central-1/2026/11/28"


def s3_event(key: str, bucket: str = BUCKET) -> dict[str, Any]:
    entity = {"bucket": {"name": bucket}, "object": {"key": key, "sequencer": "0A"}}
    return {"Records": [{"eventName": "ObjectCreated:Put", "s3": entity}]}


def sns(message: Mapping[str, Any]) -> dict[str, Any]:
    return {"Type": "Notification", "MessageId": "1", "Message": json.dumps(message)}


def trail_message(key: str) -> dict[str, Any]:
    return {"s3Bucket": BUCKET, "s3ObjectKey": [key]}


def bridge_event(key: str) -> dict[str, Any]:
    named = {"bucket": {"name": BUCKET}, "object": {"key": key}}
    return {"version": "0", "detail-type": "Object Created", "detail": named}


TEST_EVENT = {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": BUCKET}


class Trail:
    """A bucket and a queue in moto, and the runs of the collector."""

    def __init__(self, folder: Path, visibility: int = 60) -> None:
        self.folder, self.store = folder, folder / "store"
        self.s3: Any = boto3.client("s3")
        self.sqs: Any = boto3.client("sqs")
        self.s3.create_bucket(Bucket=BUCKET)
        attributes = {"VisibilityTimeout": str(visibility)}
        made = self.sqs.create_queue(QueueName="trail", Attributes=attributes)
        self.url = made["QueueUrl"]
        self.source = f"cloudtrail:sqs/{self.url},bucket={BUCKET}"

    def put(self, first: int, count: int, prefix: str = PREFIX) -> str:
        """Write a log file, and return its key."""
        path = self.folder / "log.json"
        write_log(path, first, count)
        key = f"{prefix}/{ACCOUNT}_CloudTrail_{first}.json.gz"
        self.s3.put_object(
            Bucket=BUCKET, Key=key, Body=gzip.compress(path.read_bytes())
        )
        return key

    def send(self, body: object) -> None:
        text = body if isinstance(body, str) else json.dumps(body)
        self.sqs.send_message(QueueUrl=self.url, MessageBody=text)

    def run(self) -> RunResult:
        result = source_run.run_source(self.store, self.source)
        assert not result.failure, result
        return replace(result, newest=0)

    def left(self) -> int:
        """Count the messages that are visible or in flight."""
        return self._count("ApproximateNumberOfMessages") + self.in_flight()

    def in_flight(self) -> int:
        """Count the messages that a run has received, and not yet deleted."""
        return self._count("ApproximateNumberOfMessagesNotVisible")

    def _count(self, name: str) -> int:
        found = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=[name])
        return int(found["Attributes"][name])

    def ids(self) -> list[int]:
        with EvidenceStore.open(self.store, now=1) as store:
            rows = store.run_query("SELECT native_id FROM events ORDER BY native_id")
        return [int(str(row[0]).rpartition("-")[2]) for row in rows]

    def quarantined(self) -> int:
        with EvidenceStore.open(self.store, now=1) as store:
            return len(store.list_objects("quarantine"))


@pytest.fixture
def aws(fresh: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("AWS_ENDPOINT_URL", fresh)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    return fresh


def test_the_objects_of_all_forms_of_notification_are_read(
    aws: str, tmp_path: Path
) -> None:
    trail = Trail(tmp_path)
    forms = [
        s3_event,
        lambda key: sns(s3_event(key)),
        trail_message,
        lambda key: sns(trail_message(key)),
        bridge_event,
    ]
    for number, make in enumerate(forms):
        trail.send(make(trail.put(number * 10, 10)))
    trail.send(TEST_EVENT)
    trail.send(s3_event(trail.put(0, 10)))  # a second notification of the first
    trail.send(s3_event(f"AWSLogs/{ACCOUNT}/CloudTrail-Digest/x.json.gz"))
    assert trail.run() == RunResult(stored=50)
    assert trail.ids() == list(range(50))
    assert trail.left() == 0
    assert trail.run() == RunResult()


def test_a_poison_message_is_quarantined_and_deleted(aws: str, tmp_path: Path) -> None:
    trail = Trail(tmp_path)
    trail.send("no JSON")
    trail.send({"hello": "world"})
    trail.send(s3_event(trail.put(0, 3), bucket="foreign"))
    trail.send(s3_event(trail.put(10, 3)))
    damaged = f"{PREFIX}/damaged.json.gz"
    trail.s3.put_object(Bucket=BUCKET, Key=damaged, Body=b"\x1f\x8bgarbage")
    trail.send(s3_event(damaged))
    result = trail.run()
    assert result.is_partial
    assert any("another bucket" in each for each in result.problems)
    assert trail.ids() == [10, 11, 12]
    assert trail.left() == 0
    assert not trail.run().is_partial  # but what it lost is not forgotten
    with EvidenceStore.open(trail.store, now=1) as store:
        (unread,) = read_unread_logs(store.layout)
    assert (unread.source, unread.quarantined) == (trail.source, 4)
    assert main(["--store", str(trail.store), "trace"]) == 3


def test_a_missing_object_is_read_again_and_then_given_up(
    aws: str, tmp_path: Path
) -> None:
    trail = Trail(tmp_path, visibility=0)  # a message returns at once
    trail.send(s3_event(f"{PREFIX}/gone.json.gz"))
    result = trail.run()
    assert result.is_partial
    assert any("NoSuchKey" in each for each in result.problems)
    while trail.left():
        trail.run()
    assert trail.quarantined() == 1


def test_records_of_another_account_than_their_file_are_a_problem(
    aws: str, tmp_path: Path
) -> None:
    trail = Trail(tmp_path)
    trail.send(s3_event(trail.put(0, 2, PREFIX.replace(ACCOUNT, "999988887777"))))
    (problem,) = trail.run().problems
    assert "2 records belong to another account" in problem
    assert trail.ids() == [0, 1]


def test_a_killed_run_is_repeated_and_stores_each_record_once(
    aws: str, tmp_path: Path
) -> None:
    trail = Trail(tmp_path, visibility=2)
    for number in range(20):
        trail.send(s3_event(trail.put(number * 10, 10)))
    module = "answerable.collector.source_run"
    command = [sys.executable, "-m", module, str(trail.store), trail.source]
    for _ in range(2):
        wait_until(lambda: not trail.in_flight())
        run = subprocess.Popen([*command, str(os.getpid())], stdout=subprocess.PIPE)
        wait_until(lambda: trail.in_flight() or run.poll() is not None)  # noqa: B023 - called here
        assert run.poll() is None  # it has received messages
        run.send_signal(signal.SIGKILL)
        run.communicate()
    deadline = time.monotonic() + 60
    while trail.left():
        assert time.monotonic() < deadline
        trail.run()
    assert trail.ids() == list(range(200))


KILLED_AT = {
    "before records are stored": (ingest_logs, "_append_events"),
    "before records are sealed": (EvidenceStore, "seal"),
    "before messages are deleted": (live._QueueReader, "_delete_messages"),
}


@pytest.mark.parametrize("step", KILLED_AT)
def test_a_run_that_is_killed_at_any_step_stores_each_record_once(
    aws: str, tmp_path: Path, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    trail = Trail(tmp_path, visibility=1)
    for number in range(3):
        trail.send(s3_event(trail.put(number * 10, 10)))
    trail.send("no notification")
    if not (killed := os.fork()):
        monkeypatch.setattr(*KILLED_AT[step], lambda *_: os.kill(os.getpid(), 9))
        trail.run()
        os._exit(0)
    assert os.waitpid(killed, 0)[1] == signal.SIGKILL
    wait_until(lambda: trail.run() and not trail.left())
    assert trail.ids() == list(range(30))
    with EvidenceStore.open(trail.store, now=1) as store:
        assert len(store.list_objects("quarantine")) == 1


def test_a_file_without_a_notification_is_found_by_the_daily_listing(
    aws: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bucket_listing, "MIN_AGE", timedelta(0))
    trail = Trail(tmp_path)
    trail.source += ",list-days=2"
    read: list[str] = []
    get_object = live._QueueReader._read_object

    def record(self: Any, named: LogObject, *rest: Any) -> Any:
        read.append(named.key.rpartition("_")[2])
        return get_object(self, named, *rest)

    monkeypatch.setattr(live._QueueReader, "_read_object", record)
    today = f"{datetime.now(UTC):%Y/%m/%d}"
    other = PREFIX.replace("2026/11/28", today).replace("o-a1b2c3d4e5/", "")
    trail.send(s3_event(trail.put(0, 2, other)))
    trail.put(10, 2, other)  # its notification is lost
    trail.put(20, 2, other.replace("eu-central-1", "us-east-1"))
    trail.put(30, 2, other.replace(today, "2024/01/02"))  # before the listed days
    assert trail.run().stored == 6
    assert trail.ids() == [0, 1, 10, 11, 20, 21]
    assert read == ["0.json.gz", "10.json.gz", "20.json.gz"]  # each once
    trail.put(40, 2, other)
    assert trail.run() == RunResult()  # listed a moment ago
    monkeypatch.setattr(live, "INTERVAL", 0)
    assert trail.run().stored == 2
    assert read[3:] == ["40.json.gz"]
    assert trail.run() == RunResult()


def test_a_bucket_that_cannot_be_listed_is_a_problem_and_tried_again(
    aws: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trail = Trail(tmp_path)
    trail.source += ",list-days=2"

    def refuse(*_: object) -> Iterator[object]:
        yield from ()
        raise ClientError({"Error": {"Code": "AccessDenied"}}, "ListObjectsV2")

    monkeypatch.setattr(live, "list_recent_log_files", refuse)
    for _ in range(2):
        (problem,) = trail.run().problems
        assert "cannot be listed (got AccessDenied)" in problem


@pytest.mark.parametrize("days", ["-1", "x", "91", ""])
def test_the_days_of_a_listing_are_a_number(tmp_path: Path, days: str) -> None:
    EvidenceStore.open(tmp_path / "store", now=1).close()
    source = f"cloudtrail:sqs/https://q.example/q,bucket=b,list-days={days}"
    failure = source_run.run_source(tmp_path / "store", source).failure
    assert "list-days is invalid" in failure


def test_a_queue_needs_its_bucket(tmp_path: Path) -> None:
    EvidenceStore.open(tmp_path / "store", now=1).close()
    source = "cloudtrail:sqs/https://sqs.eu-central-1.amazonaws.com/1/q"
    assert (
        "bucket is missing" in source_run.run_source(tmp_path / "store", source).failure
    )


@pytest.mark.parametrize(
    ("body", "objects"),
    [
        (s3_event("a%3Db+c.json"), (LogObject(BUCKET, "a=b c.json"),)),
        (bridge_event("a%3Db"), (LogObject(BUCKET, "a%3Db"),)),
        (TEST_EVENT, ()),
        (sns(TEST_EVENT), ()),
        ({"Records": []}, ()),
    ],
)
def test_a_notification_names_objects(
    body: Mapping[str, Any], objects: tuple[LogObject, ...]
) -> None:
    assert parse_notification(json.dumps(body)) == objects


@pytest.mark.parametrize(
    "body",
    [
        "",
        "[]",
        "{}",
        '{"Records": [{"s3": 1}]}',
        json.dumps(sns(sns(s3_event("k")))),
        json.dumps({"s3Bucket": "b", "s3ObjectKey": ["k"] * 1001}),
        "[" * 100_000,
    ],
)
def test_other_messages_are_refused(body: str) -> None:
    with pytest.raises(NotificationError):
        parse_notification(body)


@pytest.mark.parametrize(
    ("key", "account"),
    [
        (f"{PREFIX}/{ACCOUNT}_CloudTrail_x.json.gz", ACCOUNT),
        (f"audit/AWSLogs/{ACCOUNT}/CloudTrail/eu-west-1/2026/01/02/x.json.gz", ACCOUNT),
        (f"AWSLogs/{ACCOUNT}/CloudTrail-Digest/eu-west-1/2026/01/02/x.json.gz", ""),
        ("x.json.gz", ""),
    ],
)
def test_the_account_of_a_log_file_is_in_its_key(key: str, account: str) -> None:
    assert LogObject(BUCKET, key).account == account
