"""Cases of which an event was removed, or cannot be read."""

import json
from pathlib import Path

import pytest

from answerable.cli.main import main
from answerable.evidence.case_records import CaseRecordKind
from answerable.model.documents.shared_shapes import Document
from answerable.model.ids import build_event_id
from answerable.model.time_units import DAY_NS
from answerable.services.evidence.cases import append_case_records, find_case
from answerable.services.lineage.trace_rows import TraceQuery
from answerable.store.store import EvidenceStore
from answerable.store.store_layout import format_day
from answerable.usecases.evidence.store_life import retain_events
from answerable.usecases.evidence.verify_and_prove import verify_evidence
from answerable.usecases.lineage import export_case, manage_cases
from answerable.usecases.lineage.trace import trace_events
from tests.lineage.conftest import ACCOUNT, NOW, made

TITLE = "An old read and a new one"
OLD = NOW - 400 * DAY_NS


@pytest.fixture
def old(day: EvidenceStore) -> str:
    """The id of an old event, in a case with a new one and a note."""
    number = build_event_id(OLD, "cloudtrail", ACCOUNT, b"old")
    day.append([made(1, event_time=OLD, event_id=number)], NOW)
    day.seal(NOW)
    manage_cases.create_case(day, TITLE, "ana", now=NOW)
    rows = trace_events(day, TraceQuery(action="s3:*"), now=NOW).items
    new = next(str(row["event_id"]) for row in rows if row["event_id"] != number.hex())
    manage_cases.add_to_case(day, TITLE, [number.hex(), new], "ana", now=NOW)
    manage_cases.note_on_case(day, TITLE, "asked the bank", "ana", now=NOW)
    return number.hex()


def remove(store: EvidenceStore) -> None:
    assert not retain_events(store, 300, now=NOW).failed


def find_file(store: EvidenceStore) -> Path:
    folder = store.layout.segments / f"day={format_day(OLD // DAY_NS)}"
    (file,) = folder.glob("*.parquet")
    return file


def delete(store: EvidenceStore) -> None:
    find_file(store).unlink()


def cut(store: EvidenceStore) -> None:
    file = find_file(store)
    file.write_bytes(file.read_bytes()[:-20])


def verify(store: EvidenceStore, bundle: Document) -> Document:
    data = str(bundle.items[0]["bundle"]).encode()
    return verify_evidence(data, key=str(store.keys.public_key))


@pytest.mark.parametrize(
    ("damage", "cause", "is_partial"),
    [
        (remove, "removed", False),
        (delete, "unreadable", True),
        (cut, "unreadable", True),
    ],
)
def test_an_absent_event_hides_nothing_else_of_a_case(
    day: EvidenceStore, old: str, damage, cause: str, is_partial: bool
) -> None:
    damage(day)
    shown = manage_cases.show_case(day, TITLE, now=NOW)
    assert [e["kind"] for e in shown.items] == ["opened", "event", "event", "note"]
    assert [e["absent"] for e in shown.items] == ["", cause, "", ""]
    assert cause in str(shown.items[1]["text"])
    assert [len(e["rows"]) for e in shown.items] == [0, 0, 1, 0]
    assert shown.is_partial == is_partial

    page = export_case.build_case_page(day, TITLE, now=NOW)
    text = "".join(page.lines)
    assert "asked the bank" in text
    assert f"<td>{old}</td>" in text
    assert bool(page.unread) == is_partial

    bundle = export_case.build_case_bundle(day, TITLE, now=NOW)
    assert bundle.is_partial == is_partial
    assert str(bundle.items[0]["absent"]).startswith(f"['{old}: {cause}")
    checked = verify(day, bundle)
    assert not checked.failed
    assert checked.is_partial  # an event of the case was not verified
    assert f"{old} ({cause})" in json.dumps(checked.items)


def test_an_absent_decision_is_named(day: EvidenceStore, old: str) -> None:
    lost = "ab" * 16
    case = find_case(day, TITLE)
    append_case_records(day, case, [(CaseRecordKind.DECISION, lost, "")], "ana", NOW)
    shown = manage_cases.show_case(day, TITLE, now=NOW)
    assert shown.is_partial
    assert shown.items[-1]["absent"] == "not-known"
    delete(day)
    shown = manage_cases.show_case(day, TITLE, now=NOW)
    assert shown.items[-1]["absent"] == "unreadable"
    assert not verify(day, export_case.build_case_bundle(day, TITLE, now=NOW)).failed


@pytest.mark.parametrize("words", [("show",), ("print",), ("bundle",)])
def test_a_command_prints_the_rest_and_ends_with_exit_code_3(
    day: EvidenceStore,
    old: str,
    words: tuple[str, ...],
    capsys: pytest.CaptureFixture[str],
) -> None:
    delete(day)
    place = ["--store", str(day.root)]
    assert main(["case", *words, TITLE, *place]) == 3
    said = capsys.readouterr()
    assert old in said.err
    assert "is missing or damaged" in said.err
    assert "asked the bank" in said.out or words == ("bundle",)
    assert main(["case", *words, TITLE, *place, "--allow-partial"]) == 0
