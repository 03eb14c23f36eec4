"""Life of a store: compaction, retention, holds, damaged segments, repair."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from answerable.evidence.log_entries import (
    RowsRemoved,
    SegmentManifest,
    list_live_segments,
)
from answerable.evidence.proof_bundle import verify_bundle
from answerable.model.errors import VerificationError
from answerable.model.event import AuditEvent
from answerable.model.progress import ignore_progress_report
from answerable.services.inventory.snapshots import LATEST, load_inventory
from answerable.store import store_statistics
from answerable.store.compaction import compact_segments, plan_compaction
from answerable.store.event_gaps import read_event_gaps
from answerable.store.fsck import verify_store
from answerable.store.inclusion_proofs import build_inclusion_bundle
from answerable.store.legal_holds import LegalHold, place_hold, release_hold
from answerable.store.retention import apply_retention
from answerable.store.store import EvidenceStore
from answerable.store.store_repair import repair_store
from answerable.store.store_statistics import read_day_statistics
from tests.store.conftest import NOW
from tests.store.conftest import _make as event

DAY = 86_400 * 10**9


def write_days(root: Path, days: int = 3, batches: int = 2) -> list[AuditEvent]:
    """Write a store with several segments on each of some days."""
    written: list[AuditEvent] = []
    for batch in range(batches):
        with EvidenceStore.open(root, now=NOW) as store:
            events = [
                event(
                    day * 1000 + batch * 100 + number,
                    event_time=NOW - day * DAY + batch * 50 + number,
                    identity=f"role/{number % 3}",
                    source="cloudtrail" if number % 2 else "okta",
                    person="person:ada@example.com" if number == 3 else "",
                )
                for day in range(days)
                for number in range(7)
            ]
            store.append(events, NOW)
            store.seal(NOW)
            written += events
    return written


def check(store: EvidenceStore) -> None:
    """Check that a store verifies."""
    failed = [
        c for c in verify_store(store, None, None, ignore_progress_report) if not c.ok
    ]
    assert not failed, failed


def read_ids(store: EvidenceStore) -> set[bytes]:
    return {row[0] for row in store.run_query("SELECT event_id FROM events")}  # type: ignore[misc]


def test_compaction_keeps_every_row_and_proof(tmp_path: Path) -> None:
    written = write_days(tmp_path)
    with EvidenceStore.open(tmp_path, now=NOW) as store:
        old = build_inclusion_bundle(store, [written[0].event_id])
        groups = plan_compaction(store)
        assert [len(group) for group in groups] == [2] * 3
        for group in groups:
            assert compact_segments(store, group, NOW)
        assert len(list_live_segments(store.log.entries())) == 3
        assert len(list(tmp_path.glob("segments/*/*.parquet"))) == 3
        assert read_ids(store) == {each.event_id for each in written}
        check(store)
        for bundle in (old, build_inclusion_bundle(store, [written[0].event_id])):
            assert verify_bundle(bundle, store.keys.public_key).events
        assert not plan_compaction(store)


def test_a_changed_order_file_is_found(tmp_path: Path) -> None:
    write_days(tmp_path, days=1)
    with EvidenceStore.open(tmp_path, now=NOW) as store:
        compact_segments(store, plan_compaction(store)[0], NOW)
        (order,) = tmp_path.glob("segments/*/*.order")
        data = bytearray(order.read_bytes())
        data[3], data[7] = data[7], data[3]
        order.write_bytes(data)
        checks = verify_store(store, None, None, ignore_progress_report)
        assert [c.check for c in checks if not c.ok] == ["segments"]


def test_compaction_refuses_a_damaged_segment(tmp_path: Path) -> None:
    write_days(tmp_path, days=1)
    file = next(tmp_path.glob("segments/*/*.parquet"))
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    with EvidenceStore.open(tmp_path, now=NOW) as store:
        with pytest.raises(Exception, match="does not match its manifest"):
            compact_segments(store, plan_compaction(store)[0], NOW)
        assert len(list(tmp_path.glob("segments/*/*.parquet"))) == 2


def test_retention_frees_days_and_keeps_leaves(tmp_path: Path) -> None:
    written = write_days(tmp_path)
    with EvidenceStore.open(tmp_path, now=NOW) as store:
        assert apply_retention(store, 2, "", NOW, dry_run=True)
        assert len(read_ids(store)) == len(written)
        apply_retention(store, 2, "", NOW, dry_run=False)
        kept = {e.event_id for e in written if e.event_time >= NOW // DAY * DAY - DAY}
        assert read_ids(store) == kept
        assert len(list(tmp_path.glob("segments/*/*.leaves"))) == 6
        assert len(list(tmp_path.glob("segments/*/*.parquet"))) == 4
        check(store)
        (line,) = read_event_gaps(store).removed
        assert "14 events" in line
        assert "removed by retention" in line
        assert not apply_retention(store, 2, "", NOW, dry_run=False)


def test_retention_of_one_source_keeps_the_others(tmp_path: Path) -> None:
    written = write_days(tmp_path)
    with EvidenceStore.open(tmp_path, now=NOW) as store:
        compact_segments(store, plan_compaction(store)[0], NOW)
        apply_retention(store, 1, "okta", NOW, dry_run=False)
        first = NOW // DAY * DAY
        kept = [e for e in written if e.source != "okta" or e.event_time >= first]
        assert read_ids(store) == {e.event_id for e in kept}
        check(store)
        for each in kept[:40:9]:
            bundle = build_inclusion_bundle(store, [each.event_id])
            assert verify_bundle(bundle, store.keys.public_key).events
        # A second removal from the same segments.
        apply_retention(store, 1, "cloudtrail", NOW, dry_run=False)
        assert read_ids(store) == {e.event_id for e in kept if e.event_time >= first}
        check(store)


@pytest.mark.parametrize(
    ("hold", "keeps"),
    [
        (LegalHold("case 7"), lambda e: True),
        (LegalHold("case 7", source="okta"), lambda e: e.source == "okta"),
        (LegalHold("case 7", person="person:ada@example.com"), lambda e: e.person),
        (LegalHold("case 7", until="2001-01-01"), lambda e: False),
    ],
)
def test_a_hold_beats_retention_until_its_release(
    tmp_path: Path, hold: LegalHold, keeps: Callable[[AuditEvent], object]
) -> None:
    written = write_days(tmp_path, days=2)
    with EvidenceStore.open(tmp_path, now=NOW) as store:
        placed = place_hold(store, hold, NOW)
        apply_retention(store, 1, "", NOW, dry_run=False)
        first = NOW // DAY * DAY
        kept = {e.event_id for e in written if e.event_time >= first or keeps(e)}
        assert read_ids(store) == kept
        check(store)
        release_hold(store, placed, "settled", NOW)
        apply_retention(store, 1, "", NOW, dry_run=False)
        assert read_ids(store) == {e.event_id for e in written if e.event_time >= first}
        check(store)


@pytest.mark.parametrize("damage", ["missing", "cut", "changed", "folder"])
def test_every_other_segment_answers(tmp_path: Path, damage: str) -> None:
    written = write_days(tmp_path)
    file = sorted(tmp_path.glob("segments/*/*.parquet"))[0]
    whole = file.read_bytes()
    match damage:
        case "missing":
            file.unlink()
        case "cut":
            file.write_bytes(whole[:-20])
        case "changed":
            file.write_bytes(whole[:40] + bytes(len(whole) - 400) + whole[-360:])
        case _:
            file.unlink()
            file.mkdir()
    with EvidenceStore.open(tmp_path, now=NOW) as store:
        assert len(read_ids(store)) == len(written) - 7
        assert len(store.run_user_select("SELECT * FROM events")[1]) == len(written) - 7
        (line,) = read_event_gaps(store).unreadable
        assert file.stem in line
        assert "7 events" in line
        days = read_day_statistics(store)
        assert [each.unreadable for each in days] == [7, *[0] * (len(days) - 1)]
    with EvidenceStore.open(tmp_path, now=NOW) as store:
        days = read_day_statistics(store)
        # It reads no file as a whole.
        assert days[0].unreadable == (0 if damage == "changed" else 7)
        store.append([event(9_999)], NOW)  # and ingest goes on
        store.seal(NOW)


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        ("missing", "is missing"),
        ("cut", "was cut after 3 events"),
        ("changed", "is damaged after 3 events"),
        ("headless", "may lack events"),
    ],
)
def test_a_damaged_journal_is_named(tmp_path: Path, damage: str, says: str) -> None:
    with EvidenceStore.open(tmp_path, now=NOW) as store:
        store.append([event(number) for number in range(3)], NOW)
        (file,) = tmp_path.glob("journal/*.log")
        end = file.stat().st_size
        store.append([event(number) for number in range(3, 9)], NOW)
        assert read_event_gaps(store).unreadable == ()
    whole = file.read_bytes()
    match damage:
        case "missing":
            file.unlink()
        case "cut":
            file.write_bytes(whole[:end])
        case "changed":
            file.write_bytes(whole[: end + 30] + b"\0" + whole[end + 31 :])
        case _:
            file.with_suffix(".head").unlink()
    with EvidenceStore.open(tmp_path, now=NOW) as store:
        (line,) = read_event_gaps(store).unreadable
        assert line.endswith(says) or says in line
        inventory = load_inventory(store, LATEST, now=NOW)
        assert inventory.read_event_gaps is not None
        assert inventory.read_event_gaps().unreadable == (line,)


@pytest.mark.parametrize("damage", ["missing", "empty", "size", "entry"])
def test_a_damaged_log_answers_nothing(tmp_path: Path, damage: str) -> None:
    write_days(tmp_path)
    note, bundle = tmp_path / "log" / "checkpoint", *tmp_path.glob("log/*/entries/*/*")
    lines = note.read_text().split("\n")
    match damage:
        case "missing":
            note.unlink()
        case "empty":
            note.write_bytes(b"")
        case "size":  # an older one of the same log
            note.write_text("\n".join([lines[0], str(int(lines[1]) - 1), *lines[2:]]))
        case _:
            bundle.write_bytes(bundle.read_bytes().replace(b'"count":7', b'"count":6'))
    with (
        EvidenceStore.open(tmp_path, now=NOW) as store,
        pytest.raises(VerificationError),
    ):
        store.run_query("SELECT count(*) FROM events")


def test_statistics_count_events_that_are_not_sealed_yet(tmp_path: Path) -> None:
    write_days(tmp_path)
    fresh = [event(9_000 + n, event_time=NOW + n // 2 * DAY) for n in range(4)]
    with (
        EvidenceStore.open(tmp_path, now=NOW) as store,
        EvidenceStore.open(tmp_path, now=NOW) as other,
    ):
        store.append(fresh, NOW)
        for sealed in (False, True):
            other.append(fresh, NOW)  # both have them until one is sealed
            if sealed:
                other.seal(NOW)
            days = {each.day: each.events for each in read_day_statistics(store)}
            count = store.run_query("SELECT count(*) FROM events")[0][0]
            assert sum(days.values()) == count == 42 + 4
            assert days[max(days)] == 2


def test_statistics_count_events_that_are_sealed_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_days(tmp_path)
    usual = store_statistics._is_cut

    def look(*given: Any) -> bool:
        other.seal(NOW)
        return usual(*given)

    with (
        EvidenceStore.open(tmp_path, now=NOW) as store,
        EvidenceStore.open(tmp_path, now=NOW) as other,
    ):
        other.append([event(9_000)], NOW)
        monkeypatch.setattr(store_statistics, "_is_cut", look)
        assert sum(each.events for each in read_day_statistics(store)) == 42 + 1


def test_repair_sets_aside_and_restores_from_a_copy(tmp_path: Path) -> None:
    written = write_days(tmp_path / "store")
    file = sorted((tmp_path / "store").glob("segments/*/*.parquet"))[0]
    name = file.relative_to(tmp_path / "store")
    (tmp_path / "copy" / name).parent.mkdir(parents=True)
    (tmp_path / "copy" / name).write_bytes(file.read_bytes())
    file.write_bytes(file.read_bytes()[:-9])
    for leaves in (tmp_path / "store").glob("segments/*/*.leaves"):
        leaves.write_bytes(b"")
    for manifest in (tmp_path / "store").glob("segments/*/*.json"):
        manifest.unlink()
    with EvidenceStore.open(tmp_path / "store", now=NOW) as store:
        planned = repair_store(store, None, NOW, dry_run=True)
        assert {step.action for step in planned} >= {"set aside", "rebuild", "missing"}
        assert file.exists()
        steps = repair_store(store, None, NOW, dry_run=False)
        assert any(step.failed for step in steps)
        assert not file.exists()
        assert len(read_ids(store)) == len(written) - 7
        steps = repair_store(store, tmp_path / "copy", NOW, dry_run=False)
        assert {step.action for step in steps} == {"restore", "rebuild"}
        assert len(read_ids(store)) == len(written)
        check(store)
        assert not repair_store(store, None, NOW, dry_run=True)


def test_entries_of_earlier_releases_keep_their_bytes(tmp_path: Path) -> None:
    write_days(tmp_path, days=1, batches=1)
    with EvidenceStore.open(tmp_path, now=NOW) as store:
        data = next(d for d in store.log.raw_entries() if b'"kind":"segment"' in d)
        assert b"replaces" not in data
        assert b"order_sha256" not in data
        kinds = {type(each) for each in store.log.entries()}
        assert SegmentManifest in kinds
        assert RowsRemoved not in kinds
