"""Incremental and sampled verification: what they cover, and what they say."""

from pathlib import Path

import pytest

from answerable.store.compaction import compact_segments, plan_compaction
from answerable.store.retention import apply_retention
from answerable.store.store import EvidenceStore
from answerable.store.verification_record import load_verified_states
from answerable.usecases.evidence.verify_and_prove import verify_evidence
from answerable.usecases.operations.doctor import check_installation
from tests.store.conftest import NOW
from tests.store.conftest import _make as event

DAY = 86_400 * 10**9


def write(root: Path, *days: int) -> list[Path]:
    """Add a segment for each day; return the new files."""
    before = set(root.glob("segments/*/*.parquet"))
    for day in days:
        with EvidenceStore.open(root, now=NOW) as store:
            store.append(
                [event(n, event_time=NOW - day * DAY + n) for n in range(3)], NOW
            )
            store.seal(NOW)
    return sorted(set(root.glob("segments/*/*.parquet")) - before)


def verify(root: Path, mode: str, sample: int = 0) -> dict[str, tuple[bool, str]]:
    with EvidenceStore.open(root, now=NOW) as store:
        found = verify_evidence(store, mode=mode, sample=sample, now=NOW)
    return {str(e["check"]): (bool(e["ok"]), str(e["detail"])) for e in found.items}


def damage(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def test_only_what_is_new_is_verified(tmp_path: Path) -> None:
    (old,) = write(tmp_path, 3)
    assert verify(tmp_path, "incremental")["segments"] == (
        True,
        "3 events in 1 segment",
    )
    damage(old)
    assert verify(tmp_path, "incremental")["segments"][0]  # as documented
    (new,) = write(tmp_path, 2)
    assert verify(tmp_path, "incremental")["segments"] == (
        True,
        "3 events in 1 segment",
    )
    (newer,) = write(tmp_path, 1)
    damage(newer)
    assert new.exists()
    ok, detail = verify(tmp_path, "incremental")["segments"]
    assert not ok
    assert newer.stem in detail
    assert not verify(tmp_path, "full")["segments"][0]


def test_a_removal_from_an_old_segment_is_verified(tmp_path: Path) -> None:
    write(tmp_path, 3)
    verify(tmp_path, "full")
    with EvidenceStore.open(tmp_path, now=NOW) as store:
        apply_retention(store, 1, "", NOW, dry_run=False)
    for leaves in tmp_path.glob("segments/*/*.leaves"):
        damage(leaves)
    assert not verify(tmp_path, "incremental")["segments"][0]


@pytest.mark.parametrize("change", ["mac", "root"])
def test_a_changed_record_is_not_believed(tmp_path: Path, change: str) -> None:
    (file,) = write(tmp_path, 3)
    verify(tmp_path, "full")
    damage(file)
    record = tmp_path / "derived" / "verified.json"
    if change == "mac":
        record.write_bytes(record.read_bytes().replace(b"full", b"fuLL"))
        assert not verify(tmp_path, "incremental")["segments"][0]
    else:
        kept = record.read_bytes()
        record.unlink()
        assert not verify(tmp_path, "incremental")["segments"][0]
        record.write_bytes(kept)
        assert verify(tmp_path, "incremental")["scope"][0]


def test_a_sample_and_doctor_say_what_was_done(tmp_path: Path) -> None:
    files = write(tmp_path, 3, 2, 1)

    def doctor(check: str = "verified") -> tuple[bool, str]:
        found = check_installation(tmp_path, now=NOW + DAY, home=tmp_path, cwd=tmp_path)
        return next(
            (bool(e["ok"]), str(e["detail"]))
            for e in found.items
            if e["check"] == check
        )

    assert doctor() == (False, "the evidence was never verified")
    assert verify(tmp_path, "sample", 1)["segments"] == (True, "3 events in 1 segment")
    assert not doctor()[0]
    assert verify(tmp_path, "full")["segments"] == (True, "9 events in 3 segments")
    ok, detail = doctor()
    assert ok
    assert "full" in detail
    assert "sample" in detail
    for file in files:
        damage(file)
    assert not verify(tmp_path, "sample", 1)["segments"][0]
    with EvidenceStore.open(tmp_path, now=NOW) as store:
        assert set(load_verified_states(store)) == {"full", "sample", "failed"}
    ok, detail = doctor("evidence")
    assert not ok
    assert detail.endswith("(3 events) is damaged")
    for file in files:
        damage(file)  # twice is not at all
    assert doctor("evidence") == (
        False,
        "a verification failed 24 h ago, and no full one succeeded since",
    )
    assert verify(tmp_path, "full")["segments"][0]
    assert doctor("evidence") == (True, "no segment, journal or object is missing")
    files[0].unlink()
    ok, detail = doctor("evidence")
    assert not ok
    assert detail.endswith("(3 events) is missing")


def test_a_sample_has_as_many_segments_as_asked_for_after_compaction(
    tmp_path: Path,
) -> None:
    write(tmp_path, 4, 3, 2)
    for first in range(10, 60, 10):
        with EvidenceStore.open(tmp_path, now=NOW) as store:
            added = range(first, first + 3)
            store.append([event(n, event_time=NOW - DAY + n) for n in added], NOW)
            store.seal(NOW)
    with EvidenceStore.open(tmp_path, now=NOW) as store:
        (group,) = plan_compaction(store, "")
        assert compact_segments(store, group, NOW)
    for _ in range(5):
        assert verify(tmp_path, "sample", 3)["segments"][1].endswith("in 3 segments")
