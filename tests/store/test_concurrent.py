"""Processes that store the same events at once: each event is counted once, always."""

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from answerable.evidence.log_entries import JournalSealed
from answerable.model.event import AuditEvent
from answerable.model.progress import ignore_progress_report
from answerable.store import durable_files, fsck
from answerable.store.search_index import SearchIndex
from answerable.store.store import EvidenceStore

Make = Callable[..., AuditEvent]
COUNT = 40


@pytest.fixture(params=["plain", "skimmed"])
def reader(
    request: pytest.FixtureRequest, place: Path, now: int
) -> Iterator[EvidenceStore]:
    """A process that asks: with columns held in memory, or without."""
    skim = SearchIndex()
    held = skim if request.param == "skimmed" else None
    with EvidenceStore.open(place, now=now, index=held) as store:
        yield store
    skim.close()


def counts(store: EvidenceStore) -> set[int]:
    """Count the events in each way that they are asked for."""
    (shown,) = store.run_query("SELECT count(*) FROM events")
    (found,) = store.run_query("SELECT count(*) FROM skimmed")
    _, (said,) = store.run_user_select("SELECT count(*) FROM events")
    places = store.run_query("SELECT event_time, event_id, segment, row FROM skimmed")
    whole = store.read_events_at(places)  # type: ignore[arg-type]  # as the query gives them
    return {*shown, *found, *said, len({event.event_id for event in whole})}  # type: ignore[arg-type]  # counts


def wrong(store: EvidenceStore) -> list[str]:
    return [
        c.detail
        for c in fsck.verify_store(store, None, None, ignore_progress_report)
        if not c.ok
    ]


def test_events_in_the_journals_of_three_processes_are_counted_once(
    place: Path, make: Make, now: int, reader: EvidenceStore
) -> None:
    events = [make(number) for number in range(COUNT)]
    writers = [EvidenceStore.open(place, now=now) for _ in range(3)]
    for writer in writers:
        writer.append(events[:1], now)  # each knows the day by now, and no other's tail
    for at in range(1, COUNT, 3):
        for writer in writers:
            writer.append(events[at : at + 3], now)
        assert counts(reader) == {min(at + 3, COUNT)}
    for number, writer in enumerate(writers):
        writer.seal(now)  # its own: the others are alive
        assert counts(reader) == {COUNT}, number
        assert wrong(reader) == []
        writer.close()
    sealed = [e for e in reader.log.entries() if isinstance(e, JournalSealed)]
    assert sum(entry.count - entry.duplicate for entry in sealed) == COUNT


def test_verify_counts_an_event_of_two_journals_once(
    place: Path, make: Make, now: int
) -> None:
    events = [make(number) for number in range(COUNT)]
    with (
        EvidenceStore.open(place, now=now) as one,
        EvidenceStore.open(place, now=now) as other,
    ):
        for writer in (one, other):
            writer.append(events[:1], now)
        for writer in (one, other):
            writer.append(events, now)
        (said,) = [
            check.detail
            for check in fsck.verify_store(one, None, None, ignore_progress_report)
            if check.check == "journals"
        ]
    assert said == f"{COUNT} events not sealed yet"


def test_what_another_process_seals_while_a_journal_is_opened_is_not_stored_again(
    place: Path, make: Make, now: int
) -> None:
    """Between the look for known events and the journal's opening, another seals."""
    events = [make(number) for number in range(COUNT)]
    with EvidenceStore.open(place, now=now) as late:
        late.append([make(COUNT)], now)
        late.seal(now)  # it knows the day, and has no journal
        with EvidenceStore.open(place, now=now) as early:

            def meanwhile(step: str) -> None:
                if step == "journal-made":
                    durable_files.crash_hook = None
                    early.append(events, now)
                    early.seal(now)

            durable_files.crash_hook = meanwhile
            done = late.append(events, now)
        assert (done.stored, done.duplicate) == (0, COUNT)
        late.seal(now)
        assert late.run_query("SELECT count(*) FROM events") == [(COUNT + 1,)]


def test_what_another_process_wrote_and_did_not_acknowledge_counts_for_nothing(
    place: Path, make: Make, now: int
) -> None:
    """Its disk may refuse it still: then this process alone has the events."""
    events = [make(number) for number in range(COUNT)]
    with (
        EvidenceStore.open(place, now=now) as failing,
        EvidenceStore.open(place, now=now) as other,
    ):
        failing.append([make(COUNT)], now)

        def meanwhile(step: str) -> None:
            if step == "journal-written":
                durable_files.crash_hook = None
                assert other.append(events, now).stored == COUNT
                raise OSError(5, "Input/output error")

        durable_files.crash_hook = meanwhile
        with pytest.raises(durable_files.EnvironmentFailure):
            failing.append(events, now)
        assert failing.run_query("SELECT count(*) FROM events") == [(COUNT + 1,)]
        other.seal(now)
        assert other.run_query("SELECT count(*) FROM events") == [(COUNT + 1,)]


def test_different_records_of_one_event_in_two_journals_are_a_conflict(
    place: Path, make: Callable[..., AuditEvent], now: int
) -> None:
    with (
        EvidenceStore.open(place, now=now) as one,
        EvidenceStore.open(place, now=now) as two,
    ):
        for store in (one, two):  # each knows the events of the day so far
            store.append([make(0)], now)
            store.seal(now)
        for store, raw in ((one, "one"), (two, "two")):
            assert store.append([make(1, raw=raw), make(2)], now).stored == 2
        assert one.seal(now) == two.seal(now) == 1
        assert one.run_query("SELECT count(*) FROM events") == [(4,)]
        (conflict,) = one.list_objects("conflict")
        (record,) = msgspec.json.decode(one.get_object(conflict.digest))
    assert record["event_id"] == make(1).event_id.hex()
    assert record["raw_sha256"] == make(1, raw="two").raw_sha256.hex()
