"""Repair of objects and tiles; plans and verification that nothing may disturb."""

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from answerable.model.errors import EnvironmentFailure, VerificationError
from answerable.model.progress import ignore_progress_report
from answerable.store import fsck
from answerable.store.compaction import compact_segments, plan_compaction
from answerable.store.difference_encoder import EarlierObject
from answerable.store.erasure import erase_person
from answerable.store.retention import apply_retention
from answerable.store.store import EvidenceStore
from answerable.store.store_repair import repair_store
from answerable.usecases.evidence.export_checkpoint import export_checkpoint
from tests.store.conftest import NOW
from tests.store.test_life import check, write_days


def test_repair_of_objects_and_tiles(tmp_path: Path) -> None:
    root = tmp_path / "store"
    write_days(root, days=1, batches=1)
    with EvidenceStore.open(root, now=NOW) as store:
        content = b",".join(b'{"n":%d}' % number for number in range(20_000))
        base = store.put_object("sync", content, NOW)
        earlier = EarlierObject(*store.read_whole_base(base), "1", "1")
        later = store.put_object("sync", content + b",{}", NOW, earlier)
        record = store.put_object("attestation", b"x" * 99, NOW)
    shutil.copytree(root, tmp_path / "copy")
    for name in (base, record):
        file = root / "objects" / name
        file.write_bytes(file.read_bytes()[:-1] + b"?")
    for tile in root.glob("log/tile/0/*/*"):
        tile.write_bytes(b"")
    with EvidenceStore.open(root, now=NOW) as store:
        planned = repair_store(store, None, NOW, dry_run=True)
        said = {(each.action, each.target.rpartition("/")[2]) for each in planned}
        assert said >= {("set aside", base), ("missing", base), ("missing", later)}
        assert ("set aside", later) not in said
        assert said >= {("set aside", record), ("missing", record)}
        assert (root / "objects" / record).exists()
        assert "rebuild" in {each.action for each in planned}
        steps = repair_store(store, None, NOW, dry_run=False)
        assert any(each.failed for each in steps)
        assert (root / "set-aside" / f"objects-{record}").exists()
        for dry_run in (True, False):
            steps = repair_store(store, tmp_path / "copy", NOW, dry_run=dry_run)
            assert {each.action for each in steps} == {"restore"}
        check(store)
        assert store.get_object(later) == content + b",{}"
        assert not repair_store(store, None, NOW, dry_run=True)


def test_repair_computes_the_list_of_removed_rows(tmp_path: Path) -> None:
    root = tmp_path / "store"
    write_days(root, days=3)
    with EvidenceStore.open(root, now=NOW) as store:
        apply_retention(store, 2, "okta", NOW, dry_run=False)
        erase_person(
            store,
            ["ada@example.com"],
            "asked",
            NOW,
            find_used_objects=lambda found: (set(), set()),
            dry_run=False,
        )
        lists = sorted(root.glob("segments/*/*.removed"))
        assert len(lists) == 6
        content = {each: each.read_bytes() for each in lists}
        lists[0].unlink()
        for each in lists[1:]:
            each.write_bytes(b"??")
        planned = repair_store(store, None, NOW, dry_run=True)
        assert [each.action for each in planned] == ["rebuild"] * len(lists)
        assert not lists[0].exists()
        assert repair_store(store, None, NOW, dry_run=False) == planned
        assert {each: each.read_bytes() for each in lists} == content
        check(store)
        assert not repair_store(store, None, NOW, dry_run=True)


def test_a_plan_needs_no_lock_where_nothing_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_days(tmp_path)
    with EvidenceStore.open(tmp_path, now=NOW) as store:

        def refuse() -> None:
            raise EnvironmentFailure("cannot lock")

        monkeypatch.setattr(store.log, "lock", refuse)
        monkeypatch.setattr("os.access", lambda path, mode: mode != os.W_OK)
        assert apply_retention(store, 1, "", NOW, dry_run=True)
        assert not repair_store(store, None, NOW, dry_run=True)
        assert erase_person(
            store,
            ["ada@example.com"],
            "",
            NOW,
            find_used_objects=lambda found: (set(), set()),
            dry_run=True,
        ).rows
        with pytest.raises(EnvironmentFailure):
            apply_retention(store, 1, "", NOW, dry_run=False)


def test_verification_beside_a_compaction_reports_no_missing_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_days(tmp_path)
    with EvidenceStore.open(tmp_path, now=NOW) as store:
        read = fsck.check_segments

        def compact_before(*given: Any) -> str:
            for group in plan_compaction(store):
                compact_segments(store, group, NOW)
            return read(*given)

        monkeypatch.setattr(fsck, "check_segments", compact_before)
        check(store)


def test_a_signed_log_without_its_public_key_is_verified_with_the_signing_key(
    tmp_path: Path,
) -> None:
    write_days(tmp_path)
    (tmp_path / "keys" / "log.pub").unlink()
    with EvidenceStore.open(tmp_path, now=NOW) as store:
        (keys, *_) = fsck.verify_store(store, None, None, ignore_progress_report)
        assert (keys.ok, keys.detail) == (True, store.keys.public_key.name)
    for name in ("log.pub", "log.key"):
        (tmp_path / "keys" / name).unlink()
    with EvidenceStore.open(tmp_path, now=NOW) as store:
        (keys, *_) = fsck.verify_store(store, None, None, ignore_progress_report)
        assert not keys.ok
        assert "log.key is missing" in keys.detail


def test_an_export_of_a_missing_log_says_that_it_is_missing(tmp_path: Path) -> None:
    write_days(tmp_path / "store")
    (tmp_path / "store" / "log" / "checkpoint").unlink()
    with (
        EvidenceStore.open(tmp_path / "store", now=NOW) as store,
        pytest.raises(VerificationError, match="checkpoint is missing"),
    ):
        export_checkpoint(store, str(tmp_path / "exported"), now=NOW)


def test_a_checkpoint_of_a_read_only_store_is_exported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_days(tmp_path / "store")

    def refuse(*given: object) -> None:
        raise EnvironmentFailure("read-only file system")

    monkeypatch.setattr(
        "answerable.usecases.evidence.export_checkpoint.save_checkpoint_export", refuse
    )
    with EvidenceStore.open(tmp_path / "store", now=NOW) as store:
        note = export_checkpoint(store, str(tmp_path / "exported"), now=NOW)
    assert (tmp_path / "exported").read_bytes() == note


def test_events_of_a_day_with_a_cut_segment_are_refused_until_its_repair(
    tmp_path: Path,
) -> None:
    root = tmp_path / "store"
    write_days(root, days=1, batches=1)
    for file in root.glob("segments/*/*.parquet"):
        os.truncate(file, 1_000)
    with pytest.raises(EnvironmentFailure, match="cannot be read") as caught:
        write_days(root, days=1, batches=1)
    assert "store repair" in caught.value.hint
    with EvidenceStore.open(root, now=NOW) as store:
        repair_store(store, None, NOW, dry_run=False)
    write_days(root, days=1, batches=1)
