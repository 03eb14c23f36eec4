"""Objects of a store in object storage that are lost or changed, each in turn.

Each answer is right, or the command ends with an error that names the object.
"""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from answerable.cli import main as command_line
from answerable.model.event import QuarantinedRecord
from answerable.store import bucket_openers
from answerable.store.store import EvidenceStore
from tests.lake.conftest import make_record
from tests.lake.test_object_storage_commands import PLACE, Machine
from tests.store.folder_bucket import FolderBucket

COUNT = ("sql", "SELECT count(*) AS n FROM events")
RIGHT = [{"n": 8}]


@dataclass
class Machines:
    """A machine that has read everything, one that has keys only, and their bucket."""

    folder: Path
    bucket: FolderBucket
    warm: Machine
    fresh: Machine

    def keys(self, kind: str) -> list[str]:
        return [key for key in self.bucket.names() if key.startswith(kind)]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with more than one bundle of entries, and the bucket before its last."""
    folder = tmp_path_factory.mktemp("prepared")
    patch = pytest.MonkeyPatch()
    patch.setattr("answerable.store.remote_log._MAX_AGE", 0.0)
    patch.setenv("XDG_DATA_HOME", str(folder / "a"))
    bucket = FolderBucket(folder / "bucket")
    patch.setattr(command_line, "_open_bucket", lambda location: bucket)
    before = list(bucket_openers)
    try:
        for day, numbers in enumerate((range(5), range(5, 8))):
            trail = folder / f"{day}.json"
            trail.write_text(json.dumps({"Records": [make_record(n) for n in numbers]}))
            words = ["--store", PLACE, "-q", "ingest", f"cloudtrail:{trail}"]
            assert command_line.main(words) == 0
            if not day:
                (root,) = (folder / "a" / "answerable-s3").iterdir()
                bucket_openers[:] = [lambda location: bucket]
                with EvidenceStore.open(root, now=1) as store:
                    store.put_object("test", b"{}", 1)
                    store.quarantine([QuarantinedRecord("a.json", 0, "", b"x")], 1)
                    entry = store.log.entries()[-1]
                    store.log.append([entry] * 300, after=(object,))
                shutil.copytree(folder / "bucket", folder / "older")
        words = ["--store", PLACE, "-q", "-o", "json", *COUNT]
        assert command_line.main(words) == 0  # from here on, it has read everything
    finally:
        bucket_openers[:] = before
        patch.undo()
    return folder


@pytest.fixture
def machines(
    prepared: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Machines:
    monkeypatch.setattr("answerable.store.remote_log._MAX_AGE", 0.0)
    monkeypatch.setattr("answerable.store.transparency_log._READ_DELAY", 0.0)
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)
    bucket = FolderBucket(tmp_path / "bucket")
    monkeypatch.setattr(command_line, "_open_bucket", lambda location: bucket)
    warm = Machine(tmp_path / "a", monkeypatch, capsys)
    fresh = Machine(tmp_path / "b", monkeypatch, capsys)
    keys = fresh.home / "answerable-s3" / warm.folder.name / "keys"
    shutil.copytree(warm.folder / "keys", keys)
    return Machines(tmp_path, bucket, warm, fresh)


def remove(machines: Machines, key: str) -> None:
    machines.bucket.path(key).unlink()


def truncate(machines: Machines, key: str) -> None:
    path = machines.bucket.path(key)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(machines: Machines, key: str) -> None:
    machines.bucket.path(key).write_bytes(b"")


def flip(machines: Machines, key: str) -> None:
    data = bytearray(machines.bucket.path(key).read_bytes())
    data[len(data) // 2] ^= 1
    machines.bucket.path(key).write_bytes(data)


def take_older(machines: Machines, key: str) -> None:
    older = FolderBucket(machines.folder / "older")
    kind = key[: key.rindex("/")]
    for each in older.names():
        if each.startswith(kind):
            shutil.copy(older.path(each), machines.bucket.path(key))
            return


KINDS = ("log/checkpoint", "log/key", "log/tail/", "log/tile/", "quarantine/")
FILES = ("segments/", "objects/")


@pytest.mark.parametrize("change", [remove, truncate, empty, flip, take_older])
@pytest.mark.parametrize("kind", [*KINDS, *FILES])
def test_an_object_that_is_lost_or_changed_is_named(
    machines: Machines, kind: str, change: Callable[[Machines, str], None]
) -> None:
    assert len(machines.keys("log/tile/")) == 1
    key = machines.keys(kind)[-1]
    before = machines.bucket.path(key).read_bytes()
    change(machines, key)
    if machines.bucket.path(key).exists() and (
        machines.bucket.path(key).read_bytes() == before
    ):
        return  # it has no older version
    for machine in (machines.warm, machines.fresh):
        for words in (COUNT, ("trace",)):
            code, said = machine.end(*words)
            if code == 0:
                assert len(said["items"]) == (1 if words is COUNT else 8)
                assert words is not COUNT or said["items"] == RIGHT
            else:
                assert_named(said, key)
    code, said = machines.warm.end("evidence", "verify")
    assert code == 1
    if isinstance(said, str):
        assert_named(said, key)
    else:
        (failed,) = (each for each in said["items"] if not each["ok"])
        assert key in failed["detail"] or "journal" in failed["check"], failed
        assert failed["hint"]
    code, said = machines.fresh.end("evidence", "verify")
    assert code != 0


def assert_named(said: Any, key: str) -> None:
    assert isinstance(said, str)
    error, hint, *more = said.splitlines()
    assert not more
    assert key in error or "tail" in error or "entries" in error, error
    assert PLACE in error
    assert hint.startswith("hint: ")
    assert "remove keys" not in hint


def test_a_lost_checkpoint_is_not_an_empty_log(
    machines: Machines, tmp_path: Path
) -> None:
    remove(machines, "log/checkpoint")
    before = machines.bucket.names()
    trail = f"cloudtrail:{tmp_path / '0.json'}"
    for words in (COUNT, ("trace",), ("ingest", trail), ("evidence", "verify")):
        for machine in (machines.fresh, machines.warm):
            said = machine.run(*words, code=1)
            assert "error: log/checkpoint is missing in s3://evidence/prod, but" in said
            assert "local folder of the machine that used the store last" in said
            assert "keep all keys" in said
    assert machines.bucket.names() == before
    (local,) = machines.warm.folder.glob("log/checkpoint")
    shutil.copy(local, machines.bucket.path("log/checkpoint"))
    assert machines.fresh.run(*COUNT)["items"] == RIGHT


def test_a_lost_key_is_not_a_missing_store(machines: Machines, tmp_path: Path) -> None:
    remove(machines, "log/key")
    shutil.rmtree(machines.fresh.folder / "keys")
    trail = f"cloudtrail:{tmp_path / '0.json'}"
    for words in (COUNT, ("ingest", trail)):
        said = machines.fresh.run(*words, code=1)
        assert "log/key is missing in s3://evidence/prod, but log/tail/" in said
        assert "keys/log.pub" in said
    assert machines.keys("log/key") == []
    checks = machines.warm.run("evidence", "verify", code=1)["items"]
    (failed,) = (each for each in checks if not each["ok"])
    assert "log/key is missing" in failed["detail"]


def test_a_key_that_did_not_sign_the_checkpoint_is_not_taken(
    machines: Machines,
) -> None:
    key = machines.bucket.path("log/key")
    before = key.read_bytes()
    flip(machines, "log/key")
    shutil.rmtree(machines.fresh.folder / "keys")
    assert "log/key" in machines.fresh.run(*COUNT, code=1)
    assert not (machines.fresh.folder / "keys" / "log.pub").exists()
    key.write_bytes(before)
    assert "copy the folder keys" in machines.fresh.run(*COUNT, code=5)


def test_an_empty_checkpoint_beside_entries_is_not_an_empty_log(
    machines: Machines, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    other = FolderBucket(tmp_path / "other")
    monkeypatch.setattr(command_line, "_open_bucket", lambda location: other)
    empty = Machine(tmp_path / "c", monkeypatch, machines.warm._capsys)
    keys = empty.home / "answerable-s3" / machines.warm.folder.name / "keys"
    shutil.copytree(machines.warm.folder / "keys", keys)
    (keys / "log.pub").unlink()
    trail = f"cloudtrail:{tmp_path / '0.json'}"
    kept: list[bytes] = []
    create = other.create

    def keep(key: str, data: bytes) -> bool:
        kept.extend([data] if key == "log/checkpoint" else [])
        return create(key, data)

    monkeypatch.setattr(other, "create", keep)
    empty.end("ingest", trail)
    machines.bucket.path("log/checkpoint").write_bytes(kept[0])
    monkeypatch.setattr(command_line, "_open_bucket", lambda location: machines.bucket)
    said = machines.fresh.run(*COUNT, code=1)
    assert "log/checkpoint in s3://evidence/prod is that of an empty log, but" in said


def test_damage_in_a_tail_does_not_lose_the_next_append(
    machines: Machines, tmp_path: Path
) -> None:
    (tail,) = machines.keys("log/tail/")
    data = machines.bucket.path(tail).read_bytes()
    machines.bucket.path(tail).write_bytes(b"\xff" + data[1:])
    trail = tmp_path / "more.json"
    trail.write_text(json.dumps({"Records": [make_record(9)]}))
    machines.warm.run("ingest", f"cloudtrail:{trail}")
    assert machines.fresh.run(*COUNT)["items"] == [{"n": 9}]


def test_sql_names_the_logs_that_it_read(machines: Machines) -> None:
    assert machines.warm.run(*COUNT)["coverage"]["seen"] == ["cloudtrail"]


def test_emitted_statements_name_the_objects_of_the_log(machines: Machines) -> None:
    orphan = "segments/day=2026-11-01/left.0000.parquet"
    machines.bucket.create(orphan, b"of an interrupted writer")
    said = machines.warm.run("sql", "--emit", "duckdb")
    made = {each["name"]: each["statement"] for each in said["items"]}
    for key in machines.keys("segments/"):
        wanted = key.endswith(".parquet") and key != orphan
        assert (f"'{PLACE}/{key}'" in made["events_raw"]) == wanted
    assert str(machines.warm.home) not in json.dumps(said)
    assert f"{PLACE}/tables/chains" in made["chains"]
    for words in ((), ("--at", f"{PLACE}/")):
        refused = machines.warm.run("sql", "--emit", "trino", *words, code=2)
        assert "files of writers that were interrupted" in refused
        assert "--at PLACE" in refused
    copied = machines.warm.run("sql", "--emit", "trino", "--at", "s3://copy/x")
    assert "s3://copy/x/segments/" in json.dumps(copied["items"])
