"""What a store must not hold besides its evidence: alien files, bytes, keys, torn groups."""

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import zstandard

from answerable.evidence.checkpoint import parse_checkpoint
from answerable.model.errors import VerificationError
from answerable.model.event import AuditEvent
from answerable.model.progress import ignore_progress_report
from answerable.store import durable_files, fsck
from answerable.store.store import EvidenceStore
from tests.store.conftest import only, wrong

Make = Callable[..., AuditEvent]


@pytest.mark.parametrize("folder", ["objects", "quarantine"])
@pytest.mark.parametrize("kind", ["text", "object", "link", "folder", "hidden"])
def test_a_file_that_the_log_does_not_name_is_found(
    copied: Path, folder: str, kind: str
) -> None:
    content = b"what somebody put there"
    name = {"text": "readme.txt", "hidden": ".hidden"}.get(
        kind, hashlib.sha256(content).hexdigest()
    )
    alien = copied / folder / name
    if kind == "folder":
        alien.mkdir()
    elif kind == "link":
        alien.symlink_to("/etc/hostname")
    else:
        alien.write_bytes(zstandard.compress(content) if kind == "object" else content)
    (detail,) = wrong(copied)
    assert detail.startswith(f"{folder}/{name} is ")


def test_an_object_in_the_folder_of_the_other_kind_is_found(copied: Path) -> None:
    path = only(copied, "objects/*")
    shutil.copy(path, copied / "quarantine" / path.name)
    assert wrong(copied)[0].startswith(f"quarantine/{path.name} is not in the log")


def test_damage_under_the_name_of_an_object_does_not_stand_in_for_it(
    copied: Path, now: int
) -> None:
    digest = hashlib.sha256(b"later").hexdigest()
    (copied / "objects" / digest).write_bytes(b"damage")
    with EvidenceStore.open(copied, now=now) as store:
        assert store.put_object("sync", b"later", now) == digest
        assert store.get_object(digest) == b"later"
    assert wrong(copied) == []


@pytest.mark.parametrize("step", ["object-written", "object-logged"])
def test_an_object_whose_process_ended_on_the_way_is_whole_or_was_never_there(
    copied: Path, now: int, step: str
) -> None:
    class EndedError(Exception):
        pass

    def end(name: str) -> None:
        if name == step:
            raise EndedError

    digest = hashlib.sha256(b"later").hexdigest()
    with EvidenceStore.open(copied, now=now) as store:
        durable_files.crash_hook = end
        with pytest.raises(EndedError):
            store.put_object("sync", b"later", now)
        durable_files.crash_hook = None
    assert wrong(copied) == []
    with EvidenceStore.open(copied, now=now) as store:
        if step == "object-logged":
            assert store.get_object(digest) == b"later"
        store.put_object("sync", b"more", now)
        left = [path.name for path in store.layout.objects.glob(".*")]
        assert left == []
        there = (store.layout.objects / digest).exists()
        assert there == (step == "object-logged")
    assert wrong(copied) == []


def test_a_changed_key_of_fingerprints_is_found_and_not_written_with(
    copied: Path, make: Make, now: int
) -> None:
    path = copied / "keys" / "fingerprint.key"
    path.write_text(bytes(range(32)).hex() + "\n")
    said = "keys/fingerprint.key is not the key with which this store was created"
    assert wrong(copied) == [said]
    with EvidenceStore.open(copied, now=now) as store:
        with pytest.raises(VerificationError, match="is not the key"):
            store.put_object("sync", b"{}", now)
        with pytest.raises(VerificationError, match="is not the key"):
            store.append([make(900)], now)
    path.unlink()
    assert wrong(copied) == ["keys/fingerprint.key is missing"]


def test_a_store_of_a_release_that_did_not_name_the_key_of_fingerprints_goes_on(
    copied: Path, now: int
) -> None:
    with EvidenceStore.open(copied, now=now) as store:
        tree = parse_checkpoint(store.log.checkpoint(), store.keys.public_key)
        older = replace(tree, fingerprint_key=b"")
        note = older.sign(store.keys.public_key, store.keys.signing_seed())
        (copied / "log" / "checkpoint").write_bytes(note)
    assert wrong(copied) == []
    with EvidenceStore.open(copied, now=now) as store:
        store.put_object("sync", b"{}", now)
        tree = parse_checkpoint(store.log.checkpoint(), store.keys.public_key)
        assert tree.fingerprint_key == store.keys.fingerprint_digest() != b""
    assert wrong(copied, note) == []


def test_a_store_that_was_emptied_to_its_keys_is_found_and_not_written_to(
    copied: Path, make: Make, now: int
) -> None:
    for name in ("log", "segments", "journal", "objects", "quarantine"):
        shutil.rmtree(copied / name)
        (copied / name).mkdir(mode=0o700)
    said = "log/checkpoint is missing, although keys/log.pub exists"
    assert wrong(copied) == [said]
    with EvidenceStore.open(copied, now=now) as store:
        with pytest.raises(VerificationError, match="although keys"):
            store.append([make(1)], now)
        with pytest.raises(VerificationError, match="although keys"):
            store.put_object("sync", b"{}", now)
    assert wrong(copied) == [said]


def test_keys_without_anything_written_hold(place: Path, now: int) -> None:
    with EvidenceStore.open(place, now=now) as store:
        store.fingerprint("a secret")
    assert wrong(place) == []


@pytest.mark.parametrize("name", ["log.pub", "log.key", "fingerprint.key"])
@pytest.mark.parametrize("more", ["\n", " ", "\n\n# a note"])
def test_bytes_behind_a_key_are_found(copied: Path, name: str, more: str) -> None:
    path = copied / "keys" / name
    path.write_text(path.read_text() + more)
    assert wrong(copied)


def test_zeros_of_a_torn_group_behind_the_last_head_are_named_and_no_fault(
    copied: Path, now: int
) -> None:
    """A loss of power may leave the length of a group, and not its sectors."""
    path = only(copied, "journal/*.log")
    path.write_bytes(path.read_bytes() + bytes(3000))
    assert wrong(copied) == []
    with EvidenceStore.open(copied, now=now) as store:
        (said,) = [
            check.detail
            for check in fsck.verify_store(store, None, None, ignore_progress_report)
            if check.check == "journals"
        ]
        assert f"3,000 bytes after the last head of journal/{path.name}" in said
        store.seal(now)
    assert wrong(copied) == []


def test_zeros_within_what_was_acknowledged_are_found(copied: Path, now: int) -> None:
    path = only(copied, "journal/*.log")
    data = path.read_bytes()
    for at in range(0, len(data), 512):
        hole = data[:at] + bytes(min(512, len(data) - at)) + data[at + 512 :]
        path.write_bytes(hole)
        assert wrong(copied), at


def test_zeros_in_a_group_that_another_one_follows_are_found_without_its_head_file(
    copied: Path, make: Make, now: int
) -> None:
    """The head file may be older after a loss of power; the later group tells."""
    sizes = {each: each.stat().st_size for each in copied.glob("journal/*.log")}
    with EvidenceStore.open(copied, now=now) as store:
        store.append([make(number) for number in range(300, 310)], now)
        (path,) = [
            each
            for each in copied.glob("journal/*.log")
            if each.stat().st_size != sizes.get(each)
        ]
        head, size = path.with_suffix(".head").read_bytes(), path.stat().st_size
        for number in range(310, 340, 10):
            store.append([make(n) for n in range(number, number + 10)], now)
    data = path.read_bytes()
    path.with_suffix(".head").write_bytes(head)
    assert wrong(copied) == []
    place = -(-size // 512) * 512
    path.write_bytes(data[:place] + bytes(512) + data[place + 512 :])
    (detail,) = wrong(copied)
    assert detail == f"journal/{path.name}: the batch from record 10 on is invalid"


def test_a_format_file_with_a_member_twice_is_refused(copied: Path) -> None:
    (copied / "format.json").write_text('{"store":9,"store":1}\n')
    (detail,) = wrong(copied)
    assert "format.json is damaged" in detail
