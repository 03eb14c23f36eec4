"""A store that was put back from an older copy says so, is recorded, and goes on."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from answerable.model.errors import UsageError, VerificationError
from answerable.model.event import AuditEvent
from answerable.model.progress import ignore_progress_report
from answerable.store import fsck
from answerable.store.fsck import VerificationCheck
from answerable.store.store import EvidenceStore
from answerable.usecases.evidence import verify_and_prove as flow
from answerable.usecases.evidence.record_restore import record_store_restore

Make = Callable[..., AuditEvent]


def exported(place: Path, now: int) -> bytes:
    with EvidenceStore.open(place, now=now) as store:
        return str(flow.show_checkpoint(store).items[0]["note"]).encode()


def wrong(place: Path, note: bytes | None = None) -> list[VerificationCheck]:
    with EvidenceStore.open(place, now=0, create=False) as store:
        checks = fsck.verify_store(store, note, None, ignore_progress_report)
    return [check for check in checks if not check.ok]


def record(place: Path, note: bytes | None, now: int) -> list[str]:
    with EvidenceStore.open(place, now=now) as store:
        return list(
            record_store_restore(store, checkpoint=note, reason="disk died", now=now)
        )


@pytest.fixture
def older(place: Path, make: Make, now: int) -> Path:
    """A copy of the store, older than its last exported checkpoint."""
    copy = place.with_name("older")
    with EvidenceStore.open(place, now=now) as store:
        store.append([make(number) for number in range(5)], now)
        store.seal(now)
        store.append([make(number) for number in range(5, 9)], now)
        shutil.copytree(place, copy)
        store.append([make(number) for number in range(9, 20)], now)
        store.seal(now)
        store.put_object("sync", b"{}", now)
    return copy


def test_a_restored_copy_says_what_happened_and_how_to_go_on(
    older: Path, place: Path, now: int
) -> None:
    (check,) = wrong(older, exported(place, now))
    assert check.check == "history"
    assert check.detail.startswith(
        "the log was truncated, or an older backup was restored"
    )
    assert "answerable evidence restored --checkpoint FILE" in check.hint


def test_a_restored_copy_that_was_written_to_says_so_too(
    older: Path, place: Path, make: Make, now: int
) -> None:
    note = exported(place, now)
    with EvidenceStore.open(older, now=now) as store:
        for number in range(9):
            store.put_object("sync", str(number).encode(), now)
    (check,) = wrong(older, note)
    assert "or an older backup was restored and then written to" in check.detail
    assert "answerable evidence restored" in check.hint


@pytest.mark.parametrize("written", [0, 9])
def test_after_a_recorded_restore_work_goes_on(
    older: Path, place: Path, make: Make, now: int, written: int
) -> None:
    note, before = exported(place, now), exported(older, now)
    with EvidenceStore.open(older, now=now) as store:
        for number in range(written):
            store.put_object("sync", str(number).encode(), now)
    lines = record(older, note, now)
    assert lines[0].startswith("recorded in the log as entry ")
    assert any(line.startswith("lost: entries ") for line in lines)
    # The store holds, and says that it was restored.
    assert wrong(older) == []
    with EvidenceStore.open(older, now=now) as store:
        said = {
            c.check: c.detail
            for c in fsck.verify_store(store, None, None, ignore_progress_report)
        }
    assert said["restores"].endswith("(disk died)")
    # What was exported of the lost history is named as lost, and why.
    (check,) = wrong(older, note)
    assert check.detail.startswith(
        "an older backup of the store was restored, as recor"
    )
    assert "are lost" in check.detail
    assert "rewritten" not in check.detail
    assert "checkpoint --export" in check.hint
    # What was exported before the copy was made holds, and so does what is exported now.
    assert wrong(older, before) == []
    with EvidenceStore.open(older, now=now) as store:
        store.append([make(number) for number in range(20)], now)
        store.seal(now)
        assert store.run_query("SELECT count(*) FROM events") == [(20,)]
    assert wrong(older, exported(older, now)) == []


@pytest.mark.parametrize("how", ["missing", "cut", "damaged"])
def test_a_journal_that_the_copy_holds_in_part_is_sealed_as_far_as_it_holds(
    place: Path, make: Make, now: int, how: str
) -> None:
    with EvidenceStore.open(place, now=now) as store:
        store.append([make(number) for number in range(5)], now)
        (path,) = place.glob("journal/*.log")
        size = path.stat().st_size
        store.append([make(number) for number in range(5, 9)], now)
    note, data = exported(place, now), path.read_bytes()
    if how == "missing":
        path.unlink()
        path.with_suffix(".head").unlink()
    else:
        path.write_bytes(data[:size] + (b"x" * 99 if how == "damaged" else b""))
    (check,) = wrong(place)
    assert "answerable evidence restored --reason TEXT" in check.hint
    lines = record(place, None, now)
    kept, lost = (0, 0) if how == "missing" else (5, 4)
    assert any(f"{kept} records are sealed, {lost} or more" in line for line in lines)
    assert wrong(place) == []
    (check,) = wrong(place, note)
    assert check.detail.startswith(
        "an older backup of the store was restored, as recor"
    )
    with EvidenceStore.open(place, now=now) as store:
        assert store.run_query("SELECT count(*) FROM events") == [(kept,)]
        store.append([make(number) for number in range(9)], now)
        store.seal(now)
        assert store.run_query("SELECT count(*) FROM events") == [(9,)]
    assert wrong(place) == []


def test_a_journal_put_back_with_its_head_file_is_lost_by_the_exported_checkpoint(
    older: Path, place: Path, make: Make, now: int
) -> None:
    with EvidenceStore.open(older, now=now) as store:
        store.seal(now)
    copy = place.with_name("copy")
    with EvidenceStore.open(older, now=now) as store:
        store.append([make(number) for number in range(30, 33)], now)
        shutil.copytree(older, copy)
        store.append([make(number) for number in range(33, 35)], now)
        note = str(flow.show_checkpoint(store).items[0]["note"]).encode()
    (check,) = wrong(copy, note)
    assert "was truncated" in check.detail
    record(copy, note, now)
    assert wrong(copy) == []
    (check,) = wrong(copy, note)
    assert check.detail.startswith(
        "an older backup of the store was restored, as recor"
    )


def test_nothing_is_recorded_where_nothing_is_lost(
    place: Path, make: Make, now: int
) -> None:
    with EvidenceStore.open(place, now=now) as store:
        with pytest.raises(UsageError, match="the log of this store is empty"):
            record_store_restore(store, checkpoint=None, reason="why", now=now)
        store.append([make(1)], now)
    note = exported(place, now)
    with EvidenceStore.open(place, now=now) as store:
        for reason in ("", "  ", "x" * 1001):
            with pytest.raises(UsageError, match="missing or too long reason"):
                record_store_restore(store, checkpoint=None, reason=reason, now=now)
        with pytest.raises(
            UsageError, match="contains every entry that this checkpoint"
        ):
            record_store_restore(store, checkpoint=note, reason="why", now=now)
        changed = note.replace(b"\n1\n", b"\n7\n")
        with pytest.raises(VerificationError):
            record_store_restore(store, checkpoint=changed, reason="why", now=now)
    assert wrong(place, note) == []
