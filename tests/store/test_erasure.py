"""Erasure of a person: no value or unsalted hash remains, and the rest still proves."""

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from answerable.evidence.case_records import CaseRecordKind
from answerable.evidence.proof_bundle import verify_bundle
from answerable.lineage.search_query import parse_search_query
from answerable.model.collection import UnreadLog
from answerable.model.errors import UsageError
from answerable.model.event import AuditEvent, QuarantinedRecord
from answerable.model.ids import PersonId
from answerable.model.person import Person
from answerable.model.progress import ignore_progress_report
from answerable.model.provenance import FactProvenance, WrittenBy
from answerable.services.evidence.cases import (
    ERASED_TITLE,
    append_case_records,
    find_case,
    open_case,
    read_cases,
)
from answerable.services.inventory import other_names
from answerable.services.lineage.chain_cache import write_current_chain_file
from answerable.services.lineage.saved_queries import (
    QueryDraft,
    list_saved_queries,
    save_query,
)
from answerable.store import erasure
from answerable.store.collection_state import read_unread_logs, record_unread_log
from answerable.store.event_gaps import read_event_gaps
from answerable.store.fsck import verify_store
from answerable.store.fsck_history import read_restore_events
from answerable.store.inclusion_proofs import build_inclusion_bundle
from answerable.store.legal_holds import LegalHold, place_hold, release_hold
from answerable.store.restoration_event import record_restore
from answerable.store.store import EvidenceStore
from answerable.store.store_repair import repair_store
from answerable.usecases.evidence import store_life
from answerable.usecases.evidence.erase_person import erase_person
from tests.store.conftest import NOW
from tests.store.conftest import _make as event
from tests.stored_contents import iterate_stored_contents

ADA = "ada.lovelace@example.com"
DAY = 86_400 * 10**9


def contents(root: Path) -> Iterator[bytes]:
    """Yield everything that the files of a store contain, and their names."""
    for path in sorted(root.rglob("*")):
        yield str(path.relative_to(root)).encode()
        if not path.is_file():
            continue
        yield from iterate_stored_contents(path)


def write(root: Path) -> tuple[list[AuditEvent], list[AuditEvent]]:
    """Write a store with two segments a day; return rows to erase and rows to keep."""
    gone: list[AuditEvent] = []
    kept: list[AuditEvent] = []
    for batch in range(2):
        with EvidenceStore.open(root, now=NOW) as store:
            rows = []
            for number in range(12):
                changes = [
                    {"person": f"person:{ADA}"},
                    {"identity": f"arn:aws:sts::1:assumed-role/x/{ADA.upper()}"},
                    {"facts": (("mail", f"to {ADA}."),)},
                    {"resources": ("a", f"s3://{ADA.replace('@', '%40')}/x")},
                    {"person": f"person:x{ADA}"},
                    {"person": "person:bob@example.com"},
                ]
                made = event(
                    batch * 100 + number,
                    event_time=NOW - (number % 2) * DAY + number + batch * 50,
                    **(changes[number] if number < 6 else {}),
                )
                rows.append(made)
                (gone if number < 4 else kept).append(made)
            store.append(rows, NOW)
            again = event(
                batch * 100,
                event_time=rows[0].event_time,
                raw="x",
                person=f"person:{ADA}",
            )
            store.append([again], NOW)
            store.seal(NOW)
    with EvidenceStore.open(root, now=NOW) as store:
        raw = json.dumps({"user": ADA, "broken": True}).encode()
        store.quarantine([QuarantinedRecord("a.json", 0, "broken", raw)], NOW)
        store.put_object("baseline-test", f'{{"of":"{ADA}"}}'.encode(), NOW)
        store.put_object("baseline-test", b'{"of":"bob"}', NOW)
    return gone, kept


def check(store: EvidenceStore) -> None:
    failed = [
        c for c in verify_store(store, None, None, ignore_progress_report) if not c.ok
    ]
    assert not failed, failed


def test_no_value_and_no_unsalted_hash_remains(tmp_path: Path) -> None:
    gone, kept = write(tmp_path)
    with EvidenceStore.open(tmp_path, now=NOW) as store:
        store.run_query("SELECT 1 FROM events")
        bundle = build_inclusion_bundle(store, [kept[0].event_id])
        key = store.keys.public_key
        planned = erase_person(store, [f"person:{ADA}"], "asked", now=NOW, dry_run=True)
        assert {each["state"] for each in planned.items} == {"planned"}
        before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
        assert sum(len(p) for p in before.values())
        answer = erase_person(store, [f"person:{ADA}"], "asked", now=NOW)
        assert not answer.failed, answer.items
        assert [e["target"] for e in answer.items] == [
            e["target"] for e in planned.items
        ]
        check(store)
        (line,) = read_event_gaps(store).removed
        assert "10 events" in line  # two conflicts of the first row included
        assert "erased by policy" in line
        for each in kept[::3]:
            proof = build_inclusion_bundle(store, [each.event_id])
            assert verify_bundle(proof, key).events
        assert verify_bundle(bundle, key).events
        with pytest.raises(UsageError):
            build_inclusion_bundle(store, [gone[0].event_id])
        rows = store.run_query("SELECT event_id FROM events")
        assert {row[0] for row in rows} == {each.event_id for each in kept}
    secrets = [ADA.encode(), ADA.replace("@", "%40").encode()]
    secrets += [hashlib.sha256(ADA.encode()).digest()]
    hashes = [e.raw_sha256 for e in gone] + [e.event_id for e in gone]
    hashes += [hashlib.sha256(b"x").digest()]
    for data in contents(tmp_path):
        lower = data.lower().replace(b"x" + ADA.encode(), b"")
        for secret in secrets:
            assert secret not in lower
        for digest in hashes:
            assert digest not in data
            assert digest.hex().encode() not in lower


def test_a_case_keeps_what_does_not_concern_the_person(tmp_path: Path) -> None:
    gone, kept = write(tmp_path)
    with EvidenceStore.open(tmp_path, now=NOW) as store:
        case = open_case(store, f"{ADA} leaked a key", "root", NOW)
        items = [
            (CaseRecordKind.EVENT, each.event_id.hex(), "")
            for each in (gone[0], kept[0])
        ]
        notes = [
            (CaseRecordKind.NOTE, "", text)
            for text in (f"asked {ADA}", "asked the bank")
        ]
        append_case_records(store, case, [*items, *notes], "root", NOW)
        answer = erase_person(store, [ADA], "asked", now=NOW)
        assert not answer.failed, answer.items
        (left,) = read_cases(store).cases
        assert (left.id, left.title) == (case.id, ERASED_TITLE)
        assert left.list_values(CaseRecordKind.EVENT) == [kept[0].event_id.hex()]
        assert [each.record.text for each in left.records] == ["", "asked the bank"]
        assert find_case(store, case.id[:6]).id == case.id
        check(store)
    for data in contents(tmp_path):
        assert gone[0].event_id.hex().encode() not in data


def test_saved_queries_notes_and_records_of_a_restore_are_erased(
    tmp_path: Path,
) -> None:
    with EvidenceStore.open(tmp_path / "store", now=NOW) as store:
        store.append([event(1)], NOW)
        store.seal(NOW)
        for name, text in (("of-ada", f"person={ADA}"), ("of-bob", "person=bob")):
            draft = QueryDraft(name, parse_search_query(text), "")
            save_query(store, draft, "root", NOW)
        save_query(store, QueryDraft("all", parse_search_query(""), ""), ADA, NOW)
        case = open_case(store, "A leaked key", "root", NOW)
        kinds = CaseRecordKind.NOTE, CaseRecordKind.ASSIGNED
        texts = ("", f"asked {ADA}"), (f"person:{ADA}", "")
        items = [(kind, *text) for kind, text in zip(kinds, texts, strict=True)]
        append_case_records(store, case, items, ADA, NOW)
        append_case_records(
            store, case, [(CaseRecordKind.NOTE, "", "rotated")], "root", NOW
        )
        record_restore(store, None, f"restored from the backup of {ADA}", NOW)
        record_restore(store, None, "restored from a backup", NOW)
        answer = erase_person(store, [f"person:{ADA}"], "asked", now=NOW)
        assert not answer.failed, answer.items
        kinds_erased = sorted(each["target"].split()[0] for each in answer.items)
        assert kinds_erased == ["case", "case", "restore", *["saved-query"] * 2]
        assert [each.name for each in list_saved_queries(store)] == ["of-bob"]
        (left,) = read_cases(store).cases
        assert [each.record.text for each in left.records] == [
            "A leaked key",
            "rotated",
        ]
        (restore,) = read_restore_events(store)
        assert restore.reason == "restored from a backup"
        check(store)
    for data in contents(tmp_path / "store"):
        assert ADA.encode() not in data.lower()


def test_a_hold_beats_erasure(tmp_path: Path) -> None:
    gone, kept = write(tmp_path)
    with EvidenceStore.open(tmp_path, now=NOW) as store:
        place_hold(store, LegalHold("case 7", person=f"person:{ADA}"), NOW)
        answer = erase_person(store, [ADA], "asked", now=NOW)
        assert answer.failed
        assert sum(each["held"] for each in answer.items) == 10
        files = [e for e in answer.items if str(e["target"]).endswith(".parquet")]
        assert files
        assert all("a legal hold may keep it" in str(e["detail"]) for e in files)
        rows = store.run_query("SELECT DISTINCT event_id FROM events")
        assert {row[0] for row in rows} == {e.event_id for e in gone + kept}
        check(store)


def test_copies_that_a_repair_set_aside_are_deleted_unless_there_is_a_hold(
    tmp_path: Path,
) -> None:
    root = tmp_path / "store"
    write(root)
    shutil.copytree(root, tmp_path / "copy")
    tables = sorted(root.glob("segments/*/*.parquet"))
    for file in tables:
        file.write_bytes(file.read_bytes()[:-1])
    stray = tables[0].with_name("stray.parquet")
    stray.write_bytes(b"no table")
    with EvidenceStore.open(root, now=NOW) as store:
        repair_store(store, tmp_path / "copy", NOW, dry_run=False)
        aside = root / "set-aside"
        assert len(list(aside.iterdir())) == len(tables)
        hold = place_hold(store, LegalHold("case 7", since="2030-01-01"), NOW)
        answer = erase_person(store, [ADA], "asked", now=NOW)
        open_items = {e["target"] for e in answer.items if e["state"] == "open"}
        assert len(open_items) == len(tables) + 1  # the file that is no table
        assert str(stray.relative_to(root)) in open_items
        release_hold(store, hold, "closed", NOW)
        stray.unlink()
        planned = erase_person(store, [ADA], "", now=NOW, dry_run=True)
        assert len(planned.items) == len(tables) == len(list(aside.iterdir()))
        answer = erase_person(store, [ADA], "asked", now=NOW)
        assert not answer.failed, answer.items
        assert answer.items == [{**e, "state": "done"} for e in planned.items]
        assert not list(aside.iterdir())
        check(store)


def test_a_running_writer_that_names_the_person_is_named(tmp_path: Path) -> None:
    write(tmp_path)
    with EvidenceStore.open(tmp_path, now=NOW) as other:
        other.append([event(5_000, person=f"person:{ADA}")], NOW)
        with (
            EvidenceStore.open(tmp_path, now=NOW) as store,
            pytest.raises(UsageError, match="journal/"),
        ):
            erase_person(store, [ADA], "asked", now=NOW)


def test_a_plan_names_what_is_not_sealed_and_other_files(tmp_path: Path) -> None:
    with EvidenceStore.open(tmp_path, now=NOW) as writer:
        writer.append([event(n, person=f"person:{ADA}") for n in range(3)], NOW)
        writer.append([event(9)], NOW)
        shutil.copytree(tmp_path, tmp_path.with_name("killed"))
    with EvidenceStore.open(tmp_path.with_name("killed"), now=NOW) as store:
        (store.root / "kills.json").write_text(ADA)
        planned = erase_person(store, [ADA], "", now=NOW, dry_run=True)
        (journal, file) = planned.items
        assert str(journal["target"]).startswith("journal ")
        assert (journal["state"], journal["events"]) == ("planned", 3)
        assert (file["state"], file["target"]) == ("open", "kills.json")
        done = erase_person(store, [ADA], "asked", now=NOW)
        assert [each["events"] for each in done.items] == [3, 0]


def test_other_names_of_the_person_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = FactProvenance("people", "x", 1, WrittenBy.PLATFORM)
    person = Person(PersonId("person:ada"), "", (ADA, "lovelace"), False, True, seen)
    known = SimpleNamespace(persons={person.id: person})
    monkeypatch.setattr(other_names, "load_inventory", lambda store: known)
    with EvidenceStore.open(tmp_path, now=NOW) as store:
        store.append([event(1, person="person:ada")], NOW)
        store.seal(NOW)
        said = erase_person(store, ["Lovelace"], "", now=NOW, dry_run=True).note
        assert f"also as ada, {ADA}:" in said
        names = ["ada", "lovelace", f"person:{ADA}"]
        assert not erase_person(store, names, "", now=NOW, dry_run=True).note
        hold = LegalHold(reason="x", person="ada")
        assert (
            f"also as {ADA}, lovelace"
            in store_life.place_hold(store, hold, now=NOW).note
        )


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (["ab"], "asked"),
        (["q" * 1001], "asked"),
        ([ADA, " person: "], "asked"),
        ([ADA], ""),
        ([ADA], f"of {ADA}"),
    ],
)
def test_unsafe_requests_are_refused(
    tmp_path: Path, names: list[str], reason: str
) -> None:
    write(tmp_path)
    with EvidenceStore.open(tmp_path, now=NOW) as store:
        with pytest.raises(UsageError):
            erase_person(store, names, reason, now=NOW)
        check(store)


def test_the_location_of_an_incomplete_log_is_erased_and_its_counts_stay(
    tmp_path: Path,
) -> None:
    write(tmp_path)
    with EvidenceStore.open(tmp_path, now=NOW) as store:
        for folder in (ADA, "bob@example.com"):
            source = f"cloudtrail:/logs/{folder}/today"
            record_unread_log(store.layout, UnreadLog(source, NOW, 2))
        before = {path.name for path in tmp_path.glob("collector/unread-*")}
        erase_person(store, [ADA], "request 7", now=NOW)
        logs = read_unread_logs(store.layout)
    after = {path.name for path in tmp_path.glob("collector/unread-*")}
    assert (
        len(before & after) == 1
    )  # a hash of the location is a guess that can be tried
    assert {(each.source, each.quarantined) for each in logs} == {
        ("cloudtrail:/logs/bob@example.com/today", 2),
        ("cloudtrail:(location erased by policy)", 2),
    }
    assert not any(ADA.encode() in each for each in contents(tmp_path / "collector"))


def test_no_chains_are_derived_while_a_person_is_erased(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "store")
    with EvidenceStore.open(tmp_path / "store", now=NOW) as store:
        write_current_chain_file(store)

        def delete(opened: EvidenceStore) -> None:
            handle = os.open(opened.derived, os.O_RDONLY)
            try:
                with pytest.raises(BlockingIOError):
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            finally:
                os.close(handle)
            deleted.append(opened)

        deleted: list[EvidenceStore] = []
        monkeypatch.setattr(erasure, "_delete_derived_files", delete)
        erase_person(store, [ADA], "asked", now=NOW)
        assert deleted == [store]
