"""Scheduled maintenance of the store, and checkpoints that leave the machine."""

import json
import subprocess
from pathlib import Path
from typing import Any

import boto3
import msgspec
import pytest
from moto import mock_aws

from answerable.cli.main import main
from answerable.collector.settings import load_settings
from answerable.collector.source_run import run_source
from answerable.connectors.config.parse.config_faults import ConfigError
from answerable.model.sighting import Snapshot
from answerable.services.lineage import question_files
from answerable.store import large_stores
from answerable.store.chain_file import find_counted_chains
from answerable.store.store import EvidenceStore
from tests.collector.log_files import write_log
from tests.collector.running_collector import collecting, write_config

KEY = "answerable/checkpoint"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    write_log(tmp_path / "logs" / "1.json", 0, 10)
    assert (
        main(
            [
                "--store",
                str(tmp_path / "store"),
                "ingest",
                f"cloudtrail:{tmp_path}/logs",
                "-q",
            ]
        )
        == 0
    )
    return tmp_path / "store"


def ingest_more(store: Path, first: int) -> None:
    write_log(store.parent / "logs" / f"{first}.json", first, 5)
    main(["--store", str(store), "ingest", f"cloudtrail:{store.parent}/logs", "-q"])


def export(store: Path, destination: str) -> int:
    return main(
        ["--store", str(store), "evidence", "checkpoint", "--export", destination, "-q"]
    )


def check(store: Path, capsys: pytest.CaptureFixture[str], name: str) -> Any:
    capsys.readouterr()
    main(["--store", str(store), "doctor", "-o", "json"])
    items = json.loads(capsys.readouterr().out)["items"]
    return [each for each in items if each["check"].startswith(name)]


def size_of(note: bytes) -> int:
    return int(note.split(b"\n")[1])


def git(folder: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *words], capture_output=True, text=True, check=True
    )
    return done.stdout


def test_a_file_is_replaced_unless_the_log_was_rolled_back(
    store: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "out.txt"
    assert not check(store, capsys, "checkpoint")[0]["ok"]
    copy = tmp_path / "copy"
    subprocess.run(["cp", "-a", str(store), str(copy)], check=True)
    assert export(store, str(file)) == 0
    first = file.read_bytes()
    capsys.readouterr()
    main(["--store", str(store), "evidence", "checkpoint", "-o", "json"])
    (item,) = json.loads(capsys.readouterr().out)["items"]
    assert first.decode() == item["note"]
    assert [path.name for path in tmp_path.glob("*out*")] == ["out.txt"]
    ingest_more(store, 100)
    assert export(store, str(file)) == 0
    assert size_of(file.read_bytes()) > size_of(first)
    (line,) = check(store, capsys, "checkpoint")
    assert line["ok"]
    assert str(file) in line["detail"]
    newest = file.read_bytes()
    assert export(copy, str(file)) == 1  # an older copy of the store
    assert "not exported" in capsys.readouterr().err
    assert file.read_bytes() == newest
    file.write_bytes(b"notes of mine\n")
    assert export(store, str(file)) == 1
    assert file.read_bytes() == b"notes of mine\n"
    assert export(store, str(tmp_path / "missing" / "file")) == 5


def test_a_repository_gets_one_commit_for_each_checkpoint(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    remote, clone = tmp_path / "remote", tmp_path / "clone"
    subprocess.run(["git", "init", "-q", "--bare", str(remote)], check=True)
    subprocess.run(["git", "init", "-q", str(clone)], check=True)
    hook = clone / ".git" / "hooks" / "post-commit"
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/hook-ran\n")
    hook.chmod(0o700)
    task = f"checkpoint:git:{clone}"
    assert run_source(store, task).failure == ""
    git(clone, "remote", "add", "origin", str(remote))
    ingest_more(store, 100)
    assert run_source(store, task).failure == ""
    assert run_source(store, task).failure == ""  # unchanged
    assert len(git(remote, "log", "--format=%s").splitlines()) == 2
    note = git(clone, "show", "HEAD:checkpoint").encode()
    (tmp_path / "note").write_bytes(note)
    words = ["evidence", "verify", "--checkpoint", str(tmp_path / "note")]
    assert main(["--store", str(store), *words]) == 0
    assert not (tmp_path / "hook-ran").exists()
    remote.rename(tmp_path / "gone")
    assert "git push failed" in run_source(store, task).failure
    assert (
        "git rev-parse failed"
        in run_source(store, f"checkpoint:git:{tmp_path}").failure
    )


def test_a_bucket_keeps_each_checkpoint_locked(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        s3: Any = boto3.client("s3")
        place = {"LocationConstraint": "eu-central-1"}
        s3.create_bucket(
            Bucket="locked",
            CreateBucketConfiguration=place,
            ObjectLockEnabledForBucket=True,
        )
        s3.create_bucket(Bucket="open", CreateBucketConfiguration=place)
        task = f"checkpoint:s3://locked/{KEY},lock_days=30"
        assert run_source(store, task).failure == ""
        assert run_source(store, task).failure == ""  # unchanged
        ingest_more(store, 100)
        assert run_source(store, task).failure == ""
        versions = s3.list_object_versions(Bucket="locked", Prefix=KEY)["Versions"]
        assert len(versions) == 2
        for each in versions:
            head = s3.head_object(Bucket="locked", Key=KEY, VersionId=each["VersionId"])
            assert head["ObjectLockMode"] == "COMPLIANCE"
            with pytest.raises(s3.exceptions.ClientError, match="AccessDenied"):
                s3.delete_object(Bucket="locked", Key=KEY, VersionId=each["VersionId"])
        refused = run_source(store, f"checkpoint:s3://open/{KEY}").failure
        assert refused.startswith(f"cannot write s3://open/{KEY}")
        missing = run_source(store, f"checkpoint:s3://missing/{KEY}").failure
        assert missing == f"cannot read s3://missing/{KEY} (NoSuchBucket)"


def test_tasks_run_on_schedule_and_are_reported(
    store: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    main(["--store", str(store), "store", "hold", "--reason", "case 7", "-q"])
    ingest_more(store, 100)
    tasks: list[dict[str, object]] = [
        {"task": "checkpoint:out.txt", "every": "1h"},
        {"task": "checkpoint:git:nowhere", "every": "1h"},
        {"task": "compact", "at": ["02:30"]},
        {"task": "retain:1,source=cloudtrail", "every": "1h"},
        {"task": "verify", "every": "1h"},
    ]
    settings = {
        "collector": {"listen": [{"address": "127.0.0.1:0"}], "maintenance": tasks}
    }
    with collecting(tmp_path, settings) as running:
        for task in ("compact", "verify", "retain", f"checkpoint:{tmp_path}/out.txt"):
            running.hear("source.collected", task)
        failed = running.hear("source.failed", f"checkpoint:git:{tmp_path}/nowhere")
        assert "git rev-parse failed" in failed["why"]
        metrics = running.get("/metrics")[1]
        done = 'answerable_collector_last_success_timestamp_seconds{source="compact"}'
        (line,) = [each for each in metrics.splitlines() if each.startswith(done)]
        assert float(line.rpartition(" ")[2]) > 0
        failures = f'answerable_collector_failures{{source="checkpoint:git:{tmp_path}/nowhere"}}'
        assert f"{failures} 1.0" in metrics
        states = json.loads(running.get("/readyz")[1])["sources"]
        assert len(states) == 5
    assert size_of((tmp_path / "out.txt").read_bytes()) > 0
    checks = {each["check"]: each for each in check(store, capsys, "maintenance")}
    assert checks["maintenance compact"]["detail"].startswith("done now")
    assert checks["maintenance verify"]["ok"]
    held = checks["maintenance retain:1,source=cloudtrail"]
    assert held["ok"]
    assert "kept by a legal hold" in held["detail"]
    broken = checks[f"maintenance checkpoint:git:{tmp_path}/nowhere"]
    assert not broken["ok"]
    assert "git rev-parse failed" in broken["detail"]
    with EvidenceStore.open(store, now=1, create=False) as opened:
        ((count,),) = opened.run_query("SELECT count(*) FROM events")
    assert count == 15


def test_a_failed_verification_fails_its_task(store: Path) -> None:
    assert run_source(store, "verify").failure == ""
    ingest_more(store, 100)
    for file in store.glob("segments/*/*.leaves"):
        file.write_bytes(bytes(len(file.read_bytes())))
    assert run_source(store, "verify").failure.startswith("segments: ")


@pytest.mark.parametrize(
    "item",
    [
        {"task": "compact"},
        {"task": "vacuum", "every": "1h"},
        {"task": "retain:0", "every": "1h"},
        {"task": "checkpoint:", "every": "1h"},
        {"every": "1h"},
    ],
)
def test_an_invalid_task_is_refused(tmp_path: Path, item: dict[str, object]) -> None:
    write_config(tmp_path, {"collector": {"maintenance": [item]}})
    with pytest.raises(ConfigError):
        load_settings(str(tmp_path / "answerable.yaml"), None, None)


def test_each_run_writes_the_chains_that_its_changes_need(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A question after a compaction, a removal or a scan finds them derived."""

    def is_derived() -> bool:
        with EvidenceStore.open(store, now=1) as opened:
            return find_counted_chains(opened) is not None

    monkeypatch.setattr(large_stores, "LARGE_STORE_EVENTS", -1)
    monkeypatch.setattr(question_files, "_MAX_AGE", -1)
    ingest_more(store, 10)
    assert is_derived()

    sources = ("compact", "retain:400", f"cloudtrail:{store.parent}/logs")
    for number, source in enumerate(sources):
        scanned = msgspec.json.encode(Snapshot(number, ()))
        with EvidenceStore.open(store, now=1) as opened:
            opened.put_object("snapshot", scanned, number)
        assert not is_derived()
        assert not run_source(store, source).failure
        assert is_derived(), source
