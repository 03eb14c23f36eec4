"""What interrupted compaction, wrong clocks and older copies of the log leave."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from answerable.cli.main import main
from answerable.evidence.log_entries import read_segment_states
from answerable.model.errors import (
    EnvironmentFailure,
    UsageError,
    VerificationError,
)
from answerable.model.progress import ignore_progress_report
from answerable.store import compaction
from answerable.store.compaction import compact_segments, plan_compaction
from answerable.store.fsck import verify_store
from answerable.store.legal_holds import LegalHold, place_hold
from answerable.store.retention import apply_retention
from answerable.store.segment_files import list_unfinished_files
from answerable.store.store import EvidenceStore
from answerable.store.store_repair import repair_store
from answerable.usecases.evidence.erase_person import erase_person
from answerable.usecases.evidence.export_checkpoint import export_checkpoint
from answerable.usecases.evidence.store_life import compact_store
from answerable.usecases.evidence.verify_and_prove import verify_evidence
from answerable.usecases.operations.doctor import check_installation
from tests.store.conftest import NOW
from tests.store.test_life import DAY, check, write_days


def list_left(store: EvidenceStore) -> list[Path]:
    states = read_segment_states(store.log.entries())
    return list_unfinished_files(store.layout, states)


def leave_copy(root: Path) -> Path:
    """Leave the file of a compaction that was killed before its commit."""
    file = min(root.glob("segments/*/*.parquet"))
    left = file.with_name(f"{'ab' * 16}.parquet")
    shutil.copy(file, left)
    shutil.copy(file, file.with_name(f".{'cd' * 16}.parquet.new"))
    return left


def test_a_compaction_that_fails_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_days(tmp_path)

    def refuse(*_: object) -> None:
        raise EnvironmentFailure("no space left on device")

    monkeypatch.setattr(compaction, "check_copied_rows", refuse)
    with EvidenceStore.open(tmp_path, now=NOW) as store:
        (group, *_) = plan_compaction(store)
        with pytest.raises(EnvironmentFailure):
            compact_segments(store, group, NOW)
        assert list_left(store) == []
        check(store)


@pytest.mark.parametrize("act", ["repair", "retain", "compact"])
def test_the_file_of_a_killed_compaction_is_named_and_deleted(
    tmp_path: Path, act: str
) -> None:
    write_days(tmp_path)
    left = leave_copy(tmp_path)
    with EvidenceStore.open(tmp_path, now=NOW) as store:
        assert len(list_left(store)) == 2
        found = {
            c.check: c.detail
            for c in verify_store(store, None, None, ignore_progress_report)
        }
        assert f"{left.parent.name}/.{'cd' * 16}" in found["segments"]
        assert "2 files in no manifest" in found["segments"]
        if act == "repair":
            repair_store(store, None, NOW, dry_run=True)
            assert left.exists()
            repair_store(store, None, NOW, dry_run=False)
        elif act == "retain":
            apply_retention(store, 2, "", NOW, dry_run=True)
            assert left.exists()
            apply_retention(store, 2, "", NOW, dry_run=False)
        else:
            compact_segments(store, plan_compaction(store)[0], NOW)
        assert list_left(store) == []
        check(store)


def test_a_clock_that_is_ahead_removes_nothing(tmp_path: Path) -> None:
    written = write_days(tmp_path)
    with EvidenceStore.open(tmp_path, now=NOW) as store:
        with pytest.raises(UsageError, match="is the clock ahead"):
            apply_retention(store, 90, "", NOW + 730 * DAY, dry_run=False)
        ((count,),) = store.run_query("SELECT count(*) FROM events")
        assert count == len(written)
        place_hold(store, LegalHold("an entry of that day"), NOW + 730 * DAY)
        assert apply_retention(store, 90, "", NOW + 730 * DAY, dry_run=True)


def test_a_log_that_lacks_a_hold_removes_nothing(tmp_path: Path) -> None:
    write_days(tmp_path)
    checkpoint = tmp_path / "log" / "checkpoint"
    old = checkpoint.read_bytes()
    with EvidenceStore.open(tmp_path, now=NOW) as store:
        place_hold(store, LegalHold("a case"), NOW)
    checkpoint.write_bytes(old)
    with (
        EvidenceStore.open(tmp_path, now=NOW) as store,
        pytest.raises(VerificationError, match="is not in the log"),
    ):
        apply_retention(store, 1, "", NOW, dry_run=False)


def test_an_incremental_verification_misses_no_deleted_file(tmp_path: Path) -> None:
    write_days(tmp_path)
    with EvidenceStore.open(tmp_path, now=NOW) as store:
        assert not verify_evidence(store, now=NOW).failed
        min(tmp_path.glob("segments/*/*.parquet")).unlink()
        assert verify_evidence(store, mode="incremental", now=NOW).failed


def test_a_missing_key_fails_doctor(tmp_path: Path) -> None:
    write_days(tmp_path)
    (tmp_path / "keys" / "log.key").unlink()
    found = check_installation(tmp_path, now=NOW, home=tmp_path, cwd=tmp_path)
    (keys,) = [each for each in found.items if each["check"] == "keys"]
    assert "log.key is missing" in str(keys["detail"])
    assert found.failed


def test_removed_events_are_not_said_to_be_never_ingested(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_days(tmp_path)
    with EvidenceStore.open(tmp_path, now=NOW) as store:
        place_hold(store, LegalHold("later", since="2099-01-01"), NOW + 90 * DAY)
        apply_retention(store, 30, "", NOW + 90 * DAY, dry_run=False)
    words: list[Any] = ["--store", str(tmp_path), "trace", "--by", "day"]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "removed by retention" in said.splitlines()[0]
    assert "no log was ingested" not in said
    assert main(["--store", str(tmp_path), "store", "retain", "--days", "9" * 11]) == 2


def test_a_cut_segment_stops_no_other_act(tmp_path: Path) -> None:
    write_days(tmp_path)
    cut = min(tmp_path.glob("segments/*/*.parquet"))
    cut.write_bytes(cut.read_bytes()[:-30])
    with EvidenceStore.open(tmp_path, now=NOW) as store:
        done = compact_store(store, now=NOW)
        assert done.failed
        assert [each["state"] for each in done.items] == ["open", "done", "done"]
        assert "does not match its manifest" in str(done.items[0]["detail"])
        erased = erase_person(store, ["person:ada@example.com"], "a request", now=NOW)
        assert erased.failed
        left = [each for each in erased.items if each["state"] == "open"]
        assert {each["detail"] for each in left} >= {"still mentions the person"}


def test_a_checkpoint_is_not_exported_into_its_store(tmp_path: Path) -> None:
    write_days(tmp_path)
    checkpoint = tmp_path / "log" / "checkpoint"
    old = checkpoint.read_bytes()
    with (
        EvidenceStore.open(tmp_path, now=NOW) as store,
        pytest.raises(UsageError, match="is in the store"),
    ):
        export_checkpoint(store, str(checkpoint), now=NOW)
    assert checkpoint.read_bytes() == old
