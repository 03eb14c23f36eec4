"""An event is stored once, durably, and a conflict is never silent."""

import dataclasses
import errno
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from answerable.evidence.journal_format import JournalContents
from answerable.model.errors import UsageError, VerificationError
from answerable.model.event import AuditEvent
from answerable.store import deduplication, durable_files, journal_files
from answerable.store import store as store_module
from answerable.store.event_columns import NAMES, decode_event_row
from answerable.store.store import AppendResult, EvidenceStore

Make = Callable[..., AuditEvent]
DAY = 86_400 * 10**9


def stored(store: EvidenceStore) -> list[AuditEvent]:
    rows = store.run_query(
        f"SELECT {NAMES} FROM events ORDER BY event_time, raw_sha256"  # noqa: S608 - our own names
    )
    return [decode_event_row(row) for row in rows]


def bare(event: AuditEvent) -> AuditEvent:
    return dataclasses.replace(event, ingest_time=0, salt=b"")


def test_an_event_comes_back_as_it_was_with_ingest_time_and_salt(
    store: EvidenceStore, make: Make, now: int
) -> None:
    events = [make(0), make(1)]
    assert store.append(events, now) == AppendResult(2, 0, 0)
    found = stored(store)
    assert [bare(event) for event in found] == events
    assert {event.ingest_time for event in found} == {now}
    assert {len(event.salt) for event in found} == {16}
    assert found[0].salt != found[1].salt


@pytest.fixture(params=["held", "asked"])
def of_a_day(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Days whose ids are held in memory, and days whose segments are asked."""
    if request.param == "asked":
        monkeypatch.setattr(deduplication, "MAX_IDS_PER_DAY", 2)


@pytest.mark.usefixtures("of_a_day")
@pytest.mark.parametrize("sealed", [False, True])
def test_the_same_events_are_stored_once(
    store: EvidenceStore, make: Make, now: int, sealed: bool
) -> None:
    events = [make(number) for number in range(20)]
    store.append(events, now)
    if sealed:
        store.seal(now)
    assert store.append(events, now) == AppendResult(0, 20, 0)
    assert store.append([*events, make(20)], now) == AppendResult(1, 20, 0)
    assert len(stored(store)) == 21


@pytest.mark.usefixtures("of_a_day")
@pytest.mark.parametrize("sealed", [False, True])
def test_another_process_knows_what_was_stored(
    place: Path, make: Make, now: int, sealed: bool
) -> None:
    events = [make(number) for number in range(20)]
    with EvidenceStore.open(place, now=now) as first:
        first.append(events, now)
        if sealed:
            first.seal(now)
    with EvidenceStore.open(place, now=now) as second:
        assert second.append(events, now) == AppendResult(0, 20, 0)
        assert len(stored(second)) == 20


def test_a_duplicate_inside_a_batch_is_stored_once(
    store: EvidenceStore, make: Make, now: int
) -> None:
    assert store.append([make(0), make(1), make(0)], now) == AppendResult(2, 1, 0)


@pytest.mark.usefixtures("of_a_day")
@pytest.mark.parametrize("sealed", [False, True])
def test_another_record_under_a_known_id_is_a_conflict_and_both_are_kept(
    store: EvidenceStore, make: Make, now: int, sealed: bool
) -> None:
    store.append([make(0)], now)
    if sealed:
        store.seal(now)
    other = make(0, raw="something else", action="s3:DeleteObject")
    assert store.append([other, make(0)], now) == AppendResult(1, 1, 1)
    assert store.append([other], now) == AppendResult(0, 1, 0)
    store.seal(now)
    assert store.append([make(0), other], now) == AppendResult(0, 2, 0)
    actions = {event.action for event in stored(store)}
    assert actions == {"s3:GetObject", "s3:DeleteObject"}


def test_a_conflict_leaves_an_alarm_in_the_log(
    store: EvidenceStore, make: Make, now: int
) -> None:
    store.append([make(0), make(0, raw="else")], now)
    (alarm,) = store.list_objects("conflict")
    (said,) = json.loads(store.get_object(alarm.digest))
    assert said["event_id"] == make(0).event_id.hex()


@pytest.mark.usefixtures("of_a_day")
def test_days_that_leave_memory_are_looked_up_again(
    store: EvidenceStore, make: Make, now: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deduplication, "MAX_IDS", 3)
    days = [
        [make(0, event_time=day * DAY + n, native=f"{day}-{n}") for n in range(5)]
        for day in range(19_000, 19_006)
    ]
    for events in days:
        assert store.append(events, now).stored == 5
    store.seal(now)
    for events in days:
        assert store.append(events, now) == AppendResult(0, 5, 0)


@pytest.mark.usefixtures("of_a_day")
def test_two_processes_that_store_the_same_seal_it_once(
    place: Path, make: Make, now: int
) -> None:
    events = [make(number) for number in range(30)]
    with (
        EvidenceStore.open(place, now=now) as first,
        EvidenceStore.open(place, now=now) as second,
    ):
        first.append(events[:5], now)
        second.append(events[5:10], now)
        # Each has loaded the day and cannot see what the other takes in from here on.
        first.append(events[10:], now)
        second.append(events[10:20], now)
        first.seal(now)
        second.seal(now)
        assert len(stored(first)) == 30
        assert len({event.event_id for event in stored(second)}) == 30
        assert second.append(events, now) == AppendResult(0, 30, 0)


def test_a_lone_surrogate_does_not_stop_the_batch(
    store: EvidenceStore, make: Make, now: int
) -> None:
    assert store.append([make(0, session="a\ud800b"), make(1)], now).stored == 2
    assert {event.session for event in stored(store)} == {"a???b", ""} or {
        event.session for event in stored(store)
    } == {"a\ufffd\ufffd\ufffdb", ""}


def test_an_event_that_does_not_fit_is_named_and_nothing_of_its_batch_is_stored(
    store: EvidenceStore, make: Make, now: int
) -> None:
    wide = make(1, sequence=2**63)
    with pytest.raises(UsageError, match=wide.event_id.hex()):
        store.append([make(0), wide], now)
    assert stored(store) == []
    assert store.append([make(0)], now) == AppendResult(1, 0, 0)


def test_an_event_longer_than_a_journal_record_may_be_is_named(
    store: EvidenceStore, make: Make, now: int
) -> None:
    long = make(1, session="x" * (16 << 20))
    with pytest.raises(UsageError, match="16 MiB"):
        store.append([long], now)
    assert stored(store) == []


def test_an_empty_batch_makes_no_journal(store: EvidenceStore, now: int) -> None:
    assert store.append([], now) == AppendResult(0, 0, 0)
    assert list(store.layout.journal.iterdir()) == []


@pytest.fixture
def small_journals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "MAX_JOURNAL_RECORDS", 10)


@pytest.mark.usefixtures("small_journals")
def test_a_full_journal_is_sealed_while_more_arrives(
    store: EvidenceStore, make: Make, now: int
) -> None:
    for start in range(0, 40, 5):
        store.append([make(number) for number in range(start, start + 5)], now)
    assert len(list(store.layout.segments.rglob("*.parquet"))) == 4
    assert store.append([make(0), make(39)], now) == AppendResult(0, 2, 0)
    assert store.seal(now) == 4
    assert list(store.layout.journal.iterdir()) == []
    assert len(stored(store)) == 40


def test_sealing_uses_the_records_in_memory(
    store: EvidenceStore, make: Make, now: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.append([make(0), make(1)], now)
    store.append([make(2)], now)
    (name,) = store.layout.list_journals()
    read = journal_files.load_valid_journal(store.layout, store.keys, name)
    kept: list[JournalContents | None] = []
    read_back = journal_files.JournalWriter.read_back

    def keep(writer: journal_files.JournalWriter) -> JournalContents | None:
        kept.append(read_back(writer))
        return kept[-1]

    monkeypatch.setattr(journal_files.JournalWriter, "read_back", keep)
    assert store.seal(now) == 1
    assert kept[0] is not None
    assert dataclasses.replace(kept[0], events=None) == read


@pytest.mark.parametrize("ending", [".log", ".head"])
def test_a_changed_journal_is_not_sealed_from_memory(
    store: EvidenceStore, make: Make, now: int, ending: str
) -> None:
    store.append([make(0)], now)
    (path,) = store.layout.journal.glob(f"*{ending}")
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(VerificationError, match="journal/"):
        store.seal(now)
    assert list(store.layout.segments.rglob("*.parquet")) == []


@pytest.mark.usefixtures("small_journals")
def test_a_full_journal_that_cannot_be_sealed_is_sealed_later(
    store: EvidenceStore, make: Make, now: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(step: str) -> None:
        if step == "segment-parquet-write":
            raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as context:
        context.setattr(durable_files, "crash_hook", refuse)
        for start in range(0, 30, 10):
            batch = [make(number) for number in range(start, start + 10)]
            assert store.append(batch, now).stored == 10
    assert list(store.layout.segments.rglob("*.parquet")) == []
    assert store.seal(now) == 3
    assert len(stored(store)) == 30


def test_the_journal_is_private(store: EvidenceStore, make: Make, now: int) -> None:
    store.append([make(0)], now)
    modes: Any = [path.stat().st_mode & 0o777 for path in store.root.rglob("*")]
    assert set(modes) <= {0o700, 0o600}
    assert store.root.stat().st_mode & 0o777 == 0o700
