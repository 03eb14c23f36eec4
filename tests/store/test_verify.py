"""Whatever is changed on disk is found, and the first record is named."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from answerable.evidence.journal_batches import ZSTD_MAGIC
from answerable.evidence.log_entries import SegmentManifest
from answerable.evidence.signed_note import VerifierKey, derive_verifier_key
from answerable.model.errors import VerificationError
from answerable.model.event import AuditEvent
from answerable.model.progress import ignore_progress_report
from answerable.store import fsck
from answerable.store.duckdb_engine import DuckDbEngine, quote_text
from answerable.store.store import EvidenceStore
from tests.evidence.journal_changes import change_records
from tests.store.conftest import ROWS, only, wrong

Make = Callable[..., AuditEvent]


def test_a_store_that_nobody_touched_holds(copied: Path) -> None:
    assert wrong(copied) == []


def test_an_empty_store_holds(place: Path, now: int) -> None:
    EvidenceStore.open(place, now=now).close()
    assert wrong(place) == []


def every(path: Path, most: int) -> list[int]:
    """Choose bytes of a file: all of a small one, a dense sample of a large one."""
    size = path.stat().st_size
    step = max(1, size // most)
    return sorted({*range(0, size, step), *range(max(size - 12, 0), size)})


def change_native_id(path: Path) -> None:
    """Change a record of a journal, and compress it again."""
    changed = change_records(
        path.read_bytes(), lambda text: text.replace(b"native-104", b"native-999")
    )
    path.write_bytes(changed)


@pytest.mark.parametrize(
    ("pattern", "name", "most"),
    [
        ("journal/*.log", "journal/", 30),
        ("journal/*.head", "journal/", 20),
        ("segments/*/*.leaves", "segment ", 20),
        ("segments/*/*.manifest.json", "segment ", 20),
        ("segments/*/*.parquet", "segment ", 45),
        ("log/checkpoint", "log/checkpoint", 50),
        ("log/tile/0/000.p/*", "log/tile/0/", 20),
        ("log/tile/entries/000.p/*", "log/tile/entries/", 30),
        ("keys/log.pub", "", 20),
    ],
)
def test_a_changed_byte_is_found(
    copied: Path, pattern: str, name: str, most: int
) -> None:
    path = only(copied, pattern)
    data = path.read_bytes()
    for number, place in enumerate(every(path, most)):
        changed = bytearray(data)
        changed[place] ^= 1 << number % 8
        path.write_bytes(changed)
        found = wrong(copied)
        assert found, f"byte {place} of {pattern} was changed unseen"
        assert any(detail.startswith(name) for detail in found), found
        assert all("\n" not in detail for detail in found)
    path.write_bytes(data)
    assert wrong(copied) == []


@pytest.mark.parametrize(
    "pattern",
    [
        "journal/*.log",
        "journal/*.head",
        "segments/*/*.leaves",
        "segments/*/*.manifest.json",
        "segments/*/*.parquet",
        "log/checkpoint",
        "log/tile/0/000.p/*",
        "log/tile/entries/000.p/*",
        "objects/*",
        "quarantine/*",
    ],
)
@pytest.mark.parametrize("how", ["removed", "emptied", "cut", "grown"])
def test_a_missing_cut_or_grown_file_is_found_by_name(
    copied: Path, pattern: str, how: str
) -> None:
    path = only(copied, pattern)
    data = path.read_bytes()
    if how == "removed":
        path.unlink()
    else:
        path.write_bytes({"emptied": b"", "cut": data[:-1], "grown": data + b"x"}[how])
    found = wrong(copied)
    assert len(found) >= 1
    segment = path.name.split(".")[0]
    assert any(path.name in detail or segment in detail for detail in found), found


def test_the_changed_row_is_named_with_its_event(copied: Path, now: int) -> None:
    path = only(copied, "segments/*/*.parquet")
    with EvidenceStore.open(copied, now=now) as store:
        manifests = [e for e in store.log.entries() if isinstance(e, SegmentManifest)]
        manifest = next(m for m in manifests if m.segment == path.stem)
    engine = DuckDbEngine(path.parent.parent)
    source = f"read_parquet({quote_text(str(path))}, hive_partitioning=false)"
    numbered = "SELECT *, row_number() OVER () - 1 AS rowid FROM " + source  # noqa: S608
    changed = "if(rowid = 3, 'iam:PassRole', action) AS action"
    engine.run(f"CREATE TABLE t AS SELECT * REPLACE ({changed}) FROM ({numbered})")  # noqa: S608
    ((event_id,),) = engine.run("SELECT lower(hex(event_id)) FROM t WHERE rowid = 3")
    engine.run("ALTER TABLE t DROP rowid")
    engine.run(f"COPY t TO {quote_text(str(path))} (FORMAT parquet)")
    engine.close()
    assert wrong(copied) == [
        f"segment {manifest.segment}: row 3 (event {event_id}) is invalid"
    ]


def test_the_changed_journal_record_is_named(copied: Path) -> None:
    path = only(copied, "journal/*.log")
    change_native_id(path)
    assert wrong(copied) == [f"journal/{path.name}: record 4 is invalid"]


def test_a_removed_group_of_records_is_found(copied: Path) -> None:
    path = only(copied, "journal/*.log")
    data = path.read_bytes()
    second = data.rindex(ZSTD_MAGIC)
    path.write_bytes(data[: second - 4])
    (detail,) = wrong(copied)
    assert "record 10 or the head after it is missing" in detail


def test_a_journal_that_vanished_whole_is_found(copied: Path) -> None:
    path = only(copied, "journal/*.log")
    path.unlink()
    path.with_suffix(".head").unlink()
    assert wrong(copied) == [f"journal/{path.name} is missing and was never sealed"]


def test_a_segment_that_vanished_whole_is_found(copied: Path) -> None:
    shutil.rmtree(copied / "segments")
    (copied / "segments").mkdir()
    (detail,) = wrong(copied)
    assert detail.startswith("segments/day=")


def test_a_file_that_no_manifest_names_is_no_evidence(copied: Path, now: int) -> None:
    path = only(copied, "segments/*/*.parquet")
    shutil.copy(path, path.with_name("planted.parquet"))
    with EvidenceStore.open(copied, now=now) as store:
        assert store.run_query("SELECT count(*) FROM events") == [(ROWS + 5 + 13,)]
    assert wrong(copied) == []


def rewritten(place: Path, make: Make, now: int) -> bytes:
    """Make a store anew with the same key and another history; give the old head."""
    with EvidenceStore.open(place, now=now) as store:
        note = store.log.checkpoint()
    for name in ("log", "segments", "journal", "objects", "quarantine"):
        shutil.rmtree(place / name)
        (place / name).mkdir(mode=0o700)
    # Without it the keys count as half made, and an empty log is signed with them.
    (place / "keys" / "log.pub").unlink()
    with EvidenceStore.open(place, now=now) as store:
        store.append([make(number, action="s3:PutObject") for number in range(9)], now)
        store.seal(now)
        for number in range(9):
            store.put_object("sync", str(number).encode(), now)
    return note


def test_a_rewrite_signed_with_the_stores_key_is_caught_by_an_exported_checkpoint(
    copied: Path, make: Make, now: int
) -> None:
    note = rewritten(copied, make, now)
    assert wrong(copied) == []
    (detail,) = wrong(copied, note)
    assert detail.startswith("history was rewritten")


def test_a_log_that_was_cut_is_caught_by_an_exported_checkpoint(
    copied: Path, make: Make, now: int, tmp_path: Path
) -> None:
    shutil.copytree(copied, tmp_path / "earlier")
    with EvidenceStore.open(copied, now=now) as store:
        store.put_object("sync", b"later", now)
        note = store.log.checkpoint()
    assert wrong(copied, note) == []
    (detail,) = wrong(tmp_path / "earlier", note)
    assert detail.startswith("the log was truncated")


def test_a_grown_log_still_contains_an_exported_checkpoint(
    copied: Path, make: Make, now: int
) -> None:
    with EvidenceStore.open(copied, now=now) as store:
        note = store.log.checkpoint()
        store.append([make(500)], now)
        for number in range(300):
            store.put_object("sync", str(number).encode(), now)
        store.seal(now)
    assert wrong(copied, note) == []


def test_another_key_is_named(copied: Path, now: int) -> None:
    with EvidenceStore.open(copied, now=now) as store:
        other = derive_verifier_key(store.keys.public_key.name, bytes(32))
        checks = fsck.verify_store(store, None, other, ignore_progress_report)
    assert [c.check for c in checks if not c.ok] == ["keys", "checkpoint"]


def test_a_signing_key_that_is_no_pair_with_the_public_one_is_found(
    copied: Path,
) -> None:
    path = copied / "keys" / "log.key"
    path.write_text(bytes(32).hex() + "\n")
    assert "keys/log.key and keys/log.pub are not a key pair" in wrong(copied)


def test_a_public_key_may_verify_without_the_signing_key(copied: Path) -> None:
    (copied / "keys" / "log.key").unlink()
    assert wrong(copied) == []
    assert isinstance(
        VerifierKey.parse((copied / "keys/log.pub").read_text()), VerifierKey
    )


def test_a_damaged_journal_is_not_sealed(copied: Path, now: int) -> None:
    path = only(copied, "journal/*.log")
    change_native_id(path)
    with (
        EvidenceStore.open(copied, now=now) as store,
        pytest.raises(VerificationError, match="record 4 is invalid"),
    ):
        store.seal(now)
    assert path.exists()


def test_a_damaged_journal_does_not_keep_the_others_waiting(
    copied: Path, make: Make, now: int
) -> None:
    path = only(copied, "journal/*.log")
    change_native_id(path)
    for number in range(200, 203):
        with EvidenceStore.open(copied, now=now) as store:
            store.append([make(number)], now)
            with pytest.raises(VerificationError, match="record 4 is invalid"):
                store.seal(now)
    assert [left.name for left in copied.glob("journal/*.log")] == [path.name]


def test_a_damaged_log_is_not_grown(copied: Path, now: int) -> None:
    path = only(copied, "log/tile/entries/000.p/*")
    path.write_bytes(path.read_bytes().replace(b"sync", b"syns"))
    with (
        EvidenceStore.open(copied, now=now) as store,
        pytest.raises(VerificationError, match="does not match its checkpoint"),
    ):
        store.put_object("sync", b"{}", now)


def test_progress_is_told_while_verifying(copied: Path, now: int) -> None:
    told: list[tuple[int, int, str]] = []
    with EvidenceStore.open(copied, now=now) as store:
        fsck.verify_store(store, None, None, lambda *step: told.append(step))
    assert told[-1] == (ROWS + 5, ROWS + 5, "events")
