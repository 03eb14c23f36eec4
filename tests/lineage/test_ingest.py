"""Ingest: counted, stored once, sealed, and partial where something was not read."""

import json
from pathlib import Path

import pytest

from answerable.connectors import log_reader
from answerable.lineage.window_comparison import RecordedWindow
from answerable.model.documents.shared_shapes import Document
from answerable.model.errors import UsageError
from answerable.presentation.answer_coverage import build_coverage
from answerable.services.inventory.snapshots import load_inventory
from answerable.services.lineage.trace_rows import (
    TraceQuery,
    describe_searched_events,
    describe_unread_logs,
)
from answerable.store.collection_state import read_unread_logs
from answerable.store.store import EvidenceStore
from answerable.usecases.evidence.ingest_logs import ingest_logs
from answerable.usecases.evidence.store_life import show_store_statistics
from tests.lineage.conftest import DATA, NOW

SOURCE = f"cloudtrail:{DATA}"


def counts(document: Document) -> dict[str, object]:
    (item,) = document.items
    return {key: item[key] for key in ("read", "stored", "duplicate", "quarantined")}


def test_a_folder_is_read_stored_and_sealed_and_a_second_time_nothing_is(
    store: EvidenceStore,
) -> None:
    first = ingest_logs(store, [SOURCE], now=NOW)
    # lookup.json and lake.jsonl carry records of day.json once more.
    assert counts(first) == {"read": 22, "stored": 18, "duplicate": 4, "quarantined": 0}
    assert first.items[0]["skipped"] == 1
    assert first.items[0]["files"] == 4
    assert first.items[0]["segments"] == 1
    assert not first.is_partial
    again = ingest_logs(store, [SOURCE], now=NOW)
    assert counts(again)["stored"] == 0
    assert store.run_query("SELECT count(*) FROM events") == [(18,)]


def test_what_could_not_be_read_makes_the_answer_partial(
    store: EvidenceStore, tmp_path: Path
) -> None:
    records = json.loads((DATA / "day.json").read_text())["Records"]
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "a.json").write_text(json.dumps([records[0], {"no": "record"}]))
    (logs / "b.json").write_bytes(b"\x00 garbage")
    answer = ingest_logs(store, [f"cloudtrail:{logs}"], now=NOW)
    assert counts(answer) == {"read": 3, "stored": 1, "duplicate": 0, "quarantined": 2}
    assert answer.is_partial
    (source,) = answer.coverage["sources"]
    assert len(source["problems"]) == 2
    assert all("\n" not in line for line in source["problems"])
    assert len(store.list_objects("quarantine")) == 1


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("cloudtrial:x", "unknown source"),
        ("home:x", "inventory"),
        ("cloudtrail", "a path is missing"),
        ("cloudtrail:/nowhere/at/all", "no such file"),
    ],
)
def test_a_wrong_source_is_a_usage_error_and_stores_nothing(
    store: EvidenceStore, source: str, said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        ingest_logs(store, [SOURCE, source], now=NOW)
    assert store.run_query("SELECT count(*) FROM events") == [(0,)]


def test_small_files_become_durable_together(
    store: EvidenceStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = json.loads((DATA / "day.json").read_text())["Records"]
    logs = tmp_path / "logs"
    logs.mkdir()
    for number, record in enumerate(records):
        (logs / f"{number:02}.json").write_text(json.dumps([record]))
    appended = []
    real = store.append
    monkeypatch.setattr(
        store, "append", lambda e, now: appended.append(len(e)) or real(e, now)
    )
    ingest_logs(store, [f"cloudtrail:{logs}"], now=NOW)
    assert appended == [18]


def test_a_large_input_is_parsed_apart_with_the_same_result(
    store: EvidenceStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_reader, "SUBPROCESS_BYTES", 0)
    assert counts(ingest_logs(store, [SOURCE], now=NOW))["stored"] == 18


def test_progress_ends_at_the_whole(store: EvidenceStore) -> None:
    seen: list[tuple[int, int]] = []
    ingest_logs(store, [SOURCE], now=NOW, progress=lambda d, t, _: seen.append((d, t)))
    assert seen[-1][0] == seen[-1][1] > 0


def test_later_answers_name_what_was_not_read_until_a_complete_run(
    store: EvidenceStore, tmp_path: Path
) -> None:
    records = json.loads((DATA / "day.json").read_text())["Records"]
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "a.json").write_text(json.dumps([records[0], {"no": "record"}]))
    (logs / "b.json").write_bytes(b"\x00 garbage")
    ingest_logs(store, [f"cloudtrail:{logs}"], now=NOW)
    said = "2 records were quarantined, and no complete ingestion followed"
    inventory = load_inventory(store, now=NOW)
    (reason,) = describe_unread_logs(inventory).values()
    assert said in reason
    covered = build_coverage(inventory, NOW)
    assert covered["partial"]
    assert covered["sources"][-1]["source"] == f"cloudtrail:{logs}"
    assert said in covered["sources"][-1]["problems"][0]
    assert said in describe_searched_events(store, inventory, [], TraceQuery())
    assert show_store_statistics(store, now=NOW).is_partial
    window = RecordedWindow(0, NOW, {}, describe_unread_logs(inventory))
    assert window.describe_gap(("cloudtrail", "", "", "")) == reason

    (logs / "b.json").unlink()
    (logs / "a.json").write_text(json.dumps([records[0]]))
    ingest_logs(store, [f"cloudtrail:{logs}"], now=NOW)
    assert not build_coverage(load_inventory(store, now=NOW), NOW)["partial"]
    assert not show_store_statistics(store, now=NOW).is_partial


def test_a_damaged_record_of_what_was_not_read_is_not_complete(
    store: EvidenceStore,
) -> None:
    folder = store.layout.collection.parent
    folder.mkdir()
    (folder / "unread-0.json").write_text("{")
    (log,) = read_unread_logs(store.layout)
    assert not log.is_complete


def test_events_in_the_future_are_not_where_the_next_command_begins(
    store: EvidenceStore, tmp_path: Path
) -> None:
    record = json.loads((DATA / "day.json").read_text())["Records"][0]
    log = tmp_path / "a.json"
    log.write_text(json.dumps([{**record, "eventTime": "2099-01-01T00:00:00Z"}]))
    document = ingest_logs(store, [f"cloudtrail:{log}"], now=NOW)
    assert "--since" not in document.next
