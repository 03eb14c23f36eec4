"""Backups under load, restored elsewhere: nothing acknowledged is missing."""

import errno
import io
import json
import os
import tarfile
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import zstandard

from answerable.cli import signing
from answerable.cli.main import main
from answerable.model.collection import UnreadLog
from answerable.model.errors import EnvironmentFailure, UsageError
from answerable.server.health_client import check_health
from answerable.store import backup_restore
from answerable.store.backup_archive import add_bytes, open_backup
from answerable.store.backup_keys import decrypt_files, encrypt_files
from answerable.store.collection_state import read_unread_logs, record_unread_log
from answerable.store.store import EvidenceStore
from answerable.store.store_layout import StoreLayout
from answerable.store.store_migration import migrate_store
from answerable.store.temporary_folders import (
    BACKUP_PREFIX,
    make_temporary_folder,
    sweep_temporary_folders,
)
from answerable.store.token_state.sqlite import SqliteTokenState
from answerable.usecases.operations.backup import create_backup, restore_backup
from tests.gateway.serve.running_gateway import Backend, configuration, serving
from tests.store.conftest import NOW, _make
from tests.store.token_state.sample_rows import NOW as SECONDS_NOW
from tests.store.token_state.sample_rows import open_delegation, signing_key

PASSPHRASE = b"correct horse battery staple"


@pytest.fixture(autouse=True)
def human(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signing, "require_human", lambda *_: None)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A store with sealed and open events, an object and a token service."""
    root = tmp_path / "store"
    with EvidenceStore.open(root, now=NOW) as store:
        store.append([_make(number) for number in range(30)], NOW)
        store.seal(NOW)
        store.put_object("note", b"kept", NOW)
        store.append([_make(number) for number in range(30, 40)], NOW)
    (root / "kills").write_text("agent:declared/x\n")
    (root / "derived").mkdir(exist_ok=True)
    (root / "derived" / "lineage.bin").write_text("cache")
    with closing(SqliteTokenState(root / "sts", SECONDS_NOW)) as state:
        open_delegation(state)
        state.publish_signing_key(signing_key("kid-1"))
    keys = root / "sts" / "keys"
    keys.mkdir(mode=0o700)
    (keys / "kid-1.pem").write_text("private")
    return root


def back_up(root: Path, target: Path, passphrase: bytes = PASSPHRASE) -> str:
    with EvidenceStore.open(root, now=NOW, create=False) as store:
        lines = create_backup(
            store,
            target,
            folders={},
            passphrase=passphrase,
            uses_postgres=False,
            now=time.time_ns(),
        )
    return "\n".join(lines)


def restore(target: Path, root: Path, passphrase: bytes = PASSPHRASE) -> dict[str, str]:
    document, _ = restore_backup(
        target, root, folders={}, passphrase=passphrase, now=time.time_ns()
    )
    assert not document.failed, document.items
    return {str(each["check"]): str(each["detail"]) for each in document.items}


def read_ids(root: Path) -> set[str]:
    with EvidenceStore.open(root, now=NOW, create=False) as store:
        store.seal(time.time_ns())
        rows = store.run_query("SELECT native_id FROM events")
    return {str(each) for (each,) in rows}


def test_a_restored_store_has_every_event_and_verifies(
    place: Path, tmp_path: Path
) -> None:
    unread = UnreadLog("cloudtrail:/logs", NOW, 3)
    with EvidenceStore.open(place, now=NOW, create=False) as store:
        record_unread_log(store.layout, unread)
    said = back_up(place, tmp_path / "one.backup")
    assert "keys: included" in said
    found = restore(tmp_path / "one.backup", tmp_path / "other")
    assert found["token service"].startswith("revoked after restore: 1 delegations, 1")
    assert "recorded in the log" in found["restore"]
    other = tmp_path / "other"
    assert read_ids(other) == {f"native-{number}" for number in range(40)}
    assert (other / "kills").read_text() == "agent:declared/x\n"
    assert (other / "sts" / "keys" / "kid-1.pem").read_text() == "private"
    with EvidenceStore.open(other, now=NOW, create=False) as store:
        assert read_unread_logs(store.layout) == (unread,)
    assert not (other / "derived" / "lineage.bin").exists()
    assert other.stat().st_mode & 0o777 == 0o700
    assert main(["--store", str(other), "evidence", "verify"]) == 0


def test_a_compacted_store_restores(place: Path, tmp_path: Path) -> None:
    with EvidenceStore.open(place, now=NOW) as store:
        store.seal(NOW)
    assert main(["--store", str(place), "store", "compact"]) == 0
    back_up(place, tmp_path / "one.backup")
    restore(tmp_path / "one.backup", tmp_path / "other")
    assert len(read_ids(tmp_path / "other")) == 40
    assert not list(place.glob(".backup-*"))


def test_without_a_passphrase_no_key_is_in_the_archive(
    place: Path, tmp_path: Path
) -> None:
    assert "keys: not included" in back_up(place, tmp_path / "one.backup", b"")
    with open_backup(tmp_path / "one.backup") as (manifest, archive, _):
        names = [member.name for member in archive][1:]
    assert not manifest.has_keys
    assert [name for name in names if "key" in name] == ["store/keys/log.pub"]
    assert names[-1] == "store/format.json"
    found = restore(tmp_path / "one.backup", tmp_path / "other", b"")
    assert found["restore"] == "restored without keys: read-only"


def test_a_backup_while_others_write_lacks_nothing_acknowledged(
    place: Path, tmp_path: Path
) -> None:
    acknowledged: list[str] = []
    ending = threading.Event()

    def write() -> None:
        number = 1000
        with EvidenceStore.open(place, now=NOW, create=False) as store:
            while not ending.is_set():
                store.append([_make(number)], NOW)
                acknowledged.append(f"native-{number}")
                number += 1
                if number % 7 == 0:
                    store.seal(NOW)
                if number % 5 == 0:
                    store.put_object("note", str(number).encode(), NOW)

    writers = [threading.Thread(target=write)]
    for each in writers:
        each.start()
    try:
        for turn in range(3):
            while len(acknowledged) < 10 * (turn + 1):
                time.sleep(0.01)
            before = set(acknowledged)
            back_up(place, tmp_path / f"{turn}.backup")
            restore(tmp_path / f"{turn}.backup", tmp_path / f"other-{turn}")
            assert before <= read_ids(tmp_path / f"other-{turn}")
    finally:
        ending.set()
        for each in writers:
            each.join()


def test_a_backup_of_a_running_gateway_has_each_call(
    tmp_path: Path, server: Backend, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = configuration(server.server_port, store=str(tmp_path / "store"))
    del settings["servers"]["files"]["reads"]  # each call is durable, none buffered
    secret = tmp_path / "passphrase"
    secret.write_bytes(PASSPHRASE)
    secret.chmod(0o600)
    with serving(tmp_path, settings) as served:
        for _ in range(5):
            assert "result" in served.call("read")
        words = ("--config", str(tmp_path / "answerable.yaml"))
        words = (*words, "--passphrase", str(secret))
        assert main(["backup", str(tmp_path / "b"), *words]) == 0
        assert check_health(f"http://{served.api}", "/readyz") == ""
    assert "complete until" in capsys.readouterr().out
    other = ("--store", str(tmp_path / "other"))
    assert main(["restore", str(tmp_path / "b"), *other, *words[2:], "-o", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "answerable/verify/v1"
    spool = tmp_path / "other" / "gateway" / "spool"
    main([*other, "ingest", f"gateway:{spool}"])
    capsys.readouterr()
    assert main([*other, "trace", "--action", "mcp:*", "-o", "json"]) in (0, 3)
    assert len(json.loads(capsys.readouterr().out)["items"]) >= 5


def test_a_restore_over_a_newer_store_is_refused(place: Path, tmp_path: Path) -> None:
    back_up(place, tmp_path / "one.backup")
    with EvidenceStore.open(place, now=NOW) as store:
        store.put_object("note", b"later", NOW)
    with pytest.raises(EnvironmentFailure, match="newer than the backup"):
        restore(tmp_path / "one.backup", place)
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "one").write_text("mine")
    with pytest.raises(UsageError, match="not empty"):
        restore(tmp_path / "one.backup", tmp_path / "letters")


def pack(path: Path, *files: tuple[str, bytes], **facts: object) -> Path:
    """Write an archive by hand."""
    facts = {"release": "9", "store": 1, "log_size": 0, "log_root": "", **facts}
    manifest = json.dumps({"complete_until": "1", "has_keys": False, **facts})
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        for name, data in (("backup.json", manifest.encode()), *files):
            add_bytes(archive, name, data)
    path.write_bytes(zstandard.compress(plain.getvalue()))
    return path


@pytest.mark.parametrize(
    ("files", "facts", "what"),
    [
        ([("store/../../out", b"x")], {}, "unexpected path"),
        ([("/etc/passwd", b"x")], {}, "unexpected path"),
        ([("state/other/x", b"x")], {}, "unexpected path"),
        ([], {"store": 2}, "newer release"),
        ([], {"schema": 2}, "newer release"),
        ([], {"folders": ["gateway"]}, "outside the store"),
    ],
)
def test_a_hostile_or_newer_archive_is_refused(
    tmp_path: Path, files: list[tuple[str, bytes]], facts: dict[str, object], what: str
) -> None:
    path = pack(tmp_path / "b", *files, **facts)
    with pytest.raises(UsageError, match=what):
        restore(path, tmp_path / "other", b"")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("cut", [0, 10, 2000])
def test_a_truncated_archive_is_refused(place: Path, tmp_path: Path, cut: int) -> None:
    back_up(place, tmp_path / "b")
    (tmp_path / "b").write_bytes((tmp_path / "b").read_bytes()[:cut])
    with pytest.raises(UsageError, match="not a complete backup"):
        restore(tmp_path / "b", tmp_path / "other")
    assert not (tmp_path / "other" / "format.json").exists()


@pytest.mark.parametrize("part", range(12))
def test_a_changed_byte_of_an_archive_is_found(
    place: Path, tmp_path: Path, part: int
) -> None:
    """Also in what `evidence verify` does not read, e.g. kills."""
    back_up(place, tmp_path / "b")
    data = bytearray((tmp_path / "b").read_bytes())
    data[len(data) * part // 12 + 8] ^= 0x10
    (tmp_path / "b").write_bytes(data)
    # The changed byte may be one of the encrypted keys, which are tried first.
    with pytest.raises(UsageError, match=r"not a complete backup|another passphrase"):
        restore(tmp_path / "b", tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_an_archive_that_ends_at_a_damaged_member_is_refused(tmp_path: Path) -> None:
    path = pack(tmp_path / "b", ("store/kills", b"agent:x\n"))
    with pytest.raises(UsageError, match="the backup is damaged"):
        restore(path, tmp_path / "other", b"")
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("made", [False, True])
def test_a_restore_that_fails_leaves_nothing_and_can_be_repeated(
    place: Path, tmp_path: Path, made: bool
) -> None:
    back_up(place, tmp_path / "b")
    other = tmp_path / "other"
    if made:  # as systemd-tmpfiles does, and a volume
        (other / "lost+found").mkdir(parents=True)
        (other / "segments").mkdir()
        other.chmod(0o2770)
    with pytest.raises(UsageError, match="another passphrase"):
        restore(tmp_path / "b", other, PASSPHRASE + b"x")
    assert other.exists() == made
    if made:
        assert {each.name for each in other.rglob("*")} == {"lost+found", "segments"}
    restore(tmp_path / "b", other)
    assert read_ids(other) == {f"native-{number}" for number in range(40)}
    if made:
        assert (other / "keys" / "log.key").stat().st_mode & 0o7777 == 0o660
        assert (other / "sts").stat().st_mode & 0o077 == 0
        assert (other / "sts" / "keys" / "kid-1.pem").stat().st_mode & 0o077 == 0


def test_state_that_this_user_may_not_read_is_named(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "web").mkdir()
    monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path / "web")
    with (
        EvidenceStore.open(place, now=NOW, create=False) as store,
        pytest.raises(EnvironmentFailure, match="the state of web, cannot be read"),
    ):
        list(
            create_backup(
                store,
                tmp_path / "b",
                folders={"web": tmp_path / "web"},
                passphrase=b"",
                uses_postgres=False,
                now=NOW,
            )
        )
    assert not (tmp_path / "b").exists()


def test_an_unsearchable_target_is_named_not_the_backup(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "backup.tar"
    back_up(place, target)
    root = tmp_path / "other" / "store"

    def refuse(path: Path) -> bool:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(backup_restore, "is_store_folder", refuse)
    with pytest.raises(EnvironmentFailure) as refusal:
        restore(target, root)
    assert refusal.value.message == f"cannot use {root}: Permission denied"


def test_links_of_a_killed_backup_are_removed(place: Path, tmp_path: Path) -> None:
    left = place / ".backup-killed"
    left.mkdir()
    (left / "0").write_bytes(b"rows of a segment")
    with make_temporary_folder(place, BACKUP_PREFIX) as running:
        assert not left.exists()
        back_up(place, tmp_path / "b")
        assert running.exists()  # of a process that is alive
    assert not running.exists()
    left.mkdir()
    (place / "derived" / "spark-killed").mkdir(parents=True)
    with EvidenceStore.open(place, now=NOW) as store:
        sweep_temporary_folders(store.layout)
    assert not left.exists()
    assert not (place / "derived" / "spark-killed").exists()


def test_keys_open_with_their_passphrase_alone() -> None:
    sealed = encrypt_files({"a": b"\xff"}, PASSPHRASE)
    assert decrypt_files(sealed, PASSPHRASE) == {"a": b"\xff"}
    with pytest.raises(UsageError, match="another passphrase"):
        decrypt_files(sealed, PASSPHRASE + b"x")
    with pytest.raises(UsageError, match="too short"):
        encrypt_files({}, b"short")


def test_health_is_an_exit_code(tmp_path: Path, server: Backend) -> None:
    with serving(tmp_path, configuration(server.server_port)) as served:
        assert main(["health", f"http://{served.api}"]) == 0
        assert main(["health", "--live", f"http://{served.api}"]) == 0
    assert main(["health", f"http://{served.api}"]) == 5
    assert main(["health", "ftp://somewhere"]) == 2


def test_a_store_is_migrated_one_format_at_a_time(place: Path) -> None:
    done: list[int] = []

    def step(number: int) -> Callable[[StoreLayout], None]:
        return lambda _: done.append(number)

    steps = {1: step(1), 2: step(2)}
    assert migrate_store(place) == (1, 1)
    assert migrate_store(place, steps, 3) == (1, 3)
    assert done == [1, 2]
    with pytest.raises(EnvironmentFailure, match="format 3"):
        migrate_store(place)
    assert main(["--store", str(place), "store", "migrate"]) == 5


def test_an_older_store_names_its_migration(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("answerable.store.store_layout.STORE_SCHEMA", 2)
    with pytest.raises(EnvironmentFailure, match="format 1") as refused:
        EvidenceStore.open(place, now=NOW)
    assert "answerable store migrate" in refused.value.hint
