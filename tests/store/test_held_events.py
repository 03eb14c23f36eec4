"""Legal holds say how many events they cover, and warn if there are none."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from answerable.model.errors import UsageError
from answerable.store import held_events
from answerable.store.legal_holds import LegalHold, read_holds
from answerable.store.store import EvidenceStore
from answerable.usecases.evidence.store_life import place_hold, retain_events
from tests.store.conftest import NOW, _make

ADA = "ada@example.com"
DAY = 86_400 * 10**9


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EvidenceStore]:
    """A store with ten events, of which three mention Ada and four are of a day before."""
    with EvidenceStore.open(tmp_path, now=NOW) as opened:
        rows = [
            _make(
                number,
                event_time=NOW - (number < 4) * 2 * DAY + number,
                resource=f"s3://b/%61da@example.com/{number}" if number > 6 else "x",
            )
            for number in range(10)
        ]
        opened.append(rows, NOW)
        opened.seal(NOW)
        yield opened


@pytest.mark.parametrize(
    ("hold", "said"),
    [
        (LegalHold("r"), "now covers 10 events"),
        (LegalHold("r", source="cloudtrail"), "now covers 10 events"),
        (LegalHold("r", since="2026-01-01", until="9999-12-31"), "covers 10 events"),
        (LegalHold("r", until="2020-01-01"), "warning: the hold is in force, but no"),
        (LegalHold("r", person=ADA), "now covers 3 events"),
        (LegalHold("r", person="zzz@x"), "check the spelling"),
        (
            LegalHold("r", source="cloudtrial"),
            "source 'cloudtrial' (stored: cloudtrail); did you mean cloudtrail?",
        ),
    ],
)
def test_a_new_hold_says_how_many_events_it_covers(
    store: EvidenceStore, hold: LegalHold, said: str
) -> None:
    document = place_hold(store, hold, now=NOW)
    assert said in document.note
    assert len(read_holds(store)) == 1  # in force in any case


def test_unreadable_events_are_not_counted_as_none(store: EvidenceStore) -> None:
    for file in store.layout.segments.glob("*/*.parquet"):
        file.unlink()
    note = place_hold(store, LegalHold("r"), now=NOW).note
    assert "2 unreadable segments not counted" in note


def test_a_person_is_not_searched_in_too_many_events(
    store: EvidenceStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held_events, "_MAX_SEARCHED_EVENTS", 9)
    note = place_hold(store, LegalHold("r", person="zzz@x"), now=NOW).note
    assert note == "the hold is in force; too many events to search for the person"


@pytest.mark.parametrize(
    "hold", [LegalHold("r", since="2026-02-30"), LegalHold("r", person="person: ")]
)
def test_a_malformed_hold_is_refused(store: EvidenceStore, hold: LegalHold) -> None:
    with pytest.raises(UsageError):
        place_hold(store, hold, now=NOW)
    assert not read_holds(store)


def test_retention_of_an_unknown_source_is_a_warning(store: EvidenceStore) -> None:
    done = retain_events(store, 300, "nope", now=NOW, dry_run=True)
    assert (
        "no readable event is from the source 'nope' (stored: cloudtrail)" in done.note
    )
    assert not retain_events(store, 300, "cloudtrail", now=NOW, dry_run=True).note
